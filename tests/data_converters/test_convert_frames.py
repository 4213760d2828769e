from __future__ import annotations

import shutil

import numpy as np
import pytest
from source_trees import (
    PLACES_OF_SEVEN,
    SEVEN,
    face68,
    fill_video,
)

from data_converters.convert_frames import (
    convert,
    frame_numbers,
    is_face,
)
from data_converters.errors import DataError
from data_converters.schema import SEVEN_OF_68


def places(annotation: dict) -> np.ndarray:
    return np.array(annotation['keypoints']).reshape(-1, 3)[:, :2]


@pytest.mark.parametrize('named', [False, True])
@pytest.mark.parametrize('order', PLACES_OF_SEVEN)
def test_order_is_found_or_named(tree, load, order, named):
    fill_video(tree.src, order=order)
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
    fill_video(tree.src)
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
    fill_video(tree.src)
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
        fill_video(tree.src / name)
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
    fill_video(folder)
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
    fill_video(tree.src, frames=4)
    for number in (1, 3):
        (tree.src / f'f_0000{number}.pts').unlink()
    data = load(convert(tree.src, tree.dst)['all'])
    assert [image['frame_id'] for image in data['images']] == [0, 2]
    assert '2 images without keypoints left out' in capsys.readouterr().out


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_source_is_only_read_and_a_second_run_is_the_same(tree, mode):
    fill_video(tree.src / 'one')
    before = {p: p.read_bytes() for p in tree.src.rglob('*.*')}
    path = convert(tree.src, tree.dst, images=mode)['all']
    first = path.read_bytes()
    folder = tree.dst / 'frames' / 'one'
    assert folder.is_symlink() == (mode == 'link')
    convert(tree.src, tree.dst, images='copy')
    assert not folder.is_symlink()
    assert path.read_bytes() == first
    assert {p: p.read_bytes() for p in tree.src.rglob('*.*')} == before


def test_unknown_options(tree):
    with pytest.raises(ValueError, match="order 'xm2vts' is not in"):
        convert(tree.src, tree.dst, order='xm2vts')
    with pytest.raises(ValueError, match='points 5 is neither'):
        convert(tree.src, tree.dst, points=5)


def test_command_line(tree, command_line):
    fill_video(tree.src, order='fgnet')
    arguments = [tree.src, tree.dst, '--protocol', 'tf', '--fps', 25]
    done = command_line('convert_frames', *arguments)
    assert done.returncode == 0, done.stderr
    assert (
        'all: 1 videos, 2 frames, 1 subjects, 7 keypoints (fgnet) -> '
        f'{tree.dst}/annotations/tf_all.json'
    ) in done.stdout
    done = command_line('convert_frames', *arguments, '--points', 68)
    assert done.returncode == 2
    assert done.stderr.startswith(f'error: {tree.src}: has keypoints in the ')
    assert done.stderr.count('\n') == 1


def test_our_dataset_reads_it(tree):
    from rednet_mm.datasets import VideoClipDataset
    from rednet_mm.datasets.metainfo import FACE_7

    fill_video(tree.src, frames=3, order='fgnet')
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
