"""Following faces with a network of random weights: ids, states, boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import build_model, tiny_model_cfg
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from rednet_mm.apis import LandmarkTracker
from rednet_mm.apis.tracker import box_of
from rednet_mm.datasets.metainfo import FACE_68

SIZE = 64
BOXES = np.array([[10.0, 5, 40, 40], [50, 30, 30, 30]])


@pytest.fixture(scope='module')
def tracker(tmp_path_factory):
    """A tracker that loses nothing, and asks no detector."""
    pipeline = [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale', padding=1.25),
        dict(type='TopdownAffine', input_size=(SIZE, SIZE), use_udp=True),
        dict(type='PackPoseInputs'),
    ]
    model = tiny_model_cfg(size=SIZE)
    dataset = dict(type='VideoClipDataset', pipeline=pipeline, test_mode=True)
    config = Config(
        dict(
            default_scope='mmpose',
            model=model,
            test_dataloader=dict(dataset=dataset),
        )
    )
    path = tmp_path_factory.mktemp('tracker') / 'weights.pth'
    weights = build_model(model).state_dict()
    meta = dict(dataset_meta=parse_pose_metainfo(FACE_68))
    torch.save(dict(meta=meta, state_dict=weights), path)
    return LandmarkTracker(config, str(path), min_score=-1)


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (80, 96, 3), np.uint8) for _ in range(3)]


def test_faces_keep_their_ids_and_boxes_follow(tracker, frames):
    state = tracker.init_state()
    assert state.ids == ()
    faces, state = tracker.step(frames[0], state, BOXES)
    assert [face.id for face in faces] == [0, 1]
    for face, box in zip(faces, BOXES):
        assert face.box.tolist() == box.tolist()
        assert face.keypoints.shape == (68, 2)
        assert face.scores.shape == (68,)
        # Within the crop: the box with 1.25 times its side.
        x, y, w, h = box
        low = np.array([x, y]) - 0.126 * w
        assert (face.keypoints >= low).all()
        assert (face.keypoints <= low + 1.252 * w).all()
    then, later = tracker.step(frames[1], state)
    assert [face.id for face in then] == [0, 1]
    for face, before in zip(then, faces):
        np.testing.assert_allclose(face.box, box_of(before.keypoints))
    assert later.next_id == 2


def test_faces_do_not_touch_each_other(tracker, frames):
    both = list(tracker.track(frames, BOXES))
    alone = list(tracker.track(frames, BOXES[1:]))
    assert len(both) == len(alone) == 3
    for pair, (single,) in zip(both, alone):
        np.testing.assert_allclose(
            pair[1].keypoints, single.keypoints, atol=1e-2
        )


def test_state_is_handed_on_and_not_kept(tracker, frames):
    _, first = tracker.step(frames[0], tracker.init_state(), BOXES)
    once, _ = tracker.step(frames[1], first)
    tracker.step(frames[2], first)
    again, _ = tracker.step(frames[1], first)
    for one, other in zip(once, again):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
    # The network's state is another after another frame.
    (hidden,) = {state.hidden.shape for state in first.recurrent}
    assert hidden == (2, 1, 256)


def test_lost_face_is_in_neither_and_is_looked_for_again(
    tracker, frames, monkeypatch
):
    asked = []

    def detector(frame):
        asked.append(frame)
        return BOXES[:1]

    monkeypatch.setattr(tracker, 'detector', detector)
    faces, state = tracker.step(frames[0], tracker.init_state())
    assert [face.id for face in faces] == [0]
    tracker.step(frames[1], state)
    assert len(asked) == 1
    # A score that cannot be reached loses it.
    monkeypatch.setattr(tracker, 'min_score', 1.1)
    faces, state = tracker.step(frames[1], state)
    assert faces == []
    assert state.ids == state.recurrent == ()
    assert state.boxes.shape == (0, 4)
    monkeypatch.setattr(tracker, 'min_score', -1)
    faces, state = tracker.step(frames[2], state)
    assert [face.id for face in faces] == [1]
    assert len(asked) == 2


def test_no_face_at_all(tracker, frames, monkeypatch):
    monkeypatch.setattr(tracker, 'detector', lambda _: np.zeros((0, 4)))
    faces, state = tracker.step(frames[0], tracker.init_state())
    assert faces == []
    assert state.ids == ()


def test_whole_frame_where_no_detector_is_given(tracker, frames):
    faces, _ = tracker.step(frames[0], tracker.init_state())
    assert [face.box.tolist() for face in faces] == [[0, 0, 96, 80]]
