"""Crops as the pipelines cut them, boxes from landmarks by hand."""

from __future__ import annotations

import numpy as np
import pytest
from builders import face_shape, tracker_config
from mmengine.dataset import Compose
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.tracking.boxes import (
    authors_bbox,
    bbox_from_keypoints,
    bbox_overlap,
    enlarge_bbox,
)
from rednet_mm.tracking.crops import Cropper
from rednet_mm.tracking.torch_network import padding_of
from rednet_mm.utils.errors import UserError

BOXES = np.array([[10.3, 5, 40.2, 33], [50, 30, 30, 60], [-20, -9, 50, 50]])


def test_crops_are_those_of_the_pipeline_bit_by_bit():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (80, 96, 3), np.uint8)
    config = tracker_config(64)
    steps = config.test_dataloader.dataset.pipeline
    pipeline = Compose(steps)
    crops = Cropper((64, 64), padding_of(steps))(frame, BOXES)
    keypoints = rng.uniform(0, 63, (3, 68, 2)).astype(np.float32)
    placed = crops.to_frame(keypoints)
    for place, (x, y, w, h) in enumerate(BOXES):
        corners = np.array([[x, y, x + w, y + h]], np.float32)
        packed = pipeline(
            dict(
                img=frame,
                bbox=corners,
                bbox_score=np.ones(1, np.float32),
                **parse_pose_metainfo(FACE_68),
            )
        )
        ours = crops.images[place].transpose(2, 0, 1)
        np.testing.assert_array_equal(ours, packed['inputs'].numpy())
        # Back to the frame as MMPose does it, whose units for UDP are a
        # share of the box times the size of the input: k / 63 * 64.
        meta = packed['data_samples'].metainfo
        theirs = keypoints[place] / 63 * 64 / meta['input_size']
        theirs = theirs * meta['input_scale'] + meta['input_center']
        theirs = theirs - 0.5 * meta['input_scale']
        np.testing.assert_allclose(placed[place], theirs, atol=1e-4)


def test_what_is_put_into_a_crop_comes_back():
    # A box of 40 pixels at (20, 10), enlarged by 1.5: 60 pixels from
    # (10, 0). The first crop pixel is the frame's (10, 0), the last (70, 60).
    frame = np.zeros((80, 96, 3), np.uint8)
    crops = Cropper((61, 61), 1.5)(frame, np.array([[20, 10, 40, 40]]))
    ends = np.array([[[0, 0], [60, 60], [30, 0]]], np.float32)
    assert crops.to_frame(ends)[0].tolist() == [[10, 0], [70, 60], [40, 0]]


def test_box_of_by_hand():
    # Extent x 10 to 30, y 5 to 45: the larger side is 40, the middle
    # (20, 25), so the square begins at (0, 5).
    marks = np.array([[10.0, 20], [30, 5], [20, 45]])
    assert bbox_from_keypoints(marks).tolist() == [0, 5, 40, 40]
    # Wider than high: extent 40 x 20 round (30, 10).
    wide = np.array([[10.0, 0], [50, 20]])
    assert bbox_from_keypoints(wide).tolist() == [10, -10, 40, 40]


def test_authors_box_by_hand():
    # Eyes in the mean at (20, 10), mouth at (20, 30): the middle (20, 20),
    # three times 20 is 60, which a padding of 1.5 makes of 40.
    marks = np.array(
        [(10, 10), (15, 10), (25, 10), (30, 10), (20, 20), (15, 30), (25, 30)],
        float,
    )
    assert authors_bbox(marks, 1.5).tolist() == [0, 0, 40, 40]
    of_68 = np.zeros((68, 2))
    of_68[[36, 39, 42, 45, 30, 48, 54]] = marks
    assert authors_bbox(of_68, 1.5).tolist() == [0, 0, 40, 40]
    with pytest.raises(UserError, match="not among 5; use 'extent'"):
        authors_bbox(marks[:5], 1.5)


def test_boxes_move_and_grow_with_the_face():
    marks = face_shape(64)
    for box in (bbox_from_keypoints, lambda m: authors_bbox(m, 1.25)):
        x, y, w, h = box(marks)
        assert w == h > 0
        np.testing.assert_allclose(
            box(2 * marks + (5, -3)), [2 * x + 5, 2 * y - 3, 2 * w, 2 * h]
        )


def test_enlarge_bbox_by_hand():
    box = np.array([10.0, 20, 40, 20])
    assert enlarge_bbox(box, 1).tolist() == box.tolist()
    # Twice as large: a half of each side more at each end.
    assert enlarge_bbox(box, 2).tolist() == [-10, 10, 80, 40]


def test_overlap_by_hand():
    one = np.array([0.0, 0, 10, 10])
    # 5 x 10 of 100; of the smaller one: all of 4 x 4; nothing.
    assert bbox_overlap(one, np.array([5.0, 0, 10, 10])) == 0.5
    assert bbox_overlap(one, np.array([3.0, 3, 4, 4])) == 1
    assert bbox_overlap(one, np.array([20.0, 0, 10, 10])) == 0
    assert bbox_overlap(one, np.array([2.0, 2, 0, 0])) == 0
