"""Source folders in the layouts of the data sets, for the converters."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

import cv2
import numpy as np

from data_converters.convert_frames import SEVEN_OF_FGNET
from data_converters.schema import SEVEN_OF_68

# Eye corners, nose, mouth corners of one face; an image is 64 x 48.
SEVEN = np.array(
    [[20, 15], [26, 16], [36, 16], [42, 15], [31, 24], [24, 32], [38, 32.5]]
)


def write_picture(path, size=(64, 48)) -> None:
    """A gray image of this width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


# -- folders of frames and .pts files ----------------------------------------

PLACES_OF_SEVEN = {'ibug': SEVEN_OF_68, 'fgnet': SEVEN_OF_FGNET}


def face68(order: str, shift: float = 0) -> np.ndarray:
    """A face of 68 keypoints, the others at (10, 40) and (50, 40)."""
    x = np.where(np.arange(68) % 2, 50.0, 10.0)
    points = np.stack([x, np.full(68, 40)], axis=1)
    points[list(PLACES_OF_SEVEN[order])] = SEVEN
    return points + shift


def write_frame(folder, stem: str, points: np.ndarray, suffix='.jpg', base=0):
    """A frame and its keypoints."""
    write_picture(folder / f'{stem}{suffix}')
    rows = [f'{x} {y}' for x, y in points + base]
    (folder / f'{stem}.pts').write_text('\n'.join(rows))


def fill_video(folder, frames=2, order='ibug'):
    """A video, its frames shifted by a pixel from each to the next."""
    for i in range(frames):
        points = face68(order, i)
        write_frame(folder, f'f_{i:05d}', points, base=int(order == 'ibug'))


# -- Helen ------------------------------------------------------------------


def helen_marks(shift: float = 0) -> np.ndarray:
    """194 keypoints from corner to corner of the box (10, 5) to (50, 45)."""
    line = np.linspace(0, 40, 194)
    return np.stack([line + 10, line + 5], axis=1).round(2) + shift


def annotate_helen(folder, number: int, name: str, points: np.ndarray) -> None:
    """A file as released: CRLF, the name, then pairs with a comma."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [name, *(f'{x:g} , {y:g}' for x, y in points)]
    (folder / f'{number}.txt').write_bytes('\r\n'.join(rows).encode())


# -- LFW --------------------------------------------------------------------

LFW_ANN_1, LFW_ANN_2 = 'Ann_Lee/Ann_Lee_0001.jpg', 'Ann_Lee/Ann_Lee_0002.jpg'
LFW_BOB = 'Bob_St_John/Bob_St_John_0003.jpg'
LFW_NAMES = (LFW_ANN_1, LFW_ANN_2, LFW_BOB)

LFW_HEADER = """\
# LFW Facial Feature Point annotation v1.0
# image dataset: lfw.tgz
# image_name face_bbox_x face_bbox_y num_facial_features left_eye_left_x
left_eye_left_y left_eye_right_x left_eye_right_y mouth_left_x mouth_left_y
# author
# copyright

"""


def lfw_row(name: str, numbers) -> str:
    return ' '.join([name, *(f'{n:g}' for n in np.ravel(numbers))]) + ' \n'


def lfw_ten(name: str) -> str:
    """A row of Dantone's list, its box at (10, 5)."""
    eyes, mouth = SEVEN[:4], SEVEN[5:]
    lips, nostrils = [[31, 36], [31, 30]], [[28, 24], [34, 24]]
    order = [*eyes[:2], *mouth, *lips, *eyes[2:], *nostrils]
    return lfw_row(
        name, [10, 5, 40, 40, -1, 10, *np.ravel(order) - [10, 5] * 10]
    )


def lfw_seven(name: str, shift: float = 0) -> str:
    return lfw_row(name, SEVEN + shift)


LFW_GOOD = ''.join(map(lfw_seven, LFW_NAMES[:2]))


# -- AFLW -------------------------------------------------------------------

# The tables of the release, without the ones that are not read.
AFLW_TABLES = """
CREATE TABLE Databases (db_id TEXT, path TEXT, description TEXT);
CREATE TABLE Faces (face_id INTEGER, file_id TEXT, db_id TEXT);
CREATE TABLE FaceImages (image_id INTEGER, db_id TEXT, file_id TEXT,
    filepath TEXT, bw INTEGER, width INTEGER, height INTEGER);
CREATE TABLE FaceRect (face_id INTEGER, x INTEGER, y INTEGER, w INTEGER,
    h INTEGER, annot_type_id INTEGER);
CREATE TABLE FaceEllipse (face_id INTEGER, x REAL, y REAL, ra REAL, rb REAL,
    theta REAL, annot_type_id INTEGER, upsidedown INTEGER);
CREATE TABLE FacePose (face_id INTEGER, roll REAL, pitch REAL, yaw REAL,
    annot_type_id INTEGER);
CREATE TABLE FaceMetaData (face_id INTEGER, sex TEXT, occluded INTEGER,
    glasses INTEGER, bw INTEGER, annot_type_id INTEGER);
CREATE TABLE FeatureCoords (face_id INTEGER, feature_id INTEGER, x, y,
    annot_type_id INTEGER);
CREATE TABLE FeatureCoordTypes (feature_id INTEGER, descr TEXT, code TEXT);
"""

AFLW_FEATURES = range(1, 22)

# By the rule of the split: image00002 and image00004 are for training,
# image00001 and image00003 for testing.
AFLW_TRAIN, AFLW_TRAIN_2 = 'image00002.jpg', 'image00004.jpg'
AFLW_TEST = 'image00001.jpg'


def aflw_mark(feature_id: int, shift: float = 0.0) -> tuple[float, float]:
    """Features 1..21 run from (11, 10.5) to (31, 20.5)."""
    return 10 + feature_id + shift, 10 + feature_id / 2 + shift


class Aflw:
    """A miniature AFLW as released: data/aflw.sqlite and data/flickr."""

    def __init__(self, tree) -> None:
        self.src, self.dst = tree.src, tree.dst
        self.left_behind = tree.left_behind
        self.data = self.src / 'aflw' / 'data'
        self.data.mkdir(parents=True)
        self.database = self.data / 'aflw.sqlite'
        self.run(AFLW_TABLES)

    @contextmanager
    def write(self):
        connection = sqlite3.connect(self.database)
        # Tests need no database that survives a power cut.
        connection.execute('PRAGMA synchronous = OFF')
        yield connection
        connection.commit()
        connection.close()

    def run(self, script: str) -> None:
        with self.write() as connection:
            connection.executescript(script)

    def insert(self, table: str, *rows) -> None:
        marks = ', '.join('?' * len(rows[0]))
        with self.write() as connection:
            connection.executemany(
                f'INSERT INTO {table} VALUES ({marks})', rows
            )

    def change(self, what: str, value) -> None:
        with self.write() as connection:
            connection.execute(f'UPDATE {what}', [value])

    def photo(self, name: str, folder: str = '3', size=(64, 48)) -> None:
        write_picture(self.data / 'flickr' / folder / name, size)
        row = (1, 'flickr', name, f'{folder}/{name}', 0, 64, 48)
        self.insert('FaceImages', row)

    def face(
        self,
        face_id,
        photo,
        features=AFLW_FEATURES,
        shift=0.0,
        yaw=0.25,
        rect=True,
    ) -> None:
        self.insert('Faces', (face_id, photo, 'flickr'))
        rows = [(face_id, i, *aflw_mark(i, shift), 0) for i in features]
        if rows:
            self.insert('FeatureCoords', *rows)
        if rect:
            self.insert('FaceRect', (face_id, 5, 6, 40, 10, 1))
        if yaw is not None:
            self.insert('FacePose', (face_id, 0.5, -0.1, yaw, 1))


# -- 300-W ------------------------------------------------------------------

SPLIT_OF_STILLS = (
    'file,split\nafw/7_1.jpg,train\nafw/7_2.jpg,train\n'
    'lfpw/image_0001.PNG,val\nsingle.jpeg,val\n'
)
