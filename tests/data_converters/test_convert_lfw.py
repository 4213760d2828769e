from __future__ import annotations

import os
import shutil

import cv2
import numpy as np
import pytest

from data_converters.convert_lfw import convert, person_of
from data_converters.errors import DataError

# Eye corners, nose, mouth corners of one face; a picture is 64 x 48.
SEVEN = np.array(
    [[20, 15], [26, 16], [36, 16], [42, 15], [31, 24], [24, 32], [38, 32.5]]
)
# Eye centres, nose, mouth corners.
FIVE = np.array([[23, 15.5], [39, 15.5], *SEVEN[4:]])

ANN_1, ANN_2 = 'Ann_Lee/Ann_Lee_0001.jpg', 'Ann_Lee/Ann_Lee_0002.jpg'
BOB = 'Bob_St_John/Bob_St_John_0003.jpg'
NAMES = (ANN_1, ANN_2, BOB)

HEADER = """\
# LFW Facial Feature Point annotation v1.0
# image dataset: lfw.tgz
# image_name face_bbox_x face_bbox_y num_facial_features left_eye_left_x
left_eye_left_y left_eye_right_x left_eye_right_y mouth_left_x mouth_left_y
# author
# copyright

"""


def row(name: str, numbers) -> str:
    return ' '.join([name, *(f'{n:g}' for n in np.ravel(numbers))]) + ' \n'


def ten(name: str) -> str:
    """A row of Dantone's list, its box at (10, 5)."""
    eyes, mouth = SEVEN[:4], SEVEN[5:]
    lips, nostrils = [[31, 36], [31, 30]], [[28, 24], [34, 24]]
    order = [*eyes[:2], *mouth, *lips, *eyes[2:], *nostrils]
    return row(name, [10, 5, 40, 40, -1, 10, *np.ravel(order) - [10, 5] * 10])


def five(name: str) -> str:
    return row(name, FIVE)


def five_with_box(name: str) -> str:
    """As in CNN_FacePoint: left, right, top, bottom, and backslashes."""
    flat = 'lfw_5590\\' + name.split('/')[1]
    return row(flat, [15, 50, 8, 45, *np.ravel(FIVE)])


def five_by_axis(name: str) -> str:
    """As in MTFL: all x, all y, four attributes."""
    return row(name, [*np.ravel(FIVE.T), 1, 2, 2, 3])


def seven(name: str, shift: float = 0) -> str:
    return row(name, SEVEN + shift)


def seven_with_box(name: str) -> str:
    """As for flandmark: box, eye corners, mouth corners, nose."""
    order = SEVEN[[0, 1, 2, 3, 5, 6, 4]]
    return row(name, [15, 8, 50, 45, *np.ravel(order)])


@pytest.fixture
def lfw(tree):
    """Two images of one person and one of another, without marks."""
    for name in NAMES:
        write_picture(tree.src / name)
    return tree


def write_picture(path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((48, 64, 3), 90, np.uint8))


def keypoints(annotation: dict) -> np.ndarray:
    return np.array(annotation['keypoints']).reshape(-1, 3)


ROWS = {
    'ten': (ten, 'ten'),
    'five': (five, 'five'),
    'five with box': (five_with_box, 'five'),
    'five by axis': (five_by_axis, 'five'),
    'seven': (seven, 'seven'),
    'seven with box': (seven_with_box, 'seven'),
}


@pytest.mark.parametrize('named', [False, True])
@pytest.mark.parametrize('kind', ROWS)
def test_lists(lfw, load, kind, named):
    write, form = ROWS[kind]
    path = lfw.csv(HEADER + ''.join(map(write, NAMES)), 'marks.txt')
    options = dict(marks_form=form) if named else {}
    written = convert(lfw.src, lfw.dst, marks=path, **options)
    assert written == {'train': lfw.dst / 'annotations' / 'lfw_train.json'}
    data = load(written['train'])
    assert [i['file_name'] for i in data['images']] == [
        f'images/{name}' for name in NAMES
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
    (lfw.src / 'lfw_ffd_ann.txt').write_text(HEADER + ten(BOB))
    data = load(convert(lfw.src, lfw.dst)['train'])
    assert [i['file_name'] for i in data['images']] == [f'images/{BOB}']


def test_base_and_separators(lfw, load):
    path = lfw.csv(five(BOB).replace(' ', ','))
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
    for name in (ANN_2, BOB):
        path = (folder / name).with_suffix('.pts')
        if place == 'flat':
            path = folder / path.name
        write_pts(path, points)
    marks = None if place == 'beside' else folder
    written = convert(lfw.src, lfw.dst, marks=marks)
    data = load(written['train'])
    assert [i['file_name'] for i in data['images']] == [
        f'images/{name}' for name in (ANN_2, BOB)
    ]
    for annotation in data['annotations']:
        # 1-based in the file.
        np.testing.assert_array_equal(keypoints(annotation)[:, :2], SEVEN)
    assert data['info']['marks_form'] == 'pts' and data['info']['base'] == 1


def test_min_images_and_what_is_left_out(lfw, load, capsys):
    write_picture(lfw.src / 'Cay' / 'Cay_0001.jpg')
    path = lfw.csv(''.join(map(seven, [*NAMES, 'Dan/Dan_0001.jpg'])))
    written = convert(lfw.src, lfw.dst, marks=path)
    assert load(written['train'])['info']['counts']['images'] == 3
    printed = capsys.readouterr().out
    assert '1 images without marks left out' in printed
    assert '1 rows of list.csv without image left out' in printed
    assert 'train: 3 images, 2 subjects, marks: seven -> ' in printed

    data = load(convert(lfw.src, lfw.dst, marks=path, min_images=2)['train'])
    assert data['subjects'] == [{'id': 1, 'name': 'Ann_Lee'}]
    assert len(data['annotations']) == 2
    assert data['info']['left_out'] == {
        'images without marks': 1,
        'marks without image': 1,
        'people with fewer images': 1,
    }
    assert '1 people with fewer images left out' in capsys.readouterr().out
    # Bob has one image with marks, Ann has one less now.
    path.write_text(seven(BOB) + seven(ANN_1))
    with pytest.raises(DataError, match='nobody has 2 images with marks; '):
        convert(lfw.src, lfw.dst, marks=path, min_images=2)


def test_images_without_folders(lfw, load):
    flat = lfw.src.parent / 'flat'
    flat.mkdir()
    for name in NAMES:
        shutil.copy(lfw.src / name, flat)
    path = lfw.csv(HEADER + ''.join(map(ten, NAMES)))
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
    path = lfw.csv(seven('x/p2/0001.jpg') + seven('p1/0001.jpg', 1))
    data = load(convert(src, lfw.dst, marks=path)['train'])
    first = [annotation['keypoints'][0] for annotation in data['annotations']]
    assert first == [21, 20]


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_images_are_linked_or_copied(lfw, mode):
    path = lfw.csv(''.join(map(seven, NAMES)))
    before = {p: p.read_bytes() for p in lfw.src.rglob('*.*')}
    written = convert(lfw.src, lfw.dst, marks=path, images=mode)
    folder = lfw.dst / 'images' / 'Ann_Lee'
    assert folder.is_symlink() == (mode == 'link')
    first = written['train'].read_bytes()
    convert(lfw.src, lfw.dst, marks=path, images='copy')
    assert not folder.is_symlink()
    assert (lfw.dst / 'images' / BOB).is_file()
    assert written['train'].read_bytes() == first
    assert {p: p.read_bytes() for p in lfw.src.rglob('*.*')} == before


GOOD = ''.join(map(seven, NAMES[:2]))

BROKEN_LISTS = {
    'number missing': (
        HEADER + GOOD + seven(BOB).replace(' 32.5', ''),
        'line 10: has 13 numbers where 14 are expected; ',
    ),
    'first row short': (
        row(BOB, range(9)),
        'line 1: has 9 numbers where 10 or 14 or 18 or 26 are expected; ',
    ),
    'name only': (
        f'{BOB}\n',
        'line 1: has 0 numbers where ',
    ),
    'text': (
        GOOD + seven(BOB).replace('32.5', '32.5px'),
        "line 3: '32.5px' is not a finite number; ",
    ),
    'NaN': (
        GOOD + seven(BOB).replace('32.5', 'nan'),
        "line 3: 'nan' is not a finite number; ",
    ),
    'infinite': (
        seven(BOB).replace('32.5', '-inf') + GOOD,
        "line 1: '-inf' is not a finite number; ",
    ),
    'image twice': (
        GOOD + seven(ANN_1, 1),
        'line 3: marks the same image as line 1; ',
    ),
    'image twice by other names': (
        GOOD + seven('lfw/' + ANN_1, 1),
        'line 3: marks the same image as line 1; ',
    ),
    'not ten points': (
        ten(BOB).replace(' 10 10', ' 11 10'),
        'line 1: says 11 points where 10 are expected; ',
    ),
    'right before left': (
        row(BOB, SEVEN[[3, 2, 1, 0, 4, 6, 5]]),
        'in 100% of the faces the marks are not in order',
    ),
    'eyes last': (
        row(BOB, FIVE[[3, 4, 2, 0, 1]]),
        'in 100% of the faces the marks are not in order',
    ),
    'other images': (seven('Cay/Cay_0001.jpg'), 'names none of the images'),
    'no rows': (HEADER, 'holds no marks; '),
    'empty file': ('', 'holds no marks; '),
}


@pytest.mark.parametrize('case', BROKEN_LISTS)
def test_broken_list_is_named(lfw, case):
    text, says = BROKEN_LISTS[case]
    path = lfw.csv(text, 'marks.txt')
    with pytest.raises(DataError) as caught:
        convert(lfw.src, lfw.dst, marks=path)
    sentence = str(caught.value)
    assert sentence.startswith(f'{path}: ')
    assert says in sentence and '; ' in sentence and '\n' not in sentence
    assert lfw.left_behind() == []


def pts(lfw, text: str) -> None:
    (lfw.src / ANN_1).with_suffix('.pts').write_text(text)


BROKEN = {
    'source is missing': (
        lambda t: shutil.rmtree(t.src),
        {},
        '',
        'no such folder; ',
    ),
    'no images': (
        lambda t: [p.unlink() for p in t.src.rglob('*.jpg')],
        {},
        '',
        'holds no images; ',
    ),
    'no marks': (lambda t: None, {}, '', 'holds no .pts files of the images'),
    'list is missing': (
        lambda t: None,
        dict(marks='nowhere.txt'),
        None,
        'nowhere.txt: no such file; ',
    ),
    'list is no text': (
        lambda t: (t.src / 'list').write_bytes(b'\xff\xd8\xff\xe0'),
        dict(marks='list'),
        'list',
        'is no text in UTF-8; ',
    ),
    'form of files for a list': (
        lambda t: (t.src / 'list').write_text(GOOD),
        dict(marks='list', marks_form='pts'),
        'list',
        'is a file, which does not go with --marks-form pts; ',
    ),
    'form of lists for files': (
        lambda t: None,
        dict(marks_form='five'),
        '',
        'is a folder, which does not go with --marks-form five; ',
    ),
    'another form': (
        lambda t: (t.src / 'list').write_text(GOOD),
        dict(marks='list', marks_form='ten'),
        'list',
        'has 14 numbers in a row, which is not the form ten; ',
    ),
    'points are five': (
        lambda t: pts(t, '1 2\n' * 5),
        {},
        ANN_1.replace('jpg', 'pts'),
        'has 5 points where 68 are expected; ',
    ),
    'point is not a number': (
        lambda t: pts(t, 'x 2\n' * 7),
        {},
        ANN_1.replace('jpg', 'pts'),
        "'x 2' is not a pair of numbers; ",
    ),
    'image unreadable': (
        lambda t: [
            (t.src / 'list').write_text(GOOD),
            (t.src / ANN_1).write_bytes(b'no image'),
        ],
        dict(marks='list'),
        ANN_1,
        'is not a readable image; ',
    ),
}


@pytest.mark.parametrize('case', BROKEN)
def test_broken_source_is_named(lfw, case):
    change, options, where, says = BROKEN[case]
    change(lfw)
    if 'marks' in options:
        options = dict(options, marks=lfw.src / options['marks'])
    with pytest.raises(DataError) as caught:
        convert(lfw.src, lfw.dst, **options)
    sentence = str(caught.value)
    if where is not None:
        assert sentence.startswith(f'{lfw.src / where}: ')
    assert says in sentence and '; ' in sentence and '\n' not in sentence
    assert lfw.left_behind() == []


def test_a_few_turned_faces_are_fine(lfw, load):
    # Profiles and faces on their side are real; two of three are upright.
    turned = SEVEN[:, ::-1]
    path = lfw.csv(GOOD + row(BOB, turned))
    data = load(convert(lfw.src, lfw.dst, marks=path)['train'])
    found = keypoints(data['annotations'][2])[:, :2]
    np.testing.assert_array_equal(found, turned)


def test_unknown_form(lfw):
    with pytest.raises(ValueError, match="'six' is not in"):
        convert(lfw.src, lfw.dst, marks_form='six')


def test_command_line(lfw, command_line):
    path = lfw.csv(GOOD)
    arguments = [lfw.src, lfw.dst, '--marks', path]
    done = command_line('convert_lfw', *arguments, '--min-images', 2)
    assert done.returncode == 0, done.stderr
    assert 'train: 2 images, 1 subjects, marks: seven -> ' in done.stdout
    path.write_text(GOOD + 'x 1 2\n')
    done = command_line('convert_lfw', *arguments)
    assert done.returncode == 2
    assert done.stderr == (
        f'error: {path}: line 3: has 2 numbers where 14 are expected; '
        'correct or remove the line\n'
    )


def test_our_dataset_reads_it(lfw, load):
    from rednet_mm.datasets import VideoClipDataset
    from rednet_mm.datasets.metainfo import FACE_7

    convert(lfw.src, lfw.dst, marks=lfw.csv(''.join(map(seven, NAMES))))
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
    # A still is a clip of its own, with its person as the label.
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
