"""Reads small files whole, and none that is too large for what it is."""

from __future__ import annotations

from pathlib import Path

from data_converters.errors import DataError

# The keypoints of one face take some kilobytes, a list of all of LFW three
# megabytes. As rows of text a list takes some fifty times its size.
KEYPOINTS_BYTES = 1 << 20
LIST_BYTES = 1 << 24


def read_small(
    path: Path, most: int, hint: str = 'repair or remove it'
) -> bytes:
    """What is in a file of keypoints or a list.

    Args:
        path: The file.
        most: More bytes than this are not looked at.
        cure: What to do when there is no such file.

    Raises:
        DataError: There is no such file, or it is too large.
    """
    if not path.is_file():
        raise DataError(f'{path}: no such file; {hint}')
    with path.open('rb') as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise DataError(
            f'{path}: is larger than {most >> 20} MiB, which no such file '
            'is; repair or remove it'
        )
    return data
