"""Decoding of images: whole files only, as the training reads them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data_converters.errors import DataError
from data_converters.images import image_size
from data_converters.untrusted import leaves_folder

NOISE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
KINDS = {
    'JPEG': ('.jpg', []),
    'progressive JPEG': ('.jpg', [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    'PNG': ('.png', []),
    'BMP': ('.bmp', []),
}


@pytest.mark.parametrize('kind', KINDS)
def test_cut_short(tmp_path, kind):
    suffix, options = KINDS[kind]
    data = cv2.imencode(suffix, NOISE, options)[1].tobytes()
    path = tmp_path / f'a{suffix}'
    path.write_bytes(data)
    assert image_size(path) == (56, 40)
    # From the mark at the end alone to all but the header.
    for length in (len(data) - 1, len(data) - 2, len(data) // 2, 700, 0):
        path.write_bytes(data[:length])
        with pytest.raises(DataError) as caught:
            image_size(path)
        assert str(caught.value) == (
            f'{path}: is not a readable image; replace it or remove it '
            'together with its keypoints'
        )


def test_no_file_is_no_readable_image(tmp_path):
    for path in (tmp_path, tmp_path / 'none.jpg'):
        with pytest.raises(DataError, match='is not a readable image'):
            image_size(path)


def test_turned_by_exif(tmp_path):
    """Orientation 6: shown a quarter turn to the right."""
    data = cv2.imencode('.jpg', NOISE)[1].tobytes()
    tiff = b'II*\0\x08\0\0\0\x01\0' + b'\x12\x01\x03\0\x01\0\0\0\x06\0\0\0'
    body = b'Exif\0\0' + tiff + b'\0\0\0\0'
    segment = b'\xff\xe1' + (len(body) + 2).to_bytes(2, 'big') + body
    path = tmp_path / 'a.jpg'
    path.write_bytes(data[:2] + segment + data[2:])
    assert image_size(path) == (40, 56)


@pytest.mark.parametrize(
    ('name', 'leaves'),
    [
        ('a.jpg', False),
        ('3/a..b.jpg', False),
        ('./3/a.jpg', False),
        ('../a.jpg', True),
        ('3/../../a.jpg', True),
        ('3\\..\\..\\a.jpg', True),
        ('/tmp/a.jpg', True),
    ],
)
def test_leaves_folder(name, leaves):
    assert leaves_folder(name) is leaves
