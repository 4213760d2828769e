"""Outputs that are there complete or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Union


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
