from __future__ import annotations

import math
import shutil
import sqlite3

import numpy as np
import pytest
from source_trees import (
    AFLW_FEATURES,
    AFLW_TEST,
    AFLW_TRAIN,
    AFLW_TRAIN_2,
    Aflw,
    aflw_mark,
)

from data_converters.convert_aflw import convert, split_of, yaw_group
from data_converters.schema import NAMES_21


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
    names = [f'images/3/{name}' for name in (AFLW_TRAIN, AFLW_TRAIN_2)]
    assert [i['file_name'] for i in train['images']] == names
    assert [i['file_name'] for i in test['images']] == [
        f'images/3/{AFLW_TEST}'
    ]
    for image in train['images'] + test['images']:
        assert (image['width'], image['height']) == (64, 48)
        assert (aflw.dst / image['file_name']).is_file()

    faces = train['annotations']
    assert [a['face_id'] for a in faces] == [39, 40, 41]
    assert [a['image_id'] for a in faces] == [1, 1, 2]
    profile, frontal, no_pose = faces
    # Features 1..21 in order, taken as they are (0-based).
    expected = [[*aflw_mark(feature), 2] for feature in AFLW_FEATURES]
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
    expected = [[*aflw_mark(feature), 2] for feature in features]
    np.testing.assert_array_equal(keypoints(frontal), expected)
    # Left eye's corners, nose and left corner of the mouth.
    assert keypoints(profile)[:, 2].tolist() == [2, 2, 0, 0, 2, 2, 0]
    # Of all 21 keypoints: x 11..31, y 10.5..20.5.
    assert frontal['bbox'] == [11, 10.5, 20, 10]
    assert frontal['box_size'] == 20


def test_seven_have_the_box_of_all(aflw, load):
    whole = load(convert(aflw.src, aflw.dst)['train'])['annotations']
    seven = convert(aflw.src, aflw.dst, points=7)['train']
    seven = load(seven)['annotations']
    assert [a['face_id'] for a in whole] == [a['face_id'] for a in seven]
    for one, other in zip(whole, seven):
        assert len(other['keypoints']) == 21 < len(one['keypoints'])
        # Face 39 has no rectangle: its size is that of the keypoints' box.
        for key in ('bbox', 'area', 'center', 'scale', 'box_size'):
            assert one[key] == other[key]


def test_one_of_the_seven_is_enough_if_wanted(aflw, load):
    # A brow and one eye corner: no box from that corner alone.
    aflw.face(61, AFLW_TRAIN_2, [1, 2, 3, 7], shift=5)
    written = convert(aflw.src, aflw.dst, points=7, min_points=1)
    *_, last = load(written['train'])['annotations']
    assert last['face_id'] == 61 and last['num_keypoints'] == 1
    # Features 1..7, 5 further: x 16..22, y 15.5..18.5.
    assert last['bbox'] == [16, 15.5, 6, 3]


def test_split_is_fixed_and_a_fifth():
    # The CRC-32 of 'image00002.jpg' is 1652104742, no multiple of 5; that
    # of 'image00001.jpg' is 635004150, a multiple.
    assert [split_of(name) for name in (AFLW_TRAIN, AFLW_TEST)] == [
        'train',
        'test',
    ]
    assert split_of(f'0/{AFLW_TEST}') == split_of(f'3/{AFLW_TEST}')
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
    """aflw.sqlite and the folders of images in the source itself."""
    shutil.move(str(aflw.database), aflw.src)
    shutil.move(str(aflw.data / 'flickr' / '3'), aflw.src)


def one_folder_in_two(aflw: Aflw) -> None:
    """A half of folder 3 unpacked elsewhere."""
    other = aflw.src / 'more' / 'flickr' / '3'
    other.mkdir(parents=True)
    shutil.move(str(aflw.data / 'flickr' / '3' / AFLW_TRAIN), other)


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
    assert (
        f'images/3/{AFLW_TRAIN}' in names
        and f'images/3/{AFLW_TRAIN_2}' in names
    )
    assert ('images/0/image00006.jpg' in names) == (change is side_by_side)
    for name in names:
        path = aflw.dst / name
        assert path.is_file()
        inside = aflw.src.resolve() in path.resolve().parents
        assert inside == (mode == 'link')


def test_what_is_left_out_is_counted(aflw, load, capsys):
    aflw.face(51, AFLW_TRAIN_2, range(1, 7), shift=5)  # six keypoints
    aflw.face(52, AFLW_TRAIN_2, ())  # none
    aflw.face(53, 'image09999.jpg')  # no row in FaceImages
    gone = 'image00008.jpg'
    aflw.insert('FaceImages', (9, 'flickr', gone, f'3/{gone}', 0, 64, 48))
    aflw.face(54, gone)  # no file
    aflw.photo('image00007.jpg', size=(48, 64))
    aflw.face(55, 'image00007.jpg')  # turned
    aflw.face(56, AFLW_TRAIN)  # as face 40
    # A row again, and one that says something else; the first counts.
    aflw.insert('FeatureCoords', (40, 1, *aflw_mark(1), 0))
    aflw.insert('FeatureCoords', (40, 2, 1.0, 1.0, 1))
    aflw.insert('FaceRect', (40, 1, 1, 1, 1, 2))
    # As the annotation tool writes what is not set; other data sets'
    # keypoints.
    aflw.insert('FeatureCoords', (39, 20, -1.0, -1.0, 0))
    aflw.insert('FeatureCoords', (39, 30, 1.0, 1.0, 0))
    aflw.insert('FacePose', (41, *[-2 * math.pi] * 3, 0))
    written = convert(aflw.src, aflw.dst, max_missing=50)
    data = load(written['train'])
    assert [a['face_id'] for a in data['annotations']] == [39, 40, 41]
    profile, frontal, no_pose = data['annotations']
    np.testing.assert_array_equal(keypoints(frontal)[1], [*aflw_mark(2), 2])
    assert frontal['box_size'] == 20
    assert profile['num_keypoints'] == 10
    assert 'yaw' not in no_pose
    assert data['info']['left_out_of_all'] == {
        'no image': 2,
        'image of another size': 1,
        'fewer than 7 keypoints': 2,
        'the same face again': 1,
    }
    printed = capsys.readouterr().out
    assert '2 faces left out, no image: face 53, 3/image00008.jpg' in printed
    assert '1 faces left out, image of another size: 3/image00007' in printed
    assert (
        f'2 faces left out, fewer than 7 keypoints: 3/{AFLW_TRAIN_2}'
        in printed
    )
    assert f'1 faces left out, the same face again: 3/{AFLW_TRAIN}' in printed
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
    aflw.insert('Faces', (60, AFLW_TRAIN, 'flickr'))
    for feature in AFLW_FEATURES:
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
        # Its box is a square of the larger side around the keypoints.
        x, y, w, h = annotation['bbox']
        left, top, right, bottom = item['bbox'][0]
        assert right - left == pytest.approx(max(w, h))
        assert (left + right) / 2 == pytest.approx(x + w / 2)
        assert (top + bottom) / 2 == pytest.approx(y + h / 2)


def test_real_photos(shared, tree, load):
    """Two images of AFLW with the 19 of the 21 points that MMPose takes."""
    sample = shared / 'fixtures' / 'aflw_sample'
    aflw = Aflw(tree)
    folder = aflw.data / 'flickr' / '3'
    folder.mkdir(parents=True)
    source = load(sample / 'test_aflw.json')
    features = [
        i for i in AFLW_FEATURES if i not in (13, 17)
    ]  # without the ears
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
