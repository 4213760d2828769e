"""Broken input: one sentence each, that names the file and the fix."""

from __future__ import annotations

import importlib
import math
import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from source_trees import (
    AFLW_TRAIN,
    LFW_ANN_1,
    LFW_BOB,
    LFW_GOOD,
    LFW_HEADER,
    SEVEN,
    SPLIT_OF_STILLS,
    annotate_helen,
    fill_video,
    helen_marks,
    lfw_row,
    lfw_seven,
    lfw_ten,
)

PHOTOS = 'aflw/data/flickr/3'
LFW_PTS = LFW_ANN_1.replace('.jpg', '.pts')
AVI = ('--frames', 'avi')
BOB_ROW = lfw_seven(LFW_BOB)
HEADER = 'video,subject,split\n'

# The fixture that makes each converter's miniature source.
SOURCES = {
    '300vw': 'vw',
    '300w': 'stills',
    'aflw': 'aflw',
    'helen194': 'helen',
    'lfw': 'lfw',
    'frames': 'clips',
}


def write(t, name: str, content: bytes) -> None:
    """Write or replace a file of the source."""
    (t.src / name).write_bytes(content)


def half(t, name: str) -> bytes:
    """The first half of a file, as a broken download leaves it."""
    content = (t.src / name).read_bytes()
    return content[: len(content) // 2]


def cut(t, name: str) -> None:
    """Leave out the last bytes of an image, which is noise."""
    path = t.src / name
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    path.write_bytes(cv2.imencode('.jpg', noise)[1].tobytes()[:-40])


def edit(t, name: str, old: str, new: str) -> None:
    """Replace the first place of a text in a file of the source."""
    path = t.src / name
    path.write_text(path.read_text().replace(old, new, 1))


def listed(t, option: str, content: str | bytes, *more) -> tuple:
    """Write a list beside the source; returns options that name it."""
    path = t.csv('')
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)
    return (option, path, *more)


def subjects(t, content: str | bytes) -> tuple:
    """A list of subjects and splits for 300-VW."""
    return listed(t, '--subjects', content, '--protocol', 'csv')


def clips(t, content: str) -> tuple:
    """A list of subjects for folders of frames."""
    return listed(t, '--subjects', content)


def split(t, old: str = '', new: str = '') -> tuple:
    """The list of splits for 300-W, with something replaced."""
    return listed(t, '--split', SPLIT_OF_STILLS.replace(old, new))


def rows(t, content: str | bytes, *more: str) -> tuple:
    """A list of keypoints for LFW."""
    return listed(t, '--marks', content, *more)


def annotate(t, number: int, name: str, points: np.ndarray) -> None:
    """Write or replace a file of keypoints of Helen."""
    annotate_helen(t.src / 'annotation', number, name, points)


def without_folders(t) -> tuple:
    """Only the images that lie in no folder of 300-W."""
    for folder in ('afw', 'lfpw'):
        shutil.rmtree(t.src / folder)
    return ('--lists',)


def without_frames(t) -> tuple:
    """A video that opens and gives no frame."""
    path = str(t.src / '001/vid.avi')
    code = cv2.VideoWriter_fourcc(*'MJPG')
    cv2.VideoWriter(path, code, 25, (64, 48)).release()
    return AVI


def cut_with_list(t) -> tuple:
    """An image that is cut short and that the list names."""
    cut(t, LFW_ANN_1)
    return rows(t, LFW_GOOD)


def with_list(t) -> tuple:
    """An unreadable image that the list names."""
    write(t, LFW_ANN_1, b'no image')
    return rows(t, LFW_GOOD)


# For each converter: what is broken, a function that breaks the source and
# may return a tuple of options of the command line, and the whole sentence.
# SRC is the source, TOP the folder that it is in.
Change = Callable[[Any], Any]
BROKEN: dict[str, dict[str, tuple[Change, str]]] = {
    '300vw': {
        'source is missing': (
            lambda t: shutil.rmtree(t.src),
            'SRC: no such folder; name the folder of the data set',
        ),
        'no videos': (
            lambda t: [shutil.rmtree(p) for p in t.src.iterdir()],
            'SRC: holds no video folders; name the folder that holds '
            'NNN/annot',
        ),
        'no listed videos': (
            lambda t: [p.rename(f'{p}x') for p in t.src.iterdir()],
            'SRC: holds none of the 114 videos of 300-VW for official; choose '
            '--protocol csv or all',
        ),
        'no annot': (
            lambda t: shutil.rmtree(t.src / '001/annot'),
            'SRC/001: has no folder annot; add its keypoints or remove it',
        ),
        'empty annot': (
            lambda t: [p.unlink() for p in (t.src / '001/annot').iterdir()],
            'SRC/001/annot: holds no .pts files; add them or remove the video',
        ),
        'too few points': (
            lambda t: t.annotate('002', '000002', np.eye(67)[:, :2]),
            'SRC/002/annot/000002.pts: has 67 points where 68 are expected; '
            'repair or remove it',
        ),
        'another number announced': (
            lambda t: edit(t, '002/annot/000002.pts', '68', '66'),
            'SRC/002/annot/000002.pts: has 66 points where 68 are expected; '
            'repair or remove it',
        ),
        'keypoints in one point': (
            lambda t: t.annotate('002', '000002', np.ones((68, 2))),
            'SRC/002/annot/000002.pts: the box around the keypoints is empty; '
            'repair or remove it',
        ),
        'frame marked twice': (
            lambda t: t.annotate('001', '1', np.eye(68)[:, :2]),
            'SRC/001/annot/1.pts: marks the same frame as 000001.pts; remove '
            'one of the two',
        ),
        'no frames': (
            lambda t: (t.src / '001/vid.avi').unlink(),
            'SRC/001: has neither vid.avi nor a folder imgs; add the frames '
            'or remove the video',
        ),
        'not a video': (
            lambda t: write(t, '001/vid.avi', b'not a video'),
            'SRC/001/vid.avi: cannot be opened as a video; get it again',
        ),
        'video cut off': (
            lambda t: write(t, '001/vid.avi', half(t, '001/vid.avi')),
            'SRC/001/vid.avi: cannot be opened as a video; get it again',
        ),
        'video too short': (
            lambda t: t.annotate('001', '000005', np.eye(68)[:, :2]),
            'SRC/001/vid.avi: has 3 frames where the keypoints need 5; get '
            'the video again or remove the keypoints beyond its end',
        ),
        'video too short to stay whole': (
            lambda t: [t.annotate('001', '000005', np.eye(68)[:, :2])] and AVI,
            'SRC/001/vid.avi: has 3 frames where the keypoints need 5; get '
            'the video again or remove the keypoints beyond its end',
        ),
        'video without frames': (
            without_frames,
            'SRC/001/vid.avi: has 0 frames where the keypoints need 3; get '
            'the video again or remove the keypoints beyond its end',
        ),
        'keypoints without image': (
            lambda t: (t.src / '002/imgs/000001.jpg').unlink(),
            'SRC/002/annot/000001.pts: has no image in SRC/002/imgs; add the '
            'image or remove the keypoints',
        ),
        'image cut short': (
            lambda t: cut(t, '002/imgs/000001.jpg'),
            'SRC/002/imgs/000001.jpg: is not a readable image; '
            'replace it or remove it together with its keypoints',
        ),
        'image unreadable': (
            lambda t: write(t, '002/imgs/000001.jpg', b'no image'),
            'SRC/002/imgs/000001.jpg: is not a readable image; replace it or '
            'remove it together with its keypoints',
        ),
        'image twice': (
            lambda t: write(t, '002/imgs/000001.png', b'any'),
            'SRC/002/imgs/000001.png: stands beside 000001.jpg for the same '
            'keypoints; remove one of the two',
        ),
        'list is missing': (
            lambda t: ('--subjects', t.src / 'none.csv'),
            'SRC/none.csv: no such file; name an existing CSV file',
        ),
        'list is no text': (
            lambda t: subjects(t, b'\xff\xd8\xff'),
            "TOP/list.csv: is not a CSV file in UTF-8 ('utf-8' codec can't "
            'decode byte 0xff in position 0: invalid start byte); save it as '
            'one',
        ),
        'list for csv not named': (
            lambda t: ('--protocol', 'csv'),
            'protocol csv takes its splits from a list; name one with '
            '--subjects CSV',
        ),
        'list: unknown video': (
            lambda t: subjects(t, HEADER + '001,A,a\n002,B,b\n3,C,b\n'),
            'TOP/list.csv: names the video 3, which is not in SRC; add the '
            'video or remove the row',
        ),
        'list: video not listed': (
            lambda t: subjects(t, HEADER + '001,A,a\n'),
            'TOP/list.csv: has no row for the video 002 of SRC; add a row or '
            'remove the video',
        ),
        'list: subject on both sides': (
            lambda t: subjects(t, HEADER + '001,A,a\n002,A,b\n'),
            'TOP/list.csv: the subject A is in both a and b; keep it on one '
            'side',
        ),
        'list: no split': (
            lambda t: subjects(t, 'video,subject\n001,A\n002,B\n'),
            "TOP/list.csv: has no column 'split'; add it to the header "
            '(video, subject, split)',
        ),
        'list: no header': (
            lambda t: subjects(t, '001,A,a\n002,B,b\n'),
            "TOP/list.csv: has no column 'video'; add it to the header "
            '(video, subject, split)',
        ),
        'list: empty': (
            lambda t: subjects(t, ''),
            "TOP/list.csv: has no column 'video'; add it to the header "
            '(video, subject, split)',
        ),
        'list: video twice': (
            lambda t: subjects(t, HEADER + '001,A,a\n001,A,a\n'),
            'TOP/list.csv: names 001 twice; keep one of the rows',
        ),
        'list: empty cell': (
            lambda t: subjects(t, HEADER + '001,,a\n002,B,b\n'),
            'TOP/list.csv: row 1 has no subject; fill it in',
        ),
        'list: short row': (
            lambda t: subjects(t, HEADER + '001,A\n002,B,b\n'),
            'TOP/list.csv: row 1 has no split; fill it in',
        ),
        'list: split is a path': (
            lambda t: subjects(t, HEADER + '001,A,../x\n002,B,b\n'),
            "TOP/list.csv: split '../x' cannot be part of a file's name; use "
            'letters, digits, _ and -',
        ),
    },
    '300w': {
        'list: image out of the source': (
            lambda t: split(t, 'single.jpeg', '../single.jpeg'),
            'TOP/list.csv: names ../single.jpeg, which is not in SRC or has '
            'no keypoints; add the file or remove the row',
        ),
        'source is missing': (
            lambda t: shutil.rmtree(t.src),
            'SRC: no such folder; name the folder of the data set',
        ),
        'no pairs': (
            lambda t: [p.unlink() for p in t.src.rglob('*.pts')],
            'SRC: holds no images with .pts files; name the folder that holds '
            'them or their folders',
        ),
        'keypoints without image': (
            lambda t: (t.src / 'afw/7_2.jpg').unlink(),
            'SRC/afw/7_2.pts: has no image beside it; add the image or remove '
            'the keypoints',
        ),
        'keypoints: too few points': (
            lambda t: write(t, 'afw/7_2.pts', b'1 2\n3 4\n'),
            'SRC/afw/7_2.pts: has 2 points where 68 are expected; repair or '
            'remove it',
        ),
        'keypoints: empty file': (
            lambda t: write(t, 'afw/7_2.pts', b''),
            'SRC/afw/7_2.pts: is empty; repair or remove it',
        ),
        'keypoints: NaN': (
            lambda t: write(t, 'afw/7_2.pts', b'1 nan\n' * 68),
            "SRC/afw/7_2.pts: '1 nan' is not finite; repair or remove it",
        ),
        'keypoints: words': (
            lambda t: write(t, 'afw/7_2.pts', b'one two\n' * 68),
            "SRC/afw/7_2.pts: 'one two' is not a pair of numbers; repair or "
            'remove it',
        ),
        'keypoints: an image': (
            lambda t: write(t, 'afw/7_2.pts', b'\xff\xd8\xff'),
            "SRC/afw/7_2.pts: '���' is not a pair of numbers; repair or "
            'remove it',
        ),
        'image cut short': (
            lambda t: cut(t, 'afw/7_2.jpg'),
            'SRC/afw/7_2.jpg: is not a readable image; '
            'replace it or remove it together with its keypoints',
        ),
        'image unreadable': (
            lambda t: write(t, 'afw/7_2.jpg', b'no image'),
            'SRC/afw/7_2.jpg: is not a readable image; replace it or remove '
            'it together with its keypoints',
        ),
        'image cut off': (
            lambda t: write(t, 'afw/7_2.jpg', half(t, 'afw/7_2.jpg')),
            'SRC/afw/7_2.jpg: is not a readable image; replace it or remove '
            'it together with its keypoints',
        ),
        'not the folders of 300-W': (
            without_folders,
            'SRC: holds none of the folders of 300-W (afw, helen_train, '
            'lfpw_train, helen_test, lfpw_test, ibug, indoor, outdoor); name '
            'the folder that holds them, or leave out --lists',
        ),
        'split twice': (
            lambda t: (*split(t), '--lists'),
            'TOP/list.csv: splits the images where --lists does; name one of '
            'the two',
        ),
        'list and val': (
            lambda t: (*split(t), '--val', 10),
            'SRC: has no images for training, or is split by a list already; '
            'leave out --val',
        ),
        'list: unknown image': (
            lambda t: split(t, 'single.jpeg', 'afw/8.jpg'),
            'TOP/list.csv: names afw/8.jpg, which is not in SRC or has no '
            'keypoints; add the file or remove the row',
        ),
        'list: image not listed': (
            lambda t: split(t, 'single.jpeg,val\n', ''),
            'TOP/list.csv: has no row for single.jpeg of SRC; add a row or '
            'remove the image and its keypoints',
        ),
        'list: no column': (
            lambda t: split(t, 'file', 'name'),
            "TOP/list.csv: has no column 'file'; add it to the header (file, "
            'split)',
        ),
    },
    'aflw': {
        'source is missing': (
            lambda t: shutil.rmtree(t.src),
            'SRC: no such folder; name the folder of the data set',
        ),
        'no database': (
            lambda t: t.database.unlink(),
            'SRC: holds no file aflw.sqlite; name a folder with one, the '
            'database of aflw-db, and with the images',
        ),
        'two databases': (
            lambda t: shutil.copy(t.database, t.src),
            'SRC: holds 2 files aflw.sqlite; name a folder with one, the '
            'database of aflw-db, and with the images',
        ),
        'database: a page of a website': (
            lambda t: t.database.write_bytes(b'<html></html>' * 99),
            'SRC/aflw/data/aflw.sqlite: cannot be read as an SQLite database '
            '(file is not a database); unpack it again from aflw-db',
        ),
        'database: cut off': (
            lambda t: t.database.write_bytes(t.database.read_bytes()[:5000]),
            'SRC/aflw/data/aflw.sqlite: cannot be read as an SQLite database '
            '(database disk image is malformed); unpack it again from aflw-db',
        ),
        'database: empty file': (
            lambda t: t.database.write_bytes(b''),
            'SRC/aflw/data/aflw.sqlite: has no table Faces; unpack it again '
            'from aflw-db',
        ),
        'database: missing table': (
            lambda t: t.run('DROP TABLE FeatureCoords'),
            'SRC/aflw/data/aflw.sqlite: has no table FeatureCoords; unpack it '
            'again from aflw-db',
        ),
        'database: missing column': (
            lambda t: t.run('ALTER TABLE FaceRect RENAME w TO width'),
            'SRC/aflw/data/aflw.sqlite: has no column w in FaceRect; unpack '
            'it again from aflw-db',
        ),
        'database: no faces': (
            lambda t: t.run('DELETE FROM Faces'),
            'SRC/aflw/data/aflw.sqlite: has no faces; unpack it again from '
            'aflw-db',
        ),
        'database: NaN': (
            lambda t: t.change('FeatureCoords SET y = ?', math.nan),
            'SRC/aflw/data/aflw.sqlite: NULL is no number (FeatureCoords, '
            'landmark 1 of face 40); correct or remove that row',
        ),
        'database: infinite': (
            lambda t: t.change('FeatureCoords SET y = ?', math.inf),
            'SRC/aflw/data/aflw.sqlite: inf is no number (FeatureCoords, '
            'landmark 1 of face 40); correct or remove that row',
        ),
        'database: text': (
            lambda t: t.change('FeatureCoords SET x = ?', '12,5'),
            "SRC/aflw/data/aflw.sqlite: '12,5' is no number (FeatureCoords, "
            'landmark 1 of face 40); correct or remove that row',
        ),
        'database: text for an angle': (
            lambda t: t.change('FacePose SET yaw = ?', 'left'),
            "SRC/aflw/data/aflw.sqlite: 'left' is no number (FacePose, face "
            '40); correct or remove that row',
        ),
        'database: text for a rectangle': (
            lambda t: t.change('FaceRect SET w = ?', 'wide'),
            "SRC/aflw/data/aflw.sqlite: 'wide' is no number (FaceRect, face "
            '40); correct or remove that row',
        ),
        'database: text for a face': (
            lambda t: t.insert('Faces', ('mine', AFLW_TRAIN, 'flickr')),
            "SRC/aflw/data/aflw.sqlite: 'mine' is no face_id (Faces); correct "
            'or remove that row',
        ),
        'database: path out of the folder': (
            lambda t: t.change('FaceImages SET filepath = ?', '../a.jpg'),
            "SRC/aflw/data/aflw.sqlite: filepath '../a.jpg' in FaceImages is "
            'no path like 3/image00035.jpg; correct it',
        ),
        'no folder of images': (
            lambda t: shutil.rmtree(t.data / 'flickr'),
            'SRC: holds none of the images of aflw.sqlite, such as '
            'flickr/3/image00001.jpg; unpack aflw-images-0, -2 and -3 there',
        ),
        'too many images missing': (
            lambda t: (t.data / 'flickr/3' / AFLW_TRAIN).unlink(),
            'SRC: 2 of 4 faces are left out because each has no image, for '
            'example 3/image00002.jpg; unpack aflw-images-0, -2 and -3 again, '
            'or allow more than 5 % with --max-missing',
        ),
        'images scaled': (
            lambda t: t.run('UPDATE FaceImages SET width = 128, height = 96'),
            'SRC: 4 of 4 faces are left out because each has an image of '
            'another size, for example 3/image00001.jpg; unpack '
            'aflw-images-0, -2 and -3 again, or allow more than 5 % with '
            '--max-missing',
        ),
        'image cut short': (
            lambda t: cut(t, f'{PHOTOS}/{AFLW_TRAIN}'),
            'SRC/aflw/data/flickr/3/image00002.jpg: is not a readable image; '
            'replace it or remove it together with its keypoints',
        ),
        'image unreadable': (
            lambda t: write(t, f'{PHOTOS}/{AFLW_TRAIN}', b'no image'),
            'SRC/aflw/data/flickr/3/image00002.jpg: is not a readable image; '
            'replace it or remove it together with its keypoints',
        ),
        'nothing left': (
            lambda t: t.run('DELETE FROM FeatureCoords'),
            'SRC/aflw/data/aflw.sqlite: no face is left of 4; lower '
            '--min-points or complete the images',
        ),
    },
    'helen194': {
        'source is missing': (
            lambda t: shutil.rmtree(t.src),
            'SRC: no such folder; name the folder of the data set',
        ),
        'no annotation': (
            lambda t: shutil.rmtree(t.src / 'annotation'),
            'SRC/annotation: no such folder; name the folder of 1.txt ... '
            'with --marks',
        ),
        'no files of keypoints': (
            lambda t: [p.rename(f'{p}.old') for p in t.src.rglob('*.txt')],
            'SRC/annotation: holds no files 1.txt ...; name the folder that '
            'holds them with --marks',
        ),
        'no images': (
            lambda t: [p.unlink() for p in t.src.rglob('*.jpg')],
            'SRC: holds no folders of images; name the folder that holds '
            'train_1 ... and test',
        ),
        'other images': (
            lambda t: [p.rename(f'{p}.png') for p in t.src.rglob('*.jpg')],
            'SRC: holds none of the images of SRC/annotation, such as 10_1; '
            'unpack them there',
        ),
        'image twice': (
            lambda t: shutil.copy(t.src / 'test/30_1.jpg', t.src / 'train_1'),
            'SRC/train_1/30_1.jpg: has the name of SRC/test/30_1.jpg; remove '
            'one of the two',
        ),
        'image cut short': (
            lambda t: cut(t, 'test/30_1.jpg'),
            'SRC/test/30_1.jpg: is not a readable image; '
            'replace it or remove it together with its keypoints',
        ),
        'image unreadable': (
            lambda t: write(t, 'test/30_1.jpg', b'no image'),
            'SRC/test/30_1.jpg: is not a readable image; replace it or remove '
            'it together with its keypoints',
        ),
        'keypoints: image out of the folder': (
            lambda t: annotate(t, 3, '../30_1', helen_marks()),
            'SRC/annotation/3.txt: names ../30_1, which leads out of the '
            'folders of images; correct its first line',
        ),
        'keypoints: same image': (
            lambda t: annotate(t, 7, '30_1.jpg', helen_marks()),
            'SRC/annotation/7.txt: marks the same image as 3.txt; remove one '
            'of the two',
        ),
        'keypoints: too few points': (
            lambda t: annotate(t, 2, '9_2', helen_marks()[:193]),
            'SRC/annotation/2.txt: has 193 points where 194 are expected; '
            'repair or remove it',
        ),
        'keypoints: words': (
            lambda t: write(t, 'annotation/2.txt', b'9_2\n1 , x'),
            "SRC/annotation/2.txt: '1   x' is not a pair of numbers; repair "
            'or remove it',
        ),
        'keypoints: infinite': (
            lambda t: write(t, 'annotation/2.txt', b'9_2\n1 , inf'),
            "SRC/annotation/2.txt: '1   inf' is not finite; repair or remove "
            'it',
        ),
        'keypoints: in one point': (
            lambda t: annotate(t, 2, '9_2', helen_marks() * 0),
            'SRC/annotation/2.txt: the box around the keypoints is empty; '
            'repair or remove it',
        ),
        'keypoints: empty file': (
            lambda t: write(t, 'annotation/2.txt', b'\n'),
            'SRC/annotation/2.txt: is empty; repair or remove it',
        ),
    },
    'lfw': {
        'source is missing': (
            lambda t: shutil.rmtree(t.src),
            'SRC: no such folder; name the folder of the data set',
        ),
        'no images': (
            lambda t: [p.unlink() for p in t.src.rglob('*.jpg')],
            "SRC: holds no images; name the folder that holds the people's "
            'folders',
        ),
        'no keypoints': (
            lambda t: None,
            'SRC: holds no .pts files of the images; name the list of '
            'keypoints, or the folder of .pts files, with --marks',
        ),
        'list is missing': (
            lambda t: ('--marks', t.src / 'nowhere.txt'),
            'SRC/nowhere.txt: no such file; name the list of keypoints, or '
            'the folder of .pts files, with --marks',
        ),
        'list is no text': (
            lambda t: rows(t, b'\xff\xd8\xff\xe0'),
            'TOP/list.csv: is no text in UTF-8; name a list of keypoints',
        ),
        'form of files for a list': (
            lambda t: rows(t, LFW_GOOD, '--marks-form', 'pts'),
            'TOP/list.csv: is a file, which does not go with --marks-form '
            'pts; name another one',
        ),
        'form of lists for files': (
            lambda t: ('--marks-form', 'five'),
            'SRC: is a folder, which does not go with --marks-form five; name '
            'another one',
        ),
        'another form': (
            lambda t: rows(t, LFW_GOOD, '--marks-form', 'ten'),
            'TOP/list.csv: has 14 numbers in a row, which is not the form '
            'ten; name another --marks-form',
        ),
        'nobody has so many': (
            lambda t: rows(t, LFW_GOOD, '--min-images', '3'),
            'SRC: nobody has 3 images with keypoints; lower --min-images',
        ),
        'keypoints: five points': (
            lambda t: write(t, LFW_PTS, b'1 2\n' * 5),
            'SRC/Ann_Lee/Ann_Lee_0001.pts: has 5 points where 68 are '
            'expected; repair or remove it',
        ),
        'keypoints: words': (
            lambda t: write(t, LFW_PTS, b'x 2\n' * 7),
            "SRC/Ann_Lee/Ann_Lee_0001.pts: 'x 2' is not a pair of numbers; "
            'repair or remove it',
        ),
        'keypoints: in one point': (
            lambda t: write(t, LFW_PTS, b'1 2\n' * 7),
            'SRC/Ann_Lee/Ann_Lee_0001.pts: the box around the keypoints is '
            'empty; repair or remove it',
        ),
        'image cut short': (
            cut_with_list,
            'SRC/Ann_Lee/Ann_Lee_0001.jpg: is not a readable image; '
            'replace it or remove it together with its keypoints',
        ),
        'image unreadable': (
            with_list,
            'SRC/Ann_Lee/Ann_Lee_0001.jpg: is not a readable image; replace '
            'it or remove it together with its keypoints',
        ),
        'list: image out of the folder': (
            lambda t: rows(t, LFW_GOOD + lfw_seven('../Eve/Eve_0001.jpg')),
            'TOP/list.csv: line 3: ../Eve/Eve_0001.jpg leads out of the '
            'folder of images; correct or remove the line',
        ),
        'list: number missing': (
            lambda t: rows(t, LFW_HEADER + BOB_ROW + f'{LFW_ANN_1} 1 2'),
            'TOP/list.csv: line 9: has 2 numbers where 14 are expected; '
            'correct or remove the line',
        ),
        'list: first row short': (
            lambda t: rows(t, lfw_row(LFW_BOB, range(9))),
            'TOP/list.csv: line 1: has 9 numbers where 10 or 14 or 18 or 26 '
            'are expected; correct or remove the line',
        ),
        'list: name only': (
            lambda t: rows(t, LFW_BOB),
            'TOP/list.csv: line 1: has 0 numbers where 10 or 14 or 18 or 26 '
            'are expected; correct or remove the line',
        ),
        'list: text': (
            lambda t: rows(t, BOB_ROW.replace('32.5', '32.5px')),
            "TOP/list.csv: line 1: '32.5px' is not a finite number; correct "
            'or remove the line',
        ),
        'list: NaN': (
            lambda t: rows(t, LFW_GOOD + BOB_ROW.replace('32.5', 'nan')),
            "TOP/list.csv: line 3: 'nan' is not a finite number; correct or "
            'remove the line',
        ),
        'list: infinite': (
            lambda t: rows(t, BOB_ROW.replace('32.5', '-inf') + LFW_GOOD),
            "TOP/list.csv: line 1: '-inf' is not a finite number; correct or "
            'remove the line',
        ),
        'list: in one point': (
            lambda t: rows(t, LFW_GOOD + lfw_row(LFW_BOB, [20] * 14)),
            'TOP/list.csv: line 3: the box around the keypoints is empty; '
            'repair or remove it',
        ),
        'list: image twice': (
            lambda t: rows(t, LFW_GOOD + lfw_seven(LFW_ANN_1, 1)),
            'TOP/list.csv: line 3: marks the same image as line 1; keep one '
            'of the two',
        ),
        'list: image twice by other names': (
            lambda t: rows(t, LFW_GOOD + lfw_seven(f'lfw/{LFW_ANN_1}')),
            'TOP/list.csv: line 3: marks the same image as line 1; keep one '
            'of the two',
        ),
        'list: not ten points': (
            lambda t: rows(t, lfw_ten(LFW_BOB).replace('10 10', '11 10')),
            'TOP/list.csv: line 1: says 11 points where 10 are expected; '
            'correct or remove the line',
        ),
        'list: right before left': (
            lambda t: rows(t, lfw_row(LFW_BOB, SEVEN[[3, 2, 1, 0, 4, 6, 5]])),
            'TOP/list.csv: in 100% of the faces the keypoints are not in '
            'order, the left of the image first and the mouth below the '
            'eyes; change their order, or name another --marks-form',
        ),
        'list: eyes last': (
            lambda t: rows(t, lfw_row(LFW_BOB, SEVEN[[5, 6, 4, 0, 3]])),
            'TOP/list.csv: in 100% of the faces the keypoints are not in '
            'order, the left of the image first and the mouth below the '
            'eyes; change their order, or name another --marks-form',
        ),
        'list: other images': (
            lambda t: rows(t, lfw_seven('Cay/Cay_0001.jpg')),
            'TOP/list.csv: names none of the images, such as '
            'Ann_Lee/Ann_Lee_0001.jpg; name the list that belongs to them',
        ),
        'list: no rows': (
            lambda t: rows(t, LFW_HEADER),
            'TOP/list.csv: holds no keypoints; name a list of keypoints',
        ),
        'list: empty file': (
            lambda t: rows(t, ''),
            'TOP/list.csv: holds no keypoints; name a list of keypoints',
        ),
    },
    'frames': {
        'source is missing': (
            lambda t: shutil.rmtree(t.src),
            'SRC: no such folder; name the folder of the data set',
        ),
        'no images': (
            lambda t: [p.unlink() for p in t.src.rglob('*.jpg')],
            'SRC: holds no images and no folders of images; name the folder '
            'that holds the frames or their folders',
        ),
        'no keypoints': (
            lambda t: [p.unlink() for p in (t.src / 'one').glob('*.pts')],
            'SRC/one: holds no .pts files; add them, or name the folder that '
            'holds them with --marks',
        ),
        'no folder of keypoints': (
            lambda t: ('--marks', t.src / 'marks'),
            'SRC/marks/one: no such folder; add the keypoints of SRC/one, or '
            'name the folder that holds them with --marks',
        ),
        'keypoints without image': (
            lambda t: (t.src / 'one/f_00001.jpg').unlink(),
            'SRC/one/f_00001.pts: has no image in SRC/one; add the image or '
            'remove the keypoints',
        ),
        'keypoints: too few points': (
            lambda t: write(t, 'one/f_00001.pts', b'1 2\n3 4\n'),
            'SRC/one/f_00001.pts: has 2 points where 68 are expected; repair '
            'or remove it',
        ),
        'keypoints: in one point': (
            lambda t: write(t, 'one/f_00001.pts', b'1 2\n' * 68),
            'SRC/one/f_00001.pts: the box around the keypoints is empty; '
            'repair or remove it',
        ),
        'image cut short': (
            lambda t: cut(t, 'two/f_00001.jpg'),
            'SRC/two/f_00001.jpg: is not a readable image; '
            'replace it or remove it together with its keypoints',
        ),
        'image unreadable': (
            lambda t: write(t, 'two/f_00001.jpg', b'no image'),
            'SRC/two/f_00001.jpg: is not a readable image; replace it or '
            'remove it together with its keypoints',
        ),
        'order not clear': (
            lambda t: fill_video(t.src / 'one', order='fgnet'),
            'SRC: it is not clear in which order the keypoints are (50% of '
            'the frames show a face in that of iBUG, 50% in that of FGNET); '
            'name it with --order',
        ),
        'more points than FGNET gives': (
            lambda t: ('--order', 'fgnet', '--points', 68),
            'SRC: has keypoints in the order of FGNET, which give seven '
            'points only; choose --points 7, or name --order ibug if they '
            'are in that order',
        ),
        'list: unknown video': (
            lambda t: clips(t, 'video,subject\none,A\ntwo,B\nsix,C\n'),
            'TOP/list.csv: names the video six, which is not in the source; '
            'add the video or remove the row',
        ),
        'list: video not listed': (
            lambda t: clips(t, 'video,subject\none,A\n'),
            'TOP/list.csv: has no row for the video two; add a row or remove '
            'the video',
        ),
        'list: category is a word': (
            lambda t: clips(t, 'video,subject,category\none,A,\ntwo,B,hard\n'),
            "TOP/list.csv: the category 'hard' of two is not a whole number; "
            'correct it or leave it empty',
        ),
        'list: subject on both sides': (
            lambda t: clips(t, HEADER + 'one,A,train\ntwo,A,test\n'),
            'TOP/list.csv: the subject A is in both train and test; keep it '
            'on one side',
        ),
        'list: split missing': (
            lambda t: clips(t, HEADER + 'one,A,train\ntwo,B,\n'),
            'TOP/list.csv: row 2 has no split; fill it in',
        ),
    },
}

CASES = [(name, case) for name, cases in BROKEN.items() for case in cases]


@pytest.mark.parametrize(('converter', 'case'), CASES)
def test_broken_input_is_one_sentence(
    request, monkeypatch, capsys, converter, case
):
    change, says = BROKEN[converter][case]
    tree = request.getfixturevalue(SOURCES[converter])
    made = change(tree)
    options = made if isinstance(made, tuple) else ()
    module = importlib.import_module(f'data_converters.convert_{converter}')
    arguments = [module.__name__, tree.src, tree.dst, *options]
    monkeypatch.setattr(sys, 'argv', [str(each) for each in arguments])
    with pytest.raises(SystemExit) as caught:
        module.main()
    assert caught.value.code == 2
    # Decoders in C may say more, beside Python; that is not looked at.
    places = {'SRC': str(tree.src), 'TOP': str(tree.src.parent)}
    sentence = re.sub('SRC|TOP', lambda found: places[found[0]], says)
    assert capsys.readouterr().err == f'error: {sentence}\n'
    assert tree.left_behind() == []


def test_every_message_has_a_hint():
    sentences = [BROKEN[name][case][1] for name, case in CASES]
    assert len(sentences) >= 25
    for says in sentences:
        what, _, hint = says.partition('; ')
        assert what and hint and '\n' not in says
