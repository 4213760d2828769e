"""What is wrong, by kind: how often, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

from data_converters.untrusted import short


@dataclass
class Finding:
    """One kind of thing that is wrong.

    Args:
        level: ``error`` or ``warning``.
        kind: What is wrong, in words.
        count: How often.
        examples: Where, the first few.
    """

    level: str
    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Findings:
    """Collects what is wrong, by kind.

    Args:
        keep: How many examples of each kind are kept.
    """

    def __init__(self, keep: int = 3) -> None:
        self._keep = keep
        self._found: dict[tuple[str, str], Finding] = {}

    def error(self, kind: str, example: str) -> None:
        """Note one error."""
        self._add('error', kind, example)

    def warning(self, kind: str, example: str) -> None:
        """Note one warning."""
        self._add('warning', kind, example)

    def all(self) -> list[Finding]:
        """What was found, errors first."""
        return sorted(self._found.values(), key=lambda found: found.level)

    def count(self, level: str) -> int:
        """How often something of a level was found."""
        return sum(each.count for each in self.all() if each.level == level)

    def _add(self, level: str, kind: str, example: str) -> None:
        found = self._found.setdefault((level, kind), Finding(level, kind))
        found.count += 1
        if len(found.examples) < self._keep:
            found.examples.append(short(example, 300))
