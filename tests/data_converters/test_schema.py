from __future__ import annotations

import numpy as np
import pytest

from data_converters.errors import DataError, main_guard
from data_converters.schema import DatasetWriter, save_all, skeleton_68


def make_writer(num_keypoints: int = 68) -> DatasetWriter:
    return DatasetWriter(
        'here', 'convert_test', 'official', 'train', 1, num_keypoints
    )


def test_whole_file(tmp_path, load):
    writer = make_writer(num_keypoints=3)
    subject = writer.add_subject('Ann')
    assert writer.add_subject('Bob') == 2
    assert writer.add_subject('Ann') == subject == 1
    video = writer.add_video(
        '114', split='train', category=1, subject_id=subject, fps=25.0
    )
    image = writer.add_image('f/1.jpg', 64, 48, video_id=video, frame_id=0)
    points = np.array([[10, 20], [40, 30.00049], [20, 60]])
    writer.add_face(image, points, subject_id=subject)
    path = tmp_path / 'new' / 'a.json'
    writer.save(path)

    # Box: x 10..40, y 20..60, so w 30, h 40, area 1200; the centre is
    # (25, 40), the scale 40 / 200, and sqrt(1200) = 34.6410.
    assert load(path) == {
        'info': {
            'source': 'here',
            'converter': 'convert_test',
            'version': '1.0',
            'protocol': 'official',
            'split': 'train',
            'base': 1,
            'counts': {
                'videos': 1,
                'images': 1,
                'annotations': 1,
                'subjects': 2,
            },
        },
        'videos': [
            {
                'id': 1,
                'name': '114',
                'category': 1,
                'subject_id': 1,
                'split': 'train',
                'fps': 25.0,
            }
        ],
        'subjects': [{'id': 1, 'name': 'Ann'}, {'id': 2, 'name': 'Bob'}],
        'images': [
            {
                'id': 1,
                'file_name': 'f/1.jpg',
                'width': 64,
                'height': 48,
                'video_id': 1,
                'frame_id': 0,
            }
        ],
        'annotations': [
            {
                'id': 1,
                'image_id': 1,
                'category_id': 1,
                'bbox': [10, 20, 30, 40],
                'area': 1200,
                'iscrowd': 0,
                'keypoints': [10, 20, 2, 40, 30, 2, 20, 60, 2],
                'num_keypoints': 3,
                'center': [25, 40],
                'scale': 0.2,
                'box_size': 34.641,
                'subject_id': 1,
            }
        ],
        'categories': [
            {
                'id': 1,
                'name': 'face',
                'supercategory': 'face',
                'keypoints': ['kpt-0', 'kpt-1', 'kpt-2'],
                'skeleton': [],
            }
        ],
    }
    assert [p.name for p in path.parent.iterdir()] == ['a.json']


def test_still_has_no_video_fields_and_empty_lists(tmp_path, load, face):
    writer = make_writer()
    image = writer.add_image('a.jpg', np.int64(64), np.int64(48))
    writer.add_face(image, face().astype(np.float32))
    writer.save(tmp_path / 'a.json')
    data = load(tmp_path / 'a.json')
    assert data['videos'] == data['subjects'] == []
    assert set(data['images'][0]) == {'id', 'file_name', 'width', 'height'}
    assert 'subject_id' not in data['annotations'][0]
    category = data['categories'][0]
    assert category['keypoints'][67] == 'kpt-67'
    assert len(category['keypoints']) == 68


def test_marks_that_are_not_visible_do_not_count(tmp_path, load):
    writer = make_writer(num_keypoints=3)
    image = writer.add_image('a.jpg', 64, 48)
    points = np.array([[10, 20], [np.nan, np.nan], [20, 60]])
    writer.add_face(image, points, visible=np.array([True, False, True]))
    writer.save(tmp_path / 'a.json')
    annotation = load(tmp_path / 'a.json')['annotations'][0]
    assert annotation['keypoints'] == [10, 20, 2, 0, 0, 0, 20, 60, 2]
    assert annotation['num_keypoints'] == 2
    assert annotation['bbox'] == [10, 20, 10, 40]


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        (lambda p: np.full_like(p, 3.0), 'box around the keypoints is empty'),
        (lambda p: p * [0, 1], 'box around the keypoints is empty'),
        (lambda p: p * [1, 0], 'box around the keypoints is empty'),
        (lambda p: np.where(p == p.max(), np.nan, p), 'not finite'),
        (lambda p: np.where(p == p.max(), np.inf, p), 'not finite'),
        (lambda p: p[:67], r'shape \(67, 2\) where \(68, 2\)'),
    ],
)
def test_bad_faces_are_named(face, change, says):
    writer = make_writer()
    image = writer.add_image('frames/001/000007.jpg', 64, 48)
    with pytest.raises(DataError, match=f'^frames/001/000007.jpg: .*{says}'):
        writer.add_face(image, change(face()))
    assert writer.counts['annotations'] == 0


def test_skeleton_counts_by_hand():
    pairs = skeleton_68()
    # Open chains of 17, 5, 5, 4, 5 keypoints have one line less than
    # keypoints; closed ones of 6, 6, 12, 8 keypoints have as many.
    assert len(pairs) == 16 + 4 + 4 + 3 + 4 + 6 + 6 + 12 + 8
    assert {mark for pair in pairs for mark in pair} == set(range(68))
    for pair in ([41, 36], [47, 42], [59, 48], [67, 60], [0, 1]):
        assert pair in pairs
    for pair in ([16, 17], [21, 22], [30, 31], [35, 36], [59, 60]):
        assert pair not in pairs


def test_failed_save_keeps_what_was_there(tmp_path, face):
    old = tmp_path / 'a.json'
    old.write_text('old')
    good, bad = make_writer(), make_writer()
    bad.add_video('v', split='train', fps=float('nan'))
    with pytest.raises(ValueError, match='JSON compliant'):
        save_all({old: good, tmp_path / 'b.json': bad})
    assert old.read_text() == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['a.json']


@pytest.mark.parametrize(
    ('error', 'status', 'line'),
    [
        (DataError('x.pts: is empty; remove it'), 2, 'error: x.pts: is '),
        (PermissionError(13, 'Permission denied', 'f'), 2, 'error: f: Perm'),
        (KeyboardInterrupt(), 130, 'interrupted'),
    ],
)
def test_main_guard_prints_one_line(capsys, error, status, line):
    def run():
        raise error

    with pytest.raises(SystemExit) as caught:
        main_guard(run)
    assert caught.value.code == status
    printed = capsys.readouterr().err
    assert printed.startswith(line) and printed.count('\n') == 1


def test_main_guard_lets_bugs_through():
    with pytest.raises(ZeroDivisionError):
        main_guard(lambda: 1 // 0)
