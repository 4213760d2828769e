"""What AFLW and LFW need of the writer, and nobody else sees."""

from __future__ import annotations

import numpy as np
import pytest

from data_converters.errors import DataError
from data_converters.images import place_images
from data_converters.schema import DatasetWriter, keypoint_names, skeleton

# Seven keypoints, x 10..40 and y 20..50.
MARKS = np.array(
    [[10, 20], [18, 20], [30, 20], [40, 20], [25, 35], [15, 50], [35, 50]]
)


def write(num_keypoints: int = 7, info: dict | None = None, **face):
    writer = DatasetWriter('s', 'c', 'p', 'all', 0, num_keypoints, info)
    image = writer.add_image('a.jpg', 64, 64)
    writer.add_face(image, MARKS, **face)
    return writer._sections()


def test_without_options_nothing_is_added():
    (annotation,) = write()['annotations']
    # Order counts too: it is that of the bytes.
    assert list(annotation) == [
        'id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd',
        'keypoints', 'num_keypoints', 'center', 'scale', 'box_size',
    ]  # fmt: skip
    assert annotation['bbox'] == [10, 20, 30, 30]
    assert list(write()['info']) == [
        'source', 'converter', 'version', 'protocol', 'split', 'base',
        'counts',
    ]  # fmt: skip


def test_options_of_a_face():
    pose = dict(yaw=-30.00004, pitch=1.5, roll=0.0)
    sections = write(
        info=dict(left_out=3), box_size=44.72136, pose=pose, face_id=39341
    )
    (annotation,) = sections['annotations']
    assert annotation['box_size'] == 44.7214
    assert annotation['yaw'] == -30
    assert annotation['pitch'] == 1.5 and annotation['roll'] == 0
    assert annotation['face_id'] == 39341
    assert annotation['bbox'] == [10, 20, 30, 30]
    assert sections['info']['left_out'] == 3
    assert list(sections['info'])[-1] == 'counts'


def test_box_encloses_further_marks():
    visible = np.array([0, 0, 0, 0, 1, 1, 1])
    (annotation,) = write(visible=visible)['annotations']
    assert annotation['bbox'] == [15, 35, 20, 15]
    eyes = np.array([[14, 20], [34, 21]])
    (annotation,) = write(visible=visible, bbox_keypoints=eyes)['annotations']
    # x 14..35, y 20..50
    assert annotation['bbox'] == [14, 20, 21, 30]
    assert annotation['num_keypoints'] == 3
    with pytest.raises(DataError, match='not finite'):
        write(visible=visible, bbox_keypoints=eyes * np.nan)


def test_names_and_lines_by_number_of_marks():
    assert keypoint_names(3) == ['kpt-0', 'kpt-1', 'kpt-2']
    assert skeleton(3) == []
    assert keypoint_names(7)[4] == 'NC' and len(set(keypoint_names(7))) == 7
    assert skeleton(7) == [[0, 1], [2, 3], [5, 6]]
    assert len(set(keypoint_names(21))) == 21
    # Six parts of three keypoints.
    assert len(skeleton(21)) == 12


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_images_out_of_nested_and_several_folders(tmp_path, mode):
    source = tmp_path / 'source'
    names = ['top.jpg', 'a/x.jpg', 'a/b/y.jpg', 'c/d/z.jpg', 'c/d/w.jpg']
    for name in names:
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'w.jpg').write_text('c/d/w.jpg')
    files = {name: source / name for name in names}
    target = tmp_path / 'target'
    before = sorted(tmp_path.rglob('*'))
    for run in range(3):
        # The second run finds c/d as a link or a folder of the first one;
        # in the third one of its images comes from elsewhere.
        if run == 2:
            (source / 'c' / 'd' / 'w.jpg').unlink()
            before.remove(source / 'c' / 'd' / 'w.jpg')
            files['c/d/w.jpg'] = other / 'w.jpg'
        place_images(files, target, mode)
        for name in names:
            assert (target / name).read_text() == name
        assert (target / 'c' / 'd').is_symlink() == (
            mode == 'link' and run < 2
        )
        inside = {target, *target.rglob('*')}
        assert sorted({*tmp_path.rglob('*')} - inside) == before
