from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from data_converters.convert_frames import (
    SEVEN_OF_FGNET,
    convert,
    frame_numbers,
    is_face,
)
from data_converters.errors import DataError
from data_converters.schema import SEVEN_OF_68

# Eye corners, nose, mouth corners of one face; a picture is 64 x 48.
SEVEN = np.array(
    [[20, 15], [26, 16], [36, 16], [42, 15], [31, 24], [24, 32], [38, 32.5]]
)
PLACES = {'ibug': SEVEN_OF_68, 'fgnet': SEVEN_OF_FGNET}


def face68(order: str, shift: float = 0) -> np.ndarray:
    """A face of 68 marks, the others at (10, 40) and (50, 40)."""
    x = np.where(np.arange(68) % 2, 50.0, 10.0)
    points = np.stack([x, np.full(68, 40)], axis=1)
    points[list(PLACES[order])] = SEVEN
    return points + shift


def write(folder, stem: str, points: np.ndarray, suffix='.jpg', base=0):
    """A frame and its marks."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(
        str(folder / f'{stem}{suffix}'), np.full((48, 64, 3), 90, np.uint8)
    )
    rows = [f'{x} {y}' for x, y in points + base]
    (folder / f'{stem}.pts').write_text('\n'.join(rows))


def fill(folder, frames=2, order='ibug'):
    """A video, its frames shifted by a pixel from each to the next."""
    for i in range(frames):
        points = face68(order, i)
        write(folder, f'f_{i:05d}', points, base=int(order == 'ibug'))


def places(annotation: dict) -> np.ndarray:
    return np.array(annotation['keypoints']).reshape(-1, 3)[:, :2]


@pytest.mark.parametrize('named', [False, True])
@pytest.mark.parametrize('order', PLACES)
def test_order_is_found_or_named(tree, load, order, named):
    fill(tree.src, order=order)
    options = dict(order=order) if named else {}
    written = convert(tree.src, tree.dst, protocol='tf', fps=25, **options)
    assert written == {'all': tree.dst / 'annotations' / 'tf_all.json'}
    data = load(written['all'])
    # iBUG's files count from 1 and FGNET's from 0.
    assert data['info']['base'] == (order == 'ibug')
    assert data['info']['order'] == order
    assert data['info']['protocol'] == 'tf'
    for i, annotation in enumerate(data['annotations']):
        found = places(annotation)
        if order == 'ibug':
            np.testing.assert_allclose(found, face68(order, i), atol=5e-4)
        else:
            np.testing.assert_array_equal(found, SEVEN + i)
        # x 10..50, y 15..40 whatever is written
        assert annotation['bbox'] == [10 + i, 15 + i, 40, 25]


def test_written_as_300vw_is(tree, load):
    fill(tree.src)
    data = load(convert(tree.src, tree.dst)['all'])
    assert data['videos'] == [
        {
            'id': 1,
            'name': 'src',
            'category': None,
            'subject_id': 1,
            'split': 'all',
            'fps': None,
        }
    ]
    assert data['subjects'] == [{'id': 1, 'name': 'src'}]
    assert data['images'] == [
        {
            'id': i + 1,
            'file_name': f'frames/src/f_0000{i}.jpg',
            'width': 64,
            'height': 48,
            'video_id': 1,
            'frame_id': i,
        }
        for i in (0, 1)
    ]
    assert [a['subject_id'] for a in data['annotations']] == [1, 1]
    assert (tree.dst / 'frames/src/f_00001.jpg').is_file()


def test_seven_of_ibug_have_the_box_of_all(tree, load):
    fill(tree.src)
    whole = load(convert(tree.src, tree.dst)['all'])
    seven = load(convert(tree.src, tree.dst, points=7)['all'])
    assert seven['categories'][0]['keypoints'][4] == 'NC'
    for one, other in zip(whole['annotations'], seven['annotations']):
        np.testing.assert_array_equal(
            places(other), places(one)[list(SEVEN_OF_68)]
        )
        for key in ('bbox', 'center', 'scale', 'box_size'):
            assert one[key] == other[key]


@pytest.mark.parametrize(
    ('stems', 'expected'),
    [
        # 0-based where one is 0, otherwise 1-based
        (['franck_00000', 'franck_00002'], [0, 2]),
        (['franck_00001', 'franck_00003'], [0, 2]),
        (['000010', '000009'], [9, 8]),
        (['b10', 'b9'], [9, 8]),
        # no number, two texts, one number twice: natural order
        (['b10', 'b', 'b9'], [2, 0, 1]),
        (['a10', 'b1', 'a9'], [1, 2, 0]),
        (['a01', 'a1', 'a2'], [0, 1, 2]),
        (['c2_x', 'c10_x', 'c1_x'], [1, 2, 0]),
    ],
)
def test_frame_numbers(stems, expected):
    assert frame_numbers(stems) == expected


def test_is_face():
    turned = SEVEN @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # a quarter turn
    mirrored = SEVEN * [-1, 1]
    upside = SEVEN * [1, -1]
    swapped = SEVEN[[1, 0, 2, 3, 4, 5, 6]]
    faces = np.stack([SEVEN, turned, mirrored, upside, swapped])
    assert is_face(faces).tolist() == [True, True, False, False, False]


CSV = (
    'video,subject,category,split\n'
    'clip10,Ann,2,train\nclip2,Ann,,train\nclip3,Bob,3,test\n'
)


def test_folders_with_a_list(tree, load):
    for name in ('clip10', 'clip2', 'clip3'):
        fill(tree.src / name)
    (tree.src / 'notes').mkdir()
    path = tree.csv(CSV)
    written = convert(tree.src, tree.dst, protocol='fm', subjects=path)
    assert {split: p.name for split, p in written.items()} == {
        'train': 'fm_train.json',
        'test': 'fm_test.json',
    }
    train, test = load(written['train']), load(written['test'])
    assert [v['name'] for v in train['videos']] == ['clip2', 'clip10']
    assert [v['category'] for v in train['videos']] == [None, 2]
    assert [v['subject_id'] for v in train['videos']] == [1, 1]
    assert train['subjects'] == [{'id': 1, 'name': 'Ann'}]
    assert [i['frame_id'] for i in train['images']] == [0, 1, 0, 1]
    assert [v['category'] for v in test['videos']] == [3]
    assert test['subjects'] == [{'id': 1, 'name': 'Bob'}]
    # Without the list each video is a subject of its own.
    data = load(convert(tree.src, tree.dst)['all'])
    assert [s['name'] for s in data['subjects']] == [
        'clip2',
        'clip3',
        'clip10',
    ]


@pytest.mark.parametrize('flat', [True, False])
def test_marks_in_a_folder_of_their_own(tree, load, flat):
    folder = tree.src if flat else tree.src / 'one'
    fill(folder)
    marks = tree.src.parent / 'marks'
    place = marks if flat else marks / 'one'
    place.mkdir(parents=True)
    for path in folder.glob('*.pts'):
        path.rename(place / path.name)
    data = load(convert(tree.src, tree.dst, marks=marks)['all'])
    assert len(data['annotations']) == 2
    shutil.rmtree(place)
    with pytest.raises(DataError, match=f'^{place}: no such folder; '):
        convert(tree.src, tree.dst, marks=marks)


def test_frames_without_marks_keep_their_numbers(tree, load, capsys):
    fill(tree.src, frames=4)
    for number in (1, 3):
        (tree.src / f'f_0000{number}.pts').unlink()
    data = load(convert(tree.src, tree.dst)['all'])
    assert [image['frame_id'] for image in data['images']] == [0, 2]
    assert '2 images without marks left out' in capsys.readouterr().out


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_source_is_only_read_and_a_second_run_is_the_same(tree, mode):
    fill(tree.src / 'one')
    before = {p: p.read_bytes() for p in tree.src.rglob('*.*')}
    path = convert(tree.src, tree.dst, images=mode)['all']
    first = path.read_bytes()
    folder = tree.dst / 'frames' / 'one'
    assert folder.is_symlink() == (mode == 'link')
    convert(tree.src, tree.dst, images='copy')
    assert not folder.is_symlink()
    assert path.read_bytes() == first
    assert {p: p.read_bytes() for p in tree.src.rglob('*.*')} == before


def mix(tree):
    """As many frames in one order as in the other."""
    fill(tree.src / 'one', order='fgnet')


# What to break in a source with the videos one and two, options, the file
# the sentence begins with, and a part of it.
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
        'holds no images and no folders of images; ',
    ),
    'no marks': (
        lambda t: [p.unlink() for p in (t.src / 'one').glob('*.pts')],
        {},
        'one',
        'holds no .pts files; ',
    ),
    'marks without image': (
        lambda t: (t.src / 'one/f_00001.jpg').unlink(),
        {},
        'one/f_00001.pts',
        'has no image in ',
    ),
    'wrong number of points': (
        lambda t: (t.src / 'one/f_00001.pts').write_text('1 2\n3 4\n'),
        {},
        'one/f_00001.pts',
        'has 2 points where 68 are expected; ',
    ),
    'marks in one point': (
        lambda t: (t.src / 'one/f_00001.pts').write_text('1 2\n' * 68),
        {},
        'one/f_00001.pts',
        'the box around the marks is empty; ',
    ),
    'image unreadable': (
        lambda t: (t.src / 'two/f_00001.jpg').write_bytes(b'no image'),
        {},
        'two/f_00001.jpg',
        'is not a readable image; ',
    ),
    'order not clear': (
        mix,
        {},
        '',
        'not clear in which order the marks are (50% of the frames show a '
        'face in that of iBUG, 50% in that of FGNET); ',
    ),
    'more points than FGNET gives': (
        lambda t: None,
        dict(order='fgnet', points=68),
        '',
        'give seven points only; ',
    ),
}


@pytest.mark.parametrize('case', BROKEN)
def test_broken_source_is_named(tree, case):
    change, options, where, says = BROKEN[case]
    fill(tree.src / 'one')
    fill(tree.src / 'two')
    change(tree)
    with pytest.raises(DataError) as caught:
        convert(tree.src, tree.dst, **options)
    sentence = str(caught.value)
    assert sentence.startswith(f'{tree.src / where}: ')
    assert says in sentence and '; ' in sentence and '\n' not in sentence
    assert tree.left_behind() == []


LISTS = {
    'unknown video': (
        'video,subject\none,A\ntwo,B\nsix,C\n',
        'names the video six, which is not in the source; ',
    ),
    'video not listed': (
        'video,subject\none,A\n',
        'has no row for the video two; ',
    ),
    'category is a word': (
        'video,subject,category\none,A,\ntwo,B,hard\n',
        "the category 'hard' of two is not a whole number; ",
    ),
    'subject on both sides': (
        'video,subject,split\none,A,train\ntwo,A,test\n',
        'the subject A is in both train and test; ',
    ),
    'split missing': (
        'video,subject,split\none,A,train\ntwo,B,\n',
        'row 2 has no split; ',
    ),
}


@pytest.mark.parametrize('case', LISTS)
def test_broken_list_is_named(tree, case):
    text, says = LISTS[case]
    fill(tree.src / 'one')
    fill(tree.src / 'two')
    path = tree.csv(text)
    with pytest.raises(DataError) as caught:
        convert(tree.src, tree.dst, subjects=path)
    assert str(caught.value).startswith(f'{path}: {says}')
    assert tree.left_behind() == []


def test_unknown_options(tree):
    with pytest.raises(ValueError, match="order 'xm2vts' is not in"):
        convert(tree.src, tree.dst, order='xm2vts')
    with pytest.raises(ValueError, match='points 5 is neither'):
        convert(tree.src, tree.dst, points=5)


def test_command_line(tree, command_line):
    fill(tree.src, order='fgnet')
    arguments = [tree.src, tree.dst, '--protocol', 'tf', '--fps', 25]
    done = command_line('convert_frames', *arguments)
    assert done.returncode == 0, done.stderr
    assert (
        'all: 1 videos, 2 frames, 1 subjects, 7 marks (fgnet) -> '
        f'{tree.dst}/annotations/tf_all.json'
    ) in done.stdout
    done = command_line('convert_frames', *arguments, '--points', 68)
    assert done.returncode == 2
    assert done.stderr.startswith(f'error: {tree.src}: has marks in the ')
    assert done.stderr.count('\n') == 1


def test_our_dataset_reads_it(tree):
    from rednet_mm.datasets import VideoClipDataset
    from rednet_mm.datasets.metainfo import FACE_7

    fill(tree.src, frames=3, order='fgnet')
    convert(tree.src, tree.dst)
    dataset = VideoClipDataset(
        ann_file='annotations/frames_all.json',
        data_root=str(tree.dst),
        data_prefix=dict(img=''),
        metainfo=FACE_7,
        clip_length=3,
        clips_per_video=1,
        reverse=False,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='GetBBoxCenterScale'),
            dict(type='TopdownAffine', input_size=(32, 32)),
            dict(type='PackPoseInputs'),
        ],
    )
    clip = dataset[0]
    assert clip['inputs'].shape == (3, 3, 32, 32)
    for i, sample in enumerate(clip['data_samples']):
        np.testing.assert_array_equal(
            sample.gt_instances.keypoints[0], SEVEN + i
        )


def test_real_talking_face(shared, tmp_path, load):
    source = shared / 'fixtures' / 'talking_face_sample'
    data = load(convert(source, tmp_path / 'dst')['all'])
    assert data['info']['order'] == 'fgnet'
    assert [image['frame_id'] for image in data['images']] == [0, 1, 2]
    first = data['annotations'][0]
    # Lines 27 and 67, from 0, of franck_00000.pts.
    assert first['keypoints'][:3] == [299.112, 270.123, 2]
    assert first['keypoints'][12:15] == [384.744, 305.778, 2]
    # From the leftmost mark to the rightmost, 259.975 to 511.029.
    assert first['bbox'][0] == 259.975 and first['bbox'][2] == 251.054


def test_real_faces_in_the_order_of_ibug(shared, tmp_path, load):
    source = shared / 'fixtures' / '300w_original_headers'
    data = load(convert(source, tmp_path / 'dst')['all'])
    assert data['info']['order'] == 'ibug'
    assert data['info']['base'] == 1
    assert len(data['annotations']) == 10
