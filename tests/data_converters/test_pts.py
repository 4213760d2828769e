from __future__ import annotations

import numpy as np
import pytest

from data_converters.errors import DataError
from data_converters.pts import read_pts, write_pts

ROWS = [f'{10 + i}.5 {200 - i}.25' for i in range(68)]
HEAD = ['version: 1', 'n_points:  68', '{']
FILE = '\n'.join([*HEAD, *ROWS, '}', ''])


def expected(base: int) -> np.ndarray:
    i = np.arange(68)
    return np.stack([10.5 + i, 200.25 - i], axis=1) - base


@pytest.mark.parametrize('base', [0, 1])
def test_base_is_subtracted(tmp_path, base):
    path = tmp_path / 'a.pts'
    path.write_text(FILE)
    points = read_pts(path, base=base)
    assert points.dtype == np.float64
    np.testing.assert_array_equal(points, expected(base))


@pytest.mark.parametrize(
    'text',
    [
        FILE.replace('\n', '\r\n'),
        '\ufeff' + FILE,
        FILE.replace('n_points:  68', 'n_points: 68'),
        FILE.replace('n_points:  68', 'n_points:68'),
        FILE.replace(' ', '\t  '),
        FILE.replace('\n', ' \n\n '),
        '\n'.join(ROWS),
        FILE.replace('}', ''),
        FILE.rstrip().replace('\n}', ' }'),
        FILE.replace('{\n', '{ '),
    ],
    ids=[
        'crlf',
        'byte order mark',
        'one space',
        'no space',
        'tabs',
        'blank lines',
        'bare',
        'no closing brace',
        'closing brace on the last line',
        'opening brace on the first line',
    ],
)
def test_odd_copies_are_read(tmp_path, text):
    path = tmp_path / 'a.pts'
    path.write_bytes(text.encode())
    np.testing.assert_array_equal(read_pts(path), expected(1))


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('', 'is empty'),
        (' \r\n', 'is empty'),
        (FILE.replace(ROWS[67] + '\n', ''), 'has 67 points where 68 are'),
        (FILE.replace('68', '66', 1), 'has 66 points where 68 are'),
        ('\n'.join([*ROWS, '1 2']), 'has 69 points where 68 are'),
        (FILE.replace(ROWS[3], 'nan 4'), "'nan 4' is not finite"),
        (FILE.replace(ROWS[3], '4 inf'), "'4 inf' is not finite"),
        (FILE.replace(ROWS[3], '4 x'), "'4 x' is not a pair"),
        (FILE.replace(ROWS[3], '4'), "'4' is not a pair"),
        (FILE.replace(ROWS[3], '4 5 6'), "'4 5 6' is not a pair"),
    ],
)
def test_broken_files_are_named(tmp_path, text, says):
    path = tmp_path / 'broken.pts'
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_pts(path)
    sentence = str(caught.value)
    assert sentence.startswith(f'{path}: ') and says in sentence
    assert sentence.endswith('repair or remove it')


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r'none\.pts: no such file'):
        read_pts(tmp_path / 'none.pts')


def test_binary_file_is_named(tmp_path):
    path = tmp_path / 'picture.pts'
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match=r'picture\.pts'):
        read_pts(path)


def test_other_number_of_points(tmp_path):
    path = tmp_path / 'seven.pts'
    path.write_text('\n'.join(ROWS[:7]))
    np.testing.assert_array_equal(
        read_pts(path, num_points=7), expected(1)[:7]
    )


@pytest.mark.parametrize('base', [0, 1])
def test_written_as_released(tmp_path, face, base):
    path = tmp_path / 'a.pts'
    write_pts(path, face(), base=base)
    lines = path.read_text().splitlines()
    assert lines[:3] == ['version: 1', 'n_points:  68', '{']
    # The first mark of the builder is at (52, 24).
    assert lines[3] == f'{52 + base}.000 {24 + base}.000'
    assert lines[71:] == ['}']
    # Three decimals are kept.
    np.testing.assert_allclose(
        read_pts(path, base=base), face(), rtol=0, atol=5.01e-4
    )


def test_real_headers(shared):
    files = sorted((shared / 'fixtures/300w_original_headers').glob('*.pts'))
    assert len(files) == 10
    for path in files:
        first = path.read_text().split('{')[1].split()[:2]
        got = read_pts(path)[0]
        np.testing.assert_allclose(got, np.array(first, float) - 1)
