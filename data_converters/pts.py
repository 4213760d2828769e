"""Reads and writes the ``.pts`` mark files of 300-W and 300-VW."""

from __future__ import annotations

import math
import re
from os import PathLike
from pathlib import Path

import numpy as np

from data_converters.errors import DataError
from data_converters.files import KEYPOINTS_BYTES, read_small
from data_converters.untrusted import short

_HEADER = re.compile(r'\s*(version|n_points)\s*:?\s*(\S*)\s*$', re.IGNORECASE)


def read_pts(
    path: str | PathLike, num_points: int = 68, base: int = 1
) -> np.ndarray:
    """Read the keypoints of one face.

    Accepts what copies of the data sets really hold: CRLF, a byte order
    mark, odd spacing, no header or braces (bare lines), no closing brace.

    Args:
        path: The ``.pts`` file.
        num_points: How many marks the file must hold.
        base: Coordinate of the first pixel's centre in the file: 1 as
            released by iBUG, 0 for 0-based copies. It is subtracted.

    Returns:
        Keypoints of shape (num_points, 2), x and y in 0-based image pixels,
        float64.

    Raises:
        DataError: The file is missing, empty or too large, holds another
            number of keypoints than ``num_points`` (or says so), or something
            that is not a finite number.
    """
    path = Path(path)
    data = read_small(path, KEYPOINTS_BYTES, 'restore it from the data set')
    # Undecodable bytes become characters that fail as numbers below.
    text = data.decode('utf-8-sig', errors='replace')
    if not text.strip():
        raise DataError(f'{path}: is empty; repair or remove it')

    points: list[list[float]] = []
    declared = num_points
    # A brace may share its line with numbers; it separates like a newline.
    for line in re.sub('[{}]', '\n', text).splitlines():
        header = _HEADER.match(line)
        if header:
            if header[1].lower() == 'n_points' and header[2].isdecimal():
                # Python refuses to read numbers of thousands of digits.
                declared = int(header[2][:9])
        elif line.strip():
            points.append(parse_pair(line, path))

    for count in (declared, len(points)):
        if count != num_points:
            raise DataError(
                f'{path}: has {count} points where {num_points} are '
                'expected; repair or remove it'
            )
    return np.array(points, dtype=np.float64) - base


def parse_pair(line: str, path: Path) -> list[float]:
    """The two numbers of a line.

    Raises:
        DataError: They are not two, no numbers, or not finite.
    """
    try:
        x, y = (float(token) for token in line.split())
    except ValueError:
        raise DataError(
            f'{path}: {short(line)!r} is not a pair of numbers; '
            'repair or remove it'
        ) from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise DataError(
            f'{path}: {short(line)!r} is not finite; repair or remove it'
        )
    return [x, y]


def write_pts(path: str | PathLike, points: np.ndarray, base: int = 1) -> None:
    """Write keypoints in the syntax of the original release.

    Args:
        path: The file to write; it is replaced when it exists.
        points: Keypoints of shape (N, 2) in 0-based image pixels.
        base: Added to every coordinate, see :func:`read_pts`.
    """
    rows = np.asarray(points, dtype=np.float64) + base
    lines = ['version: 1', f'n_points:  {len(rows)}', '{']
    lines += [f'{x:.3f} {y:.3f}' for x, y in rows]
    lines += ['}', '']
    Path(path).write_text('\n'.join(lines), encoding='ascii')
