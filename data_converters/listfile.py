"""Reads the small CSV files that say which item is what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from data_converters.errors import DataError
from data_converters.files import LIST_BYTES, read_small
from data_converters.untrusted import short

Table = Mapping[str, Mapping[str, str]]

# File systems take names of 255 bytes, and a letter may have four.
_SPLIT = re.compile(r'[\w-]{1,50}')


def read_table(
    path: Path, key: str, columns: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Read a CSV file with a header into rows by their key.

    Args:
        path: The CSV file; a byte order mark is accepted.
        key: The column that names a row; its values must be unique.
        columns: The other columns that must be there and filled in. A
            column of the name ``split`` becomes part of a file's name and
            may hold up to 50 letters, digits, ``_`` and ``-`` only.

    Returns:
        Rows (column name to text, without outer spaces) by key.

    Raises:
        DataError: The file, a column or a cell is missing, the file is no
            CSV file or too large, a key comes twice, or a split cannot be
            part of a file's name.
    """
    data = read_small(path, LIST_BYTES, 'name an existing CSV file')
    try:
        stream = io.StringIO(data.decode('utf-8-sig'), newline='')
        reader = csv.DictReader(stream, skipinitialspace=True)
        rows = list(reader)
        header = [name.strip() for name in reader.fieldnames or ()]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f'{path}: is not a CSV file in UTF-8 ({error}); save it as one'
        ) from None

    needed = (key, *columns)
    for column in needed:
        if column not in header:
            raise DataError(
                f'{path}: has no column {column!r}; add it to the header '
                f'({", ".join(needed)})'
            )
    table: dict[str, dict[str, str]] = {}
    for number, cells in enumerate(rows, start=1):
        values = [str(cells[name] or '') for name in reader.fieldnames or ()]
        row = {name: v.strip() for name, v in zip(header, values)}
        for column in needed:
            if not row[column]:
                raise DataError(
                    f'{path}: row {number} has no {column}; fill it in'
                )
        if 'split' in columns and not _SPLIT.fullmatch(row['split']):
            raise DataError(
                f'{path}: split {short(row["split"])!r} cannot be part of a '
                "file's name; use letters, digits, _ and -"
            )
        if row[key] in table:
            raise DataError(
                f'{path}: names {short(row[key])} twice; keep one of the rows'
            )
        table[row[key]] = row
    return table


def check_disjoint(table: Table, path: str | PathLike) -> None:
    """Refuse a list with a subject on both sides of a split.

    Args:
        table: Rows with the columns ``subject`` and ``split``.
        path: The list, for the error's sentence.

    Raises:
        DataError: A subject is in two splits.
    """
    side: dict[str, str] = {}
    for row in table.values():
        first = side.setdefault(row['subject'], row['split'])
        if first != row['split']:
            raise DataError(
                f'{path}: the subject {short(row["subject"])} is in both '
                f'{first} and {row["split"]}; keep it on one side'
            )
