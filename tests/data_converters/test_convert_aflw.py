from __future__ import annotations

import math
import shutil
import sqlite3
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from data_converters.convert_aflw import convert, split_of, yaw_group
from data_converters.errors import DataError
from data_converters.schema import NAMES_21

# The tables of the release, without the ones that are not read.
SCHEMA = """
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

ALL = range(1, 22)

# By the rule of the split: image00002 and image00004 are for training,
# image00001 and image00003 for testing.
TRAIN, TRAIN_2, TEST = 'image00002.jpg', 'image00004.jpg', 'image00001.jpg'


def mark(feature_id: int, shift: float = 0.0) -> tuple[float, float]:
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
        self.run(SCHEMA)

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
        path = self.data / 'flickr' / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = size
        cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
        row = (1, 'flickr', name, f'{folder}/{name}', 0, 64, 48)
        self.insert('FaceImages', row)

    def face(
        self, face_id, photo, features=ALL, shift=0.0, yaw=0.25, rect=True
    ) -> None:
        self.insert('Faces', (face_id, photo, 'flickr'))
        rows = [(face_id, i, *mark(i, shift), 0) for i in features]
        if rows:
            self.insert('FeatureCoords', *rows)
        if rect:
            self.insert('FaceRect', (face_id, 5, 6, 40, 10, 1))
        if yaw is not None:
            self.insert('FacePose', (face_id, 0.5, -0.1, yaw, 1))


@pytest.fixture
def aflw(tree):
    """Two photos for training, one with two faces, and one for testing."""
    source = Aflw(tree)
    for name in (TRAIN_2, TRAIN, TEST):
        source.photo(name)
    source.face(40, TRAIN)
    # A profile without the right half, 10 marks; no rectangle.
    profile = [*range(1, 4), *range(7, 10), 13, 14, 15, 18]
    source.face(39, TRAIN, profile, shift=0.5, yaw=-1.0, rect=False)
    source.face(41, TRAIN_2, yaw=None)
    source.face(42, TEST, yaw=1.8)
    return source


def keypoints(annotation: dict) -> np.ndarray:
    return np.array(annotation['keypoints']).reshape(-1, 3)


def test_whole_conversion(aflw, load, capsys):
    before = {p: p.read_bytes() for p in aflw.src.rglob('*.*') if p.is_file()}
    written = convert(aflw.src, aflw.dst)
    assert written == {
        side: aflw.dst / 'annotations' / f'aflw_{side}.json'
        for side in ('train', 'test')
    }
    train, test = load(written['train']), load(written['test'])
    names = [f'images/3/{name}' for name in (TRAIN, TRAIN_2)]
    assert [i['file_name'] for i in train['images']] == names
    assert [i['file_name'] for i in test['images']] == [f'images/3/{TEST}']
    for image in train['images'] + test['images']:
        assert (image['width'], image['height']) == (64, 48)
        assert (aflw.dst / image['file_name']).is_file()

    faces = train['annotations']
    assert [a['face_id'] for a in faces] == [39, 40, 41]
    assert [a['image_id'] for a in faces] == [1, 1, 2]
    profile, frontal, no_pose = faces
    # Features 1..21 in order, taken as they are (0-based).
    expected = [[*mark(feature), 2] for feature in ALL]
    np.testing.assert_array_equal(keypoints(frontal), expected)
    assert frontal['num_keypoints'] == 21
    # x 11..31, y 10.5..20.5; the rectangle is 40 x 10, root of 400.
    assert frontal['bbox'] == [11, 10.5, 20, 10]
    assert frontal['box_size'] == 20
    # 0.25, -0.1 and 0.5 rad.
    angles = [frontal[name] for name in ('yaw', 'pitch', 'roll')]
    assert angles == [14.3239, -5.7296, 28.6479]

    hidden = [3, 4, 5, 9, 10, 11, 15, 16, 18, 19, 20]
    assert profile['num_keypoints'] == 10
    assert (keypoints(profile)[hidden] == 0).all()
    assert (np.delete(keypoints(profile), hidden, 0)[:, 2] == 2).all()
    # Features 1..18, 0.5 further: x 11.5..28.5, y 11..19.5; no rectangle.
    assert profile['bbox'] == [11.5, 11, 17, 8.5]
    assert profile['box_size'] == round(math.sqrt(17 * 8.5), 4)
    assert profile['yaw'] == -57.2958
    assert 'yaw' not in no_pose and 'roll' not in no_pose

    info = train['info']
    assert info['protocol'] == 'aflw' and info['base'] == 0
    assert info['counts']['images'] == 2
    assert info['counts']['annotations'] == 3
    assert info['yaw_groups'] == {'[0, 30]': 1, '(30, 90]': 1, 'other': 1}
    assert train['categories'][0]['keypoints'] == list(NAMES_21)

    printed = capsys.readouterr().out
    assert 'train: 2 images, 3 faces, |yaw| [0, 30]: 1, ' in printed
    # 1.8 rad are 103 degrees.
    assert 'test: 1 images, 1 faces, |yaw| [0, 30]: 0, ' in printed
    assert 'left out' not in printed
    # Nothing of the source has changed, and no file has come.
    after = {p: p.read_bytes() for p in aflw.src.rglob('*.*') if p.is_file()}
    assert after == before


def test_seven_points(aflw, load):
    written = convert(aflw.src, aflw.dst, points=7)
    profile, frontal, _ = load(written['train'])['annotations']
    features = (7, 9, 10, 12, 15, 18, 20)
    expected = [[*mark(feature), 2] for feature in features]
    np.testing.assert_array_equal(keypoints(frontal), expected)
    # Left eye's corners, nose and left corner of the mouth.
    assert keypoints(profile)[:, 2].tolist() == [2, 2, 0, 0, 2, 2, 0]
    # Of the seven marks: x 17..30, y 13.5..20.
    assert frontal['bbox'] == [17, 13.5, 13, 6.5]
    assert frontal['box_size'] == 20


def test_split_is_fixed_and_a_fifth():
    # The CRC-32 of 'image00002.jpg' is 1652104742, no multiple of 5; that
    # of 'image00001.jpg' is 635004150, a multiple.
    assert [split_of(name) for name in (TRAIN, TEST)] == ['train', 'test']
    assert split_of(f'0/{TEST}') == split_of(f'3/{TEST}')
    names = [f'image{i:05d}.jpg' for i in range(20000)]
    share = sum(split_of(name) == 'test' for name in names) / len(names)
    assert 0.19 < share < 0.21


def test_yaw_groups():
    yaws = (0, -30, 30.0001, -90, 91)
    groups = [yaw_group(dict(yaw=yaw)) for yaw in yaws]
    first, second, other = '[0, 30]', '(30, 90]', 'other'
    assert groups == [first, first, second, second, other]
    assert yaw_group(None) == other


def test_order_of_rows_does_not_matter(aflw, load):
    written = convert(aflw.src, aflw.dst)
    before = {side: path.read_bytes() for side, path in written.items()}
    for table in ('Faces', 'FaceImages', 'FeatureCoords', 'FacePose'):
        aflw.run(
            f'CREATE TABLE t AS SELECT * FROM {table} ORDER BY rowid DESC;'
            f'DROP TABLE {table}; ALTER TABLE t RENAME TO {table};'
        )
    again = convert(aflw.src, aflw.dst)
    assert {s: path.read_bytes() for s, path in again.items()} == before


def side_by_side(aflw: Aflw) -> None:
    """aflw-db and aflw-images-* unpacked beside each other."""
    aflw.photo('image00006.jpg', folder='0')
    aflw.face(50, 'image00006.jpg')
    for folder in '0', '3':
        target = aflw.src / f'aflw-images-{folder}' / 'aflw/data/flickr'
        target.mkdir(parents=True)
        shutil.move(str(aflw.data / 'flickr' / folder), target)
    (aflw.src / 'aflw-db').mkdir()
    shutil.move(str(aflw.src / 'aflw'), aflw.src / 'aflw-db')


def plain(aflw: Aflw) -> None:
    """aflw.sqlite and the folders of photos in the source itself."""
    shutil.move(str(aflw.database), aflw.src)
    shutil.move(str(aflw.data / 'flickr' / '3'), aflw.src)


def one_folder_in_two(aflw: Aflw) -> None:
    """A half of folder 3 unpacked elsewhere."""
    other = aflw.src / 'more' / 'flickr' / '3'
    other.mkdir(parents=True)
    shutil.move(str(aflw.data / 'flickr' / '3' / TRAIN), other)


@pytest.mark.parametrize('mode', ['link', 'copy'])
@pytest.mark.parametrize('change', [side_by_side, plain, one_folder_in_two])
def test_layouts_and_modes(aflw, load, change, mode):
    # What an earlier run linked must not become a way into the source.
    convert(aflw.src, aflw.dst)
    change(aflw)
    before = sorted(aflw.src.rglob('*'))
    data = load(convert(aflw.src, aflw.dst, images=mode)['train'])
    assert sorted(aflw.src.rglob('*')) == before
    names = [i['file_name'] for i in data['images']]
    assert f'images/3/{TRAIN}' in names and f'images/3/{TRAIN_2}' in names
    assert ('images/0/image00006.jpg' in names) == (change is side_by_side)
    for name in names:
        path = aflw.dst / name
        assert path.is_file()
        inside = aflw.src.resolve() in path.resolve().parents
        assert inside == (mode == 'link')


def test_what_is_left_out_is_counted(aflw, load, capsys):
    aflw.face(51, TRAIN_2, range(1, 7), shift=5)  # six marks
    aflw.face(52, TRAIN_2, ())  # none
    aflw.face(53, 'image09999.jpg')  # no row in FaceImages
    gone = 'image00008.jpg'
    aflw.insert('FaceImages', (9, 'flickr', gone, f'3/{gone}', 0, 64, 48))
    aflw.face(54, gone)  # no file
    aflw.photo('image00007.jpg', size=(48, 64))
    aflw.face(55, 'image00007.jpg')  # turned
    aflw.face(56, TRAIN)  # as face 40
    # A row again, and one that says something else; the first counts.
    aflw.insert('FeatureCoords', (40, 1, *mark(1), 0))
    aflw.insert('FeatureCoords', (40, 2, 1.0, 1.0, 1))
    aflw.insert('FaceRect', (40, 1, 1, 1, 1, 2))
    # As the annotation tool writes what is not set; other data sets' marks.
    aflw.insert('FeatureCoords', (39, 20, -1.0, -1.0, 0))
    aflw.insert('FeatureCoords', (39, 30, 1.0, 1.0, 0))
    aflw.insert('FacePose', (41, *[-2 * math.pi] * 3, 0))
    written = convert(aflw.src, aflw.dst, max_missing=50)
    data = load(written['train'])
    assert [a['face_id'] for a in data['annotations']] == [39, 40, 41]
    profile, frontal, no_pose = data['annotations']
    np.testing.assert_array_equal(keypoints(frontal)[1], [*mark(2), 2])
    assert frontal['box_size'] == 20
    assert profile['num_keypoints'] == 10
    assert 'yaw' not in no_pose
    assert data['info']['left_out_of_all'] == {
        'no photo': 2,
        'photo of another size': 1,
        'fewer than 7 marks': 2,
        'the same face again': 1,
    }
    printed = capsys.readouterr().out
    assert '2 faces left out, no photo: face 53, 3/image00008.jpg' in printed
    assert '1 faces left out, photo of another size: 3/image00007' in printed
    assert f'2 faces left out, fewer than 7 marks: 3/{TRAIN_2}' in printed
    assert f'1 faces left out, the same face again: 3/{TRAIN}' in printed
    assert '3 repeated rows of the database left out' in printed


def test_first_kind_of_annotation_counts(aflw, load):
    # Type 0 before type 1, whatever the order of the rows: root of 9 * 4.
    aflw.insert('FaceRect', (40, 1, 1, 9, 4, 0))
    frontal = load(convert(aflw.src, aflw.dst)['train'])['annotations'][1]
    assert frontal['face_id'] == 40 and frontal['box_size'] == 6


def test_database_is_opened_to_read_only(aflw, monkeypatch):
    # Signs that mean something in a URI.
    aflw.data.rename(aflw.src / 'aflw' / 'my data #1?x=y%20')
    real, opened = sqlite3.connect, []

    def connect(*args, **kwargs):
        connection = real(*args, **kwargs)
        with pytest.raises(sqlite3.OperationalError, match='readonly'):
            connection.execute('CREATE TABLE mine (a)')
        opened.append(args)
        return connection

    monkeypatch.setattr(sqlite3, 'connect', connect)
    convert(aflw.src, aflw.dst)
    assert len(opened) == 1


def test_min_points(aflw, load):
    train = load(convert(aflw.src, aflw.dst, min_points=11)['train'])
    assert [a['face_id'] for a in train['annotations']] == [40, 41]
    assert train['info']['min_points'] == 11
    # The profile shows four of the seven.
    for fewest, faces in ((4, [39, 40, 41]), (5, [40, 41])):
        written = convert(aflw.src, aflw.dst, points=7, min_points=fewest)
        found = load(written['train'])['annotations']
        assert [a['face_id'] for a in found] == faces


def test_marks_on_a_line_are_no_face(aflw, load):
    aflw.insert('Faces', (60, TRAIN, 'flickr'))
    for feature in ALL:
        aflw.insert('FeatureCoords', (60, feature, 10.0 + feature, 20.0, 0))
    data = load(convert(aflw.src, aflw.dst)['train'])
    assert [a['face_id'] for a in data['annotations']] == [39, 40, 41]


def test_tables_without_annot_type(aflw, load):
    aflw.run(
        'CREATE TABLE t AS SELECT face_id, feature_id, x, y '
        'FROM FeatureCoords; DROP TABLE FeatureCoords; '
        'ALTER TABLE t RENAME TO featurecoords;'
    )
    data = load(convert(aflw.src, aflw.dst)['train'])
    assert len(data['annotations']) == 3


BROKEN = {
    'no database': (
        lambda a: a.database.unlink(),
        '',
        'holds no file aflw.sqlite; ',
    ),
    'two databases': (
        lambda a: shutil.copy(a.database, a.src),
        '',
        'holds 2 files aflw.sqlite; ',
    ),
    'not a database': (
        lambda a: a.database.write_bytes(b'<html>not found</html>' * 99),
        'aflw/data/aflw.sqlite',
        'cannot be read as an SQLite database (file is not a database); ',
    ),
    'cut off': (
        lambda a: a.database.write_bytes(a.database.read_bytes()[:5000]),
        'aflw/data/aflw.sqlite',
        'cannot be read as an SQLite database (database disk image is ',
    ),
    'empty file': (
        lambda a: a.database.write_bytes(b''),
        'aflw/data/aflw.sqlite',
        'has no table Faces; ',
    ),
    'missing table': (
        lambda a: a.run('DROP TABLE FeatureCoords'),
        'aflw/data/aflw.sqlite',
        'has no table FeatureCoords; ',
    ),
    'missing column': (
        lambda a: a.run('ALTER TABLE FaceRect RENAME w TO width'),
        'aflw/data/aflw.sqlite',
        'has no column w in FaceRect; ',
    ),
    'no faces': (
        lambda a: a.run('DELETE FROM Faces'),
        'aflw/data/aflw.sqlite',
        'has no faces; ',
    ),
    'NaN': (
        lambda a: a.change('FeatureCoords SET y = ?', math.nan),
        'aflw/data/aflw.sqlite',
        'NULL is no number (FeatureCoords, landmark 1 of face 40); ',
    ),
    'infinite': (
        lambda a: a.change('FeatureCoords SET y = ?', math.inf),
        'aflw/data/aflw.sqlite',
        'inf is no number (FeatureCoords, landmark 1 of face 40); ',
    ),
    'text': (
        lambda a: a.change('FeatureCoords SET x = ?', '12,5'),
        'aflw/data/aflw.sqlite',
        "'12,5' is no number (FeatureCoords, landmark 1 of face 40); ",
    ),
    'text for an angle': (
        lambda a: a.change('FacePose SET yaw = ?', 'left'),
        'aflw/data/aflw.sqlite',
        "'left' is no number (FacePose, face 40); ",
    ),
    'text for a rectangle': (
        lambda a: a.change('FaceRect SET w = ?', 'wide'),
        'aflw/data/aflw.sqlite',
        "'wide' is no number (FaceRect, face 40); ",
    ),
    'text for a face': (
        lambda a: a.insert('Faces', ('mine', TRAIN, 'flickr')),
        'aflw/data/aflw.sqlite',
        "'mine' is no face_id (Faces); ",
    ),
    'path out of the folder': (
        lambda a: a.change('FaceImages SET filepath = ?', f'../{TRAIN}'),
        'aflw/data/aflw.sqlite',
        f"filepath '../{TRAIN}' in FaceImages is no path like ",
    ),
    'no image folder': (
        lambda a: shutil.rmtree(a.data / 'flickr'),
        '',
        f'holds none of the photos of aflw.sqlite, such as flickr/3/{TEST}; ',
    ),
    'too many photos missing': (
        lambda a: (a.data / 'flickr' / '3' / TRAIN).unlink(),
        '',
        '2 of 4 faces are left out because each has no photo, for example '
        f'3/{TRAIN}; ',
    ),
    'photos scaled': (
        lambda a: a.run('UPDATE FaceImages SET width = 128, height = 96'),
        '',
        '4 of 4 faces are left out because each has a photo of another size',
    ),
    'unreadable photo': (
        lambda a: (a.data / 'flickr' / '3' / TRAIN).write_bytes(b'no image'),
        f'aflw/data/flickr/3/{TRAIN}',
        'is not a readable image; ',
    ),
    'nothing left': (
        lambda a: a.run('DELETE FROM FeatureCoords'),
        'aflw/data/aflw.sqlite',
        'no face is left of 4; ',
    ),
}


@pytest.mark.parametrize('case', BROKEN)
def test_broken_source_is_named(aflw, case):
    change, where, says = BROKEN[case]
    change(aflw)
    with pytest.raises(DataError) as caught:
        convert(aflw.src, aflw.dst)
    sentence = str(caught.value)
    assert sentence.startswith(f'{aflw.src / where}: ')
    assert says in sentence and '; ' in sentence and '\n' not in sentence
    assert aflw.left_behind() == []


def test_wrong_number_of_points(aflw):
    with pytest.raises(ValueError, match='neither 7 nor 21'):
        convert(aflw.src, aflw.dst, points=19)


def test_command_line(aflw, command_line):
    done = command_line('convert_aflw', aflw.src, aflw.dst, '--points', 7)
    assert done.returncode == 0, done.stderr
    assert 'train: 2 images, 3 faces' in done.stdout
    aflw.run('DROP TABLE Faces')
    done = command_line('convert_aflw', aflw.src, aflw.dst)
    assert done.returncode == 2
    assert done.stderr == (
        f'error: {aflw.database}: has no table Faces; '
        'unpack it again from aflw-db\n'
    )


def test_mmpose_reads_it_unchanged(aflw, load):
    from mmpose.datasets.datasets.face import AFLWDataset

    from rednet_mm.datasets.metainfo import FACE_21

    written = convert(aflw.src, aflw.dst)
    dataset = AFLWDataset(
        ann_file='annotations/aflw_train.json',
        data_root=str(aflw.dst),
        data_prefix=dict(img=''),
        metainfo=FACE_21,
        test_mode=True,
        pipeline=[dict(type='LoadImage')],
    )
    assert len(dataset) == 3
    for item, annotation in zip(
        dataset, load(written['train'])['annotations']
    ):
        assert item['img'].shape == (48, 64, 3)
        assert item['keypoints'].shape == (1, 21, 2)
        seen = keypoints(annotation)[:, 2] > 0
        np.testing.assert_array_equal(item['keypoints_visible'][0] > 0, seen)
        assert item['box_size'] == annotation['box_size']
        # Its box is a square of the larger side around the marks.
        x, y, w, h = annotation['bbox']
        left, top, right, bottom = item['bbox'][0]
        assert right - left == pytest.approx(max(w, h))
        assert (left + right) / 2 == pytest.approx(x + w / 2)
        assert (top + bottom) / 2 == pytest.approx(y + h / 2)


def test_real_photos(shared, tree, load):
    """Two photos of AFLW with the 19 of the 21 points that MMPose takes."""
    sample = shared / 'fixtures' / 'aflw_sample'
    aflw = Aflw(tree)
    folder = aflw.data / 'flickr' / '3'
    folder.mkdir(parents=True)
    source = load(sample / 'test_aflw.json')
    features = [i for i in ALL if i not in (13, 17)]  # without the ears
    for image, face in zip(source['images'], source['annotations']):
        name = image['file_name']
        (folder / name).symlink_to(sample / name)
        size = image['width'], image['height']
        aflw.insert('FaceImages', (1, 'flickr', name, f'3/{name}', 0, *size))
        aflw.insert('Faces', (face['id'], name, 'flickr'))
        for feature, (x, y, _) in zip(features, keypoints(face)):
            aflw.insert('FeatureCoords', (face['id'], feature, x, y, 0))
    written = convert(aflw.src, aflw.dst, points=7)
    faces = [f for path in written.values() for f in load(path)['annotations']]
    assert len(faces) == 2
    for face in faces:
        x, y = keypoints(face)[:, :2].T
        # The image's left before its right; eyes above nose above mouth.
        assert (np.diff(x[:4]) > 0).all() and x[5] < x[6]
        assert y[:4].max() < y[4] < y[5:].min()
        assert x[0] < x[4] < x[3]
