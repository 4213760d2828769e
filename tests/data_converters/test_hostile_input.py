"""Hostile sources: what fuzzing has found, each by its smallest input."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from source_trees import (
    LFW_BOB,
    LFW_GOOD,
    SEVEN,
    fill_video,
    lfw_row,
    write_picture,
)

from data_converters import convert_300vw, convert_aflw, convert_frames
from data_converters.checks import (
    check_content,
    check_files,
    file_names,
    read_dataset,
    read_image,
)
from data_converters.convert_lfw import convert as convert_lfw
from data_converters.errors import DataError
from data_converters.frames import split_frame_name
from data_converters.images import decode
from data_converters.listfile import read_table
from data_converters.pts import read_pts
from data_converters.untrusted import is_playlist, leaves_folder, short


def refused(call, *arguments, **options) -> str:
    """The sentence of an error, which is one and short."""
    with pytest.raises(DataError) as caught:
        call(*arguments, **options)
    sentence = str(caught.value)
    assert '\n' not in sentence and len(sentence) < 1000
    return sentence


def test_what_a_file_holds_is_shortened_on_one_line():
    assert short('a  b\u2028c\n') == 'a  b c'
    assert short('x' * 81) == 'x' * 80 + '...'
    assert short(10) == '10'


# -- keypoints
# -------------------------------------------------------------------


@pytest.mark.parametrize(
    'content, says',
    [
        (f'n_points: {"9" * 5000}\n1 2\n', 'has 999999999 points'),
        ('x' * 5000, "xxx...' is not a pair of numbers"),
        ('1 2\n' * 300_000, 'is larger than 1 MiB'),
    ],
)
def test_marks(tmp_path, content, says):
    (tmp_path / 'a.pts').write_text(content)
    assert says in refused(read_pts, tmp_path / 'a.pts')


def test_mark_further_out_than_any_image(lfw, tmp_path):
    far = lfw_row(LFW_BOB, SEVEN + np.array([1e308, 0]))
    path = lfw.csv(LFW_GOOD + far)
    sentence = refused(convert_lfw, lfw.src, lfw.dst, marks=path)
    assert 'line 3: has a mark further out than any image' in sentence


# -- lists -------------------------------------------------------------------


def test_split_too_long_for_a_name(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('video,split\n1,' + 'a' * 51)
    says = refused(read_table, path, 'video', ['split'])
    assert "cannot be part of a file's name" in says
    path.write_text('video,split\n1,' + 'a' * 50)
    assert read_table(path, 'video', ['split'])


def test_category_of_thousands_of_digits(tree, tmp_path):
    fill_video(tree.src / 'one')
    path = tree.csv(f'video,subject,category\none,A,{"9" * 5000}\n')
    says = refused(convert_frames.convert, tree.src, tree.dst, subjects=path)
    assert "999...' of one is not a whole number" in says


# -- images and videos --------------------------------------------------


def png_of(side: int) -> bytes:
    """The beginning of a PNG file that says to be so wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return (
            struct.pack('>I', len(data))
            + kind
            + data
            + struct.pack('>I', check)
        )

    header = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IEND', b'')


def test_picture_of_more_pixels_than_opencv_decodes():
    # It raises there, where it gives None for what is damaged.
    assert decode(png_of(60_000)) is None


PLAYLISTS = {
    'hls': b'#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n../outside.avi\n',
    'concat': b'ffconcat version 1.0\nfile outside.avi\n',
    'behind a tag': b'ID3\4\0\0\0\0\0\0#EXTM3U\n',
}


@pytest.mark.parametrize('kind', PLAYLISTS)
def test_video_that_is_a_list_of_videos(tree, kind):
    tree.avi('001', frames=3)
    path = tree.src / '001/vid.avi'
    path.rename(tree.src / 'outside.avi')
    path.write_bytes(PLAYLISTS[kind])
    says = refused(
        convert_300vw.convert, tree.src, tree.dst, protocol='all', frames='avi'
    )
    assert 'vid.avi: cannot be opened as a video' in says


def test_what_is_a_playlist(tree):
    tree.avi('001', frames=1)
    assert not is_playlist(tree.src / '001/vid.avi')
    assert is_playlist(tree.src / 'none.avi')
    path = tree.src / 'a.y4m'
    path.write_bytes(b'YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\nFRAME\n')
    assert not is_playlist(path)


def test_video_of_more_pixels_than_are_read(tree, monkeypatch):
    tree.avi('001', frames=3)
    monkeypatch.setattr('data_converters.frames.MOST_PIXELS', 64 * 48 - 1)
    says = refused(
        convert_300vw.convert, tree.src, tree.dst, protocol='all', frames='avi'
    )
    assert 'vid.avi: cannot be opened as a video' in says


def test_frame_number_of_thousands_of_digits():
    assert split_frame_name('a.avi#12') == ('a.avi', 12)
    assert split_frame_name('a.avi#' + '9' * 5000) is None


# -- names -------------------------------------------------------------------


@pytest.mark.parametrize(
    'name',
    ['../a.jpg', '/a.jpg', 'b/../../a.jpg', '..\\a.jpg', 'http://h/a.jpg',
     'b/file://a.jpg', 'a\0.jpg', '\ud800.jpg', 'a\nb.jpg', 'x' * 1001],
)  # fmt: skip
def test_names_that_lead_out(name):
    assert leaves_folder(name)
    assert file_names({'images': [{'file_name': name}]}) == []


def test_names_that_do_not():
    assert not any(
        map(
            leaves_folder,
            ['a.jpg', 'b/..a.jpg', 'a:b.jpg', 'é', '', 'x' * 1000],
        )
    )


# -- AFLW's database --------------------------------------------------

VIEW = (
    'DROP TABLE Faces; CREATE VIEW Faces(face_id, db_id, file_id, rowid) AS '
    'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) '
    "SELECT n, 'flickr', 'a', n FROM c;"
)
COMPUTED = (
    'DROP TABLE FaceRect; CREATE TABLE FaceRect (face_id INTEGER, w, '
    'h GENERATED ALWAYS AS (zeroblob(900000000)) VIRTUAL); '
    'INSERT INTO FaceRect VALUES (40, 1);'
)


@pytest.mark.parametrize(
    'script, says',
    [
        (VIEW, 'has no table Faces'),
        (COMPUTED, 'has no column h in FaceRect'),
        (
            'UPDATE FaceImages SET filepath = zeroblob(2000000)',
            'string or blob too big',
        ),
        (
            "UPDATE FaceImages SET filepath = '3/' || hex(zeroblob(200))",
            'is no path like 3/image00035.jpg',
        ),
        ('UPDATE FacePose SET yaw = 1e308', '1e+308 is no angle in radians'),
        ('UPDATE FaceRect SET w = 1e308', 'is larger than any image'),
        ("UPDATE FeatureCoords SET x = hex(zeroblob(500))", 'is no number'),
        (
            'UPDATE FeatureCoords SET x = 1e9 WHERE feature_id = 1',
            'has a mark further out',
        ),
    ],
)  # fmt: skip
def test_database(aflw, script, says):
    aflw.run(script)
    assert says in refused(convert_aflw.convert, aflw.src, aflw.dst)


def test_nothing_is_written_beside_a_database(aflw):
    # In this mode SQLite makes files beside one that is only read.
    aflw.run('PRAGMA journal_mode = WAL')
    before = sorted(aflw.database.parent.iterdir())
    convert_aflw.convert(aflw.src, aflw.dst)
    assert sorted(aflw.database.parent.iterdir()) == before


# -- converted files --------------------------------------------------


def test_nested_deeper_than_python_recurses(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('[' * 100_000)
    assert 'is nested deeper than any data set' in refused(read_dataset, path)


def content_of(**face):
    """A data set of one face, with other values."""
    image = dict(id=1, file_name='a.jpg', width=64, height=48)
    whole = dict(
        id=1, image_id=1, keypoints=[1, 1, 2], bbox=[0, 0, 30, 30],
        center=[1, 1], scale=1, num_keypoints=1,
    )  # fmt: skip
    return dict(
        images=[image],
        annotations=[whole | face],
        categories=[dict(keypoints=['tip'])],
    )


@pytest.mark.parametrize(
    'face, kind',
    [
        (dict(keypoints=[10**400, 1, 2]), 'wrong number of values in'),
        (dict(bbox=[10**400] * 4), 'empty box'),
        (dict(id=10**400), 'entry of annotations that is not whole'),
        (dict(scale=10**400), 'center or scale that is no place'),
        (dict(num_keypoints=[1] * 1000), 'num_keypoints other than'),
    ],
)
def test_numbers_that_are_none_to_numpy(face, kind):
    found = check_content(content_of(**face)).all()
    (error,) = [each for each in found if each.level == 'error']
    assert error.kind.startswith(kind)
    assert all(len(example) < 500 for example in error.examples)


def test_file_out_of_the_folder_is_named_and_not_read(tmp_path, monkeypatch):
    path = tmp_path / 'data/annotations/a.json'
    path.parent.mkdir(parents=True)
    write_picture(tmp_path / 'outside.jpg')
    content = content_of()
    content['images'][0]['file_name'] = '../outside.jpg'
    path.write_text(json.dumps(content))
    read = []
    monkeypatch.setattr(
        'data_converters.checks.read_image', lambda path: read.append(path)
    )
    (found,) = check_files([path])['files']
    kinds = [each['kind'] for each in found['findings']]
    assert "path out of the data set's folder" in kinds and not read


@pytest.mark.parametrize('name', ['x' * 5000, 'a\0b', '\ud800', '.'])
def test_name_that_no_file_has(tmp_path, name):
    assert read_image(tmp_path / name).digest == ''
