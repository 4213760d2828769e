"""What a reader must not do is seen."""

from __future__ import annotations

import os
import socket
import urllib.request

import av
import cv2
import good_files
import pytest
from mutations import damage_bytes
from readers import Reader, try_content

from data_converters.errors import DataError

pytestmark = pytest.mark.slow


def leaves(root, path):
    (root / 'outside.jpg').read_bytes()


def opens_video(root, path):
    cv2.VideoCapture(str(root / 'outside.avi'))


def opens_video_late(root, path):
    cv2.VideoCapture().open(str(root / 'outside.avi'))


def opens_with_pyav(root, path):
    av.open(str(root / 'outside.avi'))


def lists(root, path):
    os.listdir('/home')


def follows(root, path):
    os.symlink(root / 'outside.jpg', root / 'src' / 'link')
    (root / 'src' / 'link').read_bytes()


def calls(root, path):
    with pytest.raises(OSError):
        urllib.request.urlopen('http://127.0.0.1:9/x', timeout=1)


def connects(root, path):
    with socket.socket() as made, pytest.raises(OSError):
        made.connect(('127.0.0.1', 9))


def starts(root, path):
    os.system('true')


def speaks_at_length(root, path):
    raise DataError('x' * 5000)


def speaks_in_lines(root, path):
    raise DataError('one\ntwo')


def is_silent(root, path):
    raise DataError('')


def crashes(root, path):
    raise KeyError(path)


def reads(root, path):
    path.read_bytes()
    (path.parent / 'made').write_bytes(b'')


def refuses(root, path):
    raise DataError('no; mend it')


@pytest.fixture
def given(tmp_path):
    good_files.write_picture(tmp_path / 'outside.jpg')
    good_files.write_video(tmp_path / 'outside.avi', 'MJPG', 2)
    path = tmp_path / 'src' / 'a'
    path.parent.mkdir()

    def attempt(read):
        reader = Reader(
            'x',
            lambda root: path,
            lambda root: read(root, path),
            damage_bytes,
            'binary',
            (DataError,),
        )
        return try_content(reader, tmp_path, path, b'content')

    return attempt


@pytest.mark.parametrize(
    'read',
    [
        leaves, opens_video, opens_video_late, opens_with_pyav, lists, follows,
        calls, connects, starts, speaks_at_length, speaks_in_lines, is_silent,
    ],
)  # fmt: skip
def test_what_must_not_be(given, read):
    with pytest.raises(AssertionError):
        given(read)


def test_what_may_be(given):
    assert given(reads) == 'read'
    assert given(refuses) == 'refused'
    with pytest.raises(KeyError):
        given(crashes)
