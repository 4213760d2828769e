from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from source_trees import (
    LFW_ANN_1,
    LFW_ANN_2,
    LFW_BOB,
    LFW_GOOD,
    LFW_HEADER,
    LFW_NAMES,
    SEVEN,
    lfw_row,
    lfw_seven,
    lfw_ten,
    write_picture,
)

from data_converters.convert_lfw import convert, person_of
from data_converters.errors import DataError

# Eye centres, nose, mouth corners.
FIVE = np.array([[23, 15.5], [39, 15.5], *SEVEN[4:]])


def five(name: str) -> str:
    return lfw_row(name, FIVE)


def five_with_box(name: str) -> str:
    """As in CNN_FacePoint: left, right, top, bottom, and backslashes."""
    flat = 'lfw_5590\\' + name.split('/')[1]
    return lfw_row(flat, [15, 50, 8, 45, *np.ravel(FIVE)])


def five_by_axis(name: str) -> str:
    """As in MTFL: all x, all y, four attributes."""
    return lfw_row(name, [*np.ravel(FIVE.T), 1, 2, 2, 3])


def seven_with_box(name: str) -> str:
    """As for flandmark: box, eye corners, mouth corners, nose."""
    order = SEVEN[[0, 1, 2, 3, 5, 6, 4]]
    return lfw_row(name, [15, 8, 50, 45, *np.ravel(order)])


def keypoints(annotation: dict) -> np.ndarray:
    return np.array(annotation['keypoints']).reshape(-1, 3)


ROWS = {
    'ten': (lfw_ten, 'ten'),
    'five': (five, 'five'),
    'five with box': (five_with_box, 'five'),
    'five by axis': (five_by_axis, 'five'),
    'seven': (lfw_seven, 'seven'),
    'seven with box': (seven_with_box, 'seven'),
}


@pytest.mark.parametrize('named', [False, True])
@pytest.mark.parametrize('kind', ROWS)
def test_lists(lfw, load, kind, named):
    write, form = ROWS[kind]
    path = lfw.csv(LFW_HEADER + ''.join(map(write, LFW_NAMES)), 'marks.txt')
    options = dict(marks_form=form) if named else {}
    written = convert(lfw.src, lfw.dst, marks=path, **options)
    assert written == {'train': lfw.dst / 'annotations' / 'lfw_train.json'}
    data = load(written['train'])
    assert [i['file_name'] for i in data['images']] == [
        f'images/{name}' for name in LFW_NAMES
    ]
    assert data['subjects'] == [
        {'id': 1, 'name': 'Ann_Lee'},
        {'id': 2, 'name': 'Bob_St_John'},
    ]
    assert [a['subject_id'] for a in data['annotations']] == [1, 1, 2]
    for annotation in data['annotations']:
        found = keypoints(annotation)
        if form == 'five':
            # An eye centre is no corner; x 23..39, y 15.5..32.5 for the box.
            assert (found[:4] == 0).all()
            np.testing.assert_array_equal(found[4:, :2], SEVEN[4:])
            assert annotation['num_keypoints'] == 3
            assert annotation['bbox'] == [23, 15.5, 16, 17]
        else:
            # The middle of the nostrils is (31, 24) as well.
            np.testing.assert_array_equal(found[:, :2], SEVEN)
            assert (found[:, 2] == 2).all()
            # x 20..42, y 15..32.5
            assert annotation['bbox'] == [20, 15, 22, 17.5]
    info = data['info']
    assert info['marks_form'] == form and info['base'] == 0
    assert info['eye_corners'] == (form != 'five')
    tip = 'middle of the nostrils' if form == 'ten' else 'marked'
    assert info['nose_tip'] == tip
    names = ['LELC', 'LERC', 'RELC', 'RERC', 'NC', 'MLC', 'MRC']
    assert data['categories'][0]['keypoints'] == names


def test_dantones_list_is_found_in_the_source(lfw, load):
    (lfw.src / 'lfw_ffd_ann.txt').write_text(LFW_HEADER + lfw_ten(LFW_BOB))
    data = load(convert(lfw.src, lfw.dst)['train'])
    assert [i['file_name'] for i in data['images']] == [f'images/{LFW_BOB}']


def test_base_and_separators(lfw, load):
    path = lfw.csv(five(LFW_BOB).replace(' ', ','))
    written = convert(lfw.src, lfw.dst, marks=path, base=1)
    (annotation,) = load(written['train'])['annotations']
    np.testing.assert_array_equal(keypoints(annotation)[4:, :2], SEVEN[4:] - 1)
    assert annotation['bbox'] == [22, 14.5, 16, 17]


def write_pts(path, points) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f'{x} {y}' for x, y in points]
    path.write_text('\n'.join(['version: 1', '{', *rows, '}']))


@pytest.mark.parametrize('place', ['beside', 'own folder', 'flat'])
@pytest.mark.parametrize('count', [7, 68])
def test_pts_files(lfw, load, count, place):
    points = SEVEN + 1
    if count == 68:
        points = np.stack([np.arange(68) / 2, np.full(68, 40)], 1)
        points[[36, 39, 42, 45, 30, 48, 54]] = SEVEN + 1
    folder = lfw.src if place == 'beside' else lfw.dst.parent / 'marks'
    for name in (LFW_ANN_2, LFW_BOB):
        path = (folder / name).with_suffix('.pts')
        if place == 'flat':
            path = folder / path.name
        write_pts(path, points)
    marks = None if place == 'beside' else folder
    written = convert(lfw.src, lfw.dst, marks=marks)
    data = load(written['train'])
    assert [i['file_name'] for i in data['images']] == [
        f'images/{name}' for name in (LFW_ANN_2, LFW_BOB)
    ]
    for annotation in data['annotations']:
        # 1-based in the file.
        np.testing.assert_array_equal(keypoints(annotation)[:, :2], SEVEN)
    assert data['info']['marks_form'] == 'pts' and data['info']['base'] == 1


def test_min_images_and_what_is_left_out(lfw, load, capsys):
    write_picture(lfw.src / 'Cay' / 'Cay_0001.jpg')
    path = lfw.csv(''.join(map(lfw_seven, [*LFW_NAMES, 'Dan/Dan_0001.jpg'])))
    written = convert(lfw.src, lfw.dst, marks=path)
    assert load(written['train'])['info']['counts']['images'] == 3
    printed = capsys.readouterr().out
    assert '1 images without keypoints left out' in printed
    assert '1 rows of list.csv without image left out' in printed
    assert 'train: 3 images, 2 subjects, keypoints: seven -> ' in printed

    data = load(convert(lfw.src, lfw.dst, marks=path, min_images=2)['train'])
    assert data['subjects'] == [{'id': 1, 'name': 'Ann_Lee'}]
    assert len(data['annotations']) == 2
    assert data['info']['left_out'] == {
        'images without keypoints': 1,
        'keypoints without image': 1,
        'people with fewer images': 1,
    }
    assert '1 people with fewer images left out' in capsys.readouterr().out
    # Bob has one image with keypoints, Ann has one less now.
    path.write_text(lfw_seven(LFW_BOB) + lfw_seven(LFW_ANN_1))
    with pytest.raises(
        DataError, match='nobody has 2 images with keypoints; '
    ):
        convert(lfw.src, lfw.dst, marks=path, min_images=2)


def test_images_without_folders(lfw, load):
    flat = lfw.src.parent / 'flat'
    flat.mkdir()
    for name in LFW_NAMES:
        shutil.copy(lfw.src / name, flat)
    path = lfw.csv(LFW_HEADER + ''.join(map(lfw_ten, LFW_NAMES)))
    data = load(convert(flat, lfw.dst, marks=path)['train'])
    assert data['images'][0]['file_name'] == 'images/Ann_Lee_0001.jpg'
    names = [subject['name'] for subject in data['subjects']]
    assert names == ['Ann_Lee', 'Bob_St_John']
    assert all((lfw.dst / i['file_name']).is_file() for i in data['images'])


def test_who_it_is():
    assert person_of('Ann_Lee/Ann_Lee_0001.jpg') == 'Ann_Lee'
    assert person_of('Ann_Lee_0001.jpg') == 'Ann_Lee'
    assert person_of('p17/0001.jpg') == 'p17'


def test_names_that_two_people_share(lfw, load):
    """Images of other data sets: 0001.jpg in each person's folder."""
    src = lfw.src.parent / 'other'
    for who in ('p1', 'p2'):
        write_picture(src / who / '0001.jpg')
    path = lfw.csv(lfw_seven('x/p2/0001.jpg') + lfw_seven('p1/0001.jpg', 1))
    data = load(convert(src, lfw.dst, marks=path)['train'])
    first = [annotation['keypoints'][0] for annotation in data['annotations']]
    assert first == [21, 20]


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_images_are_linked_or_copied(lfw, mode):
    path = lfw.csv(''.join(map(lfw_seven, LFW_NAMES)))
    before = {p: p.read_bytes() for p in lfw.src.rglob('*.*')}
    written = convert(lfw.src, lfw.dst, marks=path, images=mode)
    folder = lfw.dst / 'images' / 'Ann_Lee'
    assert folder.is_symlink() == (mode == 'link')
    first = written['train'].read_bytes()
    convert(lfw.src, lfw.dst, marks=path, images='copy')
    assert not folder.is_symlink()
    assert (lfw.dst / 'images' / LFW_BOB).is_file()
    assert written['train'].read_bytes() == first
    assert {p: p.read_bytes() for p in lfw.src.rglob('*.*')} == before


def test_a_few_turned_faces_are_fine(lfw, load):
    # Profiles and faces on their side are real; two of three are upright.
    turned = SEVEN[:, ::-1]
    path = lfw.csv(LFW_GOOD + lfw_row(LFW_BOB, turned))
    data = load(convert(lfw.src, lfw.dst, marks=path)['train'])
    found = keypoints(data['annotations'][2])[:, :2]
    np.testing.assert_array_equal(found, turned)


def test_unknown_form(lfw):
    with pytest.raises(ValueError, match="'six' is not in"):
        convert(lfw.src, lfw.dst, marks_form='six')


def test_command_line(lfw, command_line):
    path = lfw.csv(LFW_GOOD)
    arguments = [lfw.src, lfw.dst, '--marks', path]
    done = command_line('convert_lfw', *arguments, '--min-images', 2)
    assert done.returncode == 0, done.stderr
    assert 'train: 2 images, 1 subjects, keypoints: seven -> ' in done.stdout
    path.write_text(LFW_GOOD + 'x 1 2\n')
    done = command_line('convert_lfw', *arguments)
    assert done.returncode == 2
    assert done.stderr == (
        f'error: {path}: line 3: has 2 numbers where 14 are expected; '
        'correct or remove the line\n'
    )


def test_our_dataset_reads_it(lfw, load):
    from rednet_mm.datasets import VideoClipDataset
    from rednet_mm.datasets.metainfo import FACE_7

    convert(
        lfw.src, lfw.dst, marks=lfw.csv(''.join(map(lfw_seven, LFW_NAMES)))
    )
    dataset = VideoClipDataset(
        ann_file='annotations/lfw_train.json',
        data_root=str(lfw.dst),
        data_prefix=dict(img=''),
        metainfo=FACE_7,
        clip_length=1,
        clips_per_video=1,
        reverse=False,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='GetBBoxCenterScale'),
            dict(type='TopdownAffine', input_size=(32, 32)),
            dict(type='PackPoseInputs'),
        ],
    )
    # A still image is a clip of its own, with its person as the label.
    assert len(dataset) == 3
    assert dataset.clip_subjects() == [0, 0, 1]
    for item, label in zip(range(3), (0, 0, 1)):
        clip = dataset[item]
        (sample,) = clip['data_samples']
        assert clip['inputs'].shape == (1, 3, 32, 32)
        assert sample.metainfo['subject_label'] == label
        assert sample.gt_instances.keypoints.shape == (1, 7, 2)
        np.testing.assert_array_equal(sample.gt_instances.keypoints[0], SEVEN)
    assert dataset.metainfo['flip_indices'] == [3, 2, 1, 0, 4, 6, 5]


def test_real_faces(shared, tmp_path, load):
    sample = shared / 'fixtures' / 'lfw_dantone'
    src = tmp_path / 'lfw'
    for path in sorted(sample.glob('*.jpg')):
        folder = src / path.name.rpartition('_')[0]
        folder.mkdir(parents=True)
        os.symlink(path, folder / path.name)
    written = convert(src, tmp_path / 'dst', marks=sample / 'lfw_ffd_ann.txt')
    data = load(written['train'])
    assert len(data['annotations']) == len(data['subjects']) == 20
    sizes = {i['id']: (i['width'], i['height']) for i in data['images']}
    for annotation in data['annotations']:
        places = keypoints(annotation)[:, :2]
        assert (places > 0).all()
        assert (places < sizes[annotation['image_id']]).all()
        x, y = places.T
        assert (np.diff(x[:4]) > 0).all() and x[5] < x[6]
        assert y[:4].max() < y[4] < y[5:].min()
    # Agbani_Darego: box at (50, 62), left eye's left corner at (44, 50) in
    # it; nostrils at (58, 76) and (81, 76), so their middle at (69.5, 76).
    places = keypoints(data['annotations'][0])[:, :2]
    assert places[0].tolist() == [94, 112]
    assert places[4].tolist() == [119.5, 138]


def test_list_is_looked_for_in_the_source_too(lfw, load):
    (lfw.src / 'seven.txt').write_text(LFW_GOOD)
    written = convert(lfw.src, lfw.dst, marks='seven.txt')
    assert len(load(written['train'])['annotations']) == 2
