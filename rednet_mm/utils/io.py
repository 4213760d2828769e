"""Outputs that are there complete or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional, Union

from .errors import UserError


def partial_path(path: Union[str, Path]) -> Path:
    """Where a file is while it is written: hidden beside it, same suffix."""
    path = Path(path)
    return path.with_name(f'.{path.stem}.part{path.suffix}')


@contextmanager
def atomic_write(path: Union[str, Path]) -> Iterator[Path]:
    """Write a file so that it appears, or is replaced, when it is complete.

    Usage::

        with whole('figures.json') as part:
            part.write_text(text)

    If the block fails nothing is left and what was there before stays. A
    process that is killed leaves the part, which the next one overwrites.

    Args:
        path (str | Path): The file. Folders that are missing are made.

    Yields:
        Path: What to write to.
    """
    part = partial_path(path)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def refuse_overwriting(
    inputs: Iterable[Optional[Union[str, Path]]],
    outputs: Iterable[Optional[Union[str, Path]]],
) -> None:
    """See that no output would replace an input, before the work.

    Args:
        inputs (Iterable[str | Path | None]): Files, and folders whose files
            are read. What is not on the disk (a camera, None) is passed over.
        outputs (Iterable[str | Path | None]): Files that will be written.

    Raises:
        UserError: if one is an input, by whatever name or link.
    """
    there = [Path(each) for each in outputs if each and os.path.exists(each)]
    if not there:
        return
    for each in (one for one in inputs if one):
        if os.path.isdir(each):
            files = [one for one in Path(each).iterdir() if one.is_file()]
        else:
            files = [Path(each)] if os.path.exists(each) else []
        for path in there:
            if any(path.samefile(one) for one in files):
                raise UserError(
                    f'{path} is the input itself; name another file or '
                    'folder for the output'
                )
