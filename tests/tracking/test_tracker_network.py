"""Following faces with a network of random weights: videos do not touch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import build_model, tracker_config

from rednet_mm.apis import LandmarkTracker, TorchNetwork

BOXES = np.array([[10.0, 5, 40, 40], [50, 30, 30, 30]])


@pytest.fixture(scope='module')
def tracker(tmp_path_factory):
    """A tracker that loses nothing, and asks no detector."""
    config = tracker_config(64, tracker=dict(min_score=-1, merge=0))
    path = tmp_path_factory.mktemp('tracker') / 'weights.pth'
    torch.save(dict(state_dict=build_model(config.model).state_dict()), path)
    return LandmarkTracker(TorchNetwork(config, str(path)), None)


def video(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (80, 96, 3), np.uint8) for _ in range(4)]


def assert_same(some, others):
    assert len(some) == len(others)
    for faces, likewise in zip(some, others):
        assert [face.id for face in faces] == [face.id for face in likewise]
        for one, other in zip(faces, likewise):
            for name in ('box', 'keypoints', 'scores', 'spread'):
                np.testing.assert_array_equal(
                    getattr(one, name), getattr(other, name)
                )


def test_interleaved_videos_are_as_alone_bit_by_bit(tracker):
    one, other = video(0), video(1)
    alone = list(tracker.track(one, BOXES)), list(tracker.track(other, BOXES))
    states = [tracker.init_state(), tracker.init_state()]
    found = [], []
    for number in range(4):
        for place, frames in enumerate((one, other)):
            given = BOXES if number == 0 else None
            faces, states[place] = tracker.step(
                frames[number], states[place], given
            )
            found[place].append(faces)
    assert [len(faces) for faces in alone[0]] == [2] * 4
    assert_same(found[0], alone[0])
    assert_same(found[1], alone[1])


def test_step_leaves_its_state_as_it_was(tracker):
    frames = video(0)
    _, state = tracker.step(frames[0], tracker.init_state(), BOXES)
    once, _ = tracker.step(frames[1], state)
    tracker.step(frames[2], state)
    again, _ = tracker.step(frames[1], state)
    assert_same([once], [again])
    # The network's memory of each face: two steps, 64 numbers.
    assert {face.memory.hidden.shape for face in state.faces} == {(2, 1, 64)}


def test_a_face_goes_on_with_its_own_memory(tracker):
    frames = video(0)
    both = list(tracker.track(frames, BOXES))
    alone = list(tracker.track(frames, BOXES[1:]))
    for pair, (single,) in zip(both, alone):
        np.testing.assert_allclose(
            pair[1].keypoints, single.keypoints, atol=1e-2
        )
    fresh, _ = tracker.step(
        frames[3], tracker.init_state(), both[3][1].box[None]
    )
    assert np.abs(fresh[0].scores - both[3][1].scores).max() > 1e-6
