"""Where a table comes from, shared by the benchmarks here."""

import shlex
import sys
from dataclasses import dataclass

from rednet_mm.utils.env import run_environment


@dataclass(frozen=True)
class Origin:
    """The command that wrote a table, and what it ran on.

    Attributes:
        run (dict[str, str]): Of :func:`run_environment`, and what was added.
        command (str): As it can be typed again.
    """

    run: dict[str, str]
    command: str

    @staticmethod
    def here(**more: str) -> 'Origin':
        """Of this process; ``more`` stands beside the machine."""
        return Origin(
            dict(run_environment(), **more), shlex.join(['python', *sys.argv])
        )

    def __str__(self) -> str:
        machine = ', '.join(f'{k} {v}' for k, v in self.run.items())
        return f'Written by `{self.command}`, {machine}'
