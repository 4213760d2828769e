"""Faces that go on from their last keypoints, beside faces that are new."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import build_model, tiny_model_cfg, tracker_config
from drawn_faces import SquareNetwork, frame, squares

from rednet_mm.apis import FaceResult, LandmarkTracker
from rednet_mm.apis.crops import Cropper
from rednet_mm.apis.network import ModelNetwork, by_past


@pytest.fixture(scope='module')
def network() -> ModelNetwork:
    config = tracker_config()
    config.model = tiny_model_cfg(init_from='previous', recurrent=False)
    model = build_model(config.model).train()
    with torch.no_grad():
        model.unroll(torch.randn(2, 2, 3, 64, 64))
        model.head.final['reg'].weight.normal_(std=0.1)
        model.head.final['reg'].bias.fill_(5)
    return ModelNetwork(model.eval(), config, keep_maps=True)


def crops(number: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(number, 64, 64, 3), dtype=np.uint8)


def warps(number: int) -> np.ndarray:
    """Crops of twice the frame's pixels, each somewhere else."""
    found = 2 * np.eye(3, dtype=np.float32)[None, :2].repeat(number, 0)
    found[:, 0, 2] = -10 * np.arange(number)
    return found


def test_new_and_followed_faces_in_one_frame_are_as_alone(network):
    first, places = crops(3), warps(3)
    _, states = network.run(first, [None] * 3, places)
    second, mixed = crops(3, 1), [states[0], None, states[2]]
    together, after = network.run(second, mixed, places)
    for face in range(3):
        one = slice(face, face + 1)
        alone, own = network.run(second[one], mixed[one], places[one])
        for name in ('keypoints', 'scores', 'spreads', 'maps'):
            np.testing.assert_allclose(
                getattr(together, name)[face],
                getattr(alone, name)[0],
                atol=1e-3,
            )
        torch.testing.assert_close(
            after[face].keypoints, own[0].keypoints, rtol=0, atol=1e-3
        )
    # The past makes a difference.
    new, _ = network.run(second[:1], [None], places[:1])
    assert np.abs(new.maps[0] - together.maps[0]).max() > 1e-4


def test_order_of_faces_is_kept():
    calls = []

    def run(crops, states, warps):
        calls.append((crops[:, 0].tolist(), warps[:, 0].tolist()))
        values = crops.astype(np.float32)
        return FaceResult(values, values, values), [
            (value, state) for value, state in zip(crops[:, 0], states)
        ]

    faces = np.arange(5)[:, None]
    states = ['a', None, 'b', None, 'c']
    found, after = by_past(run, faces, states, faces * 10)
    assert calls == [([1, 3], [10, 30]), ([0, 2, 4], [0, 20, 40])]
    assert found.keypoints[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert found.maps is None
    assert after == list(zip(range(5), states))


def test_warps_of_crops_undo_the_way_to_the_frame():
    image = np.zeros((100, 120, 3), np.uint8)
    boxes = np.array([[10.0, 20, 30, 40], [50, 5, 61, 22]])
    cut = Cropper((64, 64), 1.25)(image, boxes)
    inside = np.random.default_rng(0).uniform(0, 63, (2, 5, 2))
    there = cut.to_frame(inside.astype(np.float32))
    back = np.einsum('fij,fkj->fki', cut.warps[:, :, :2], there)
    back = back + cut.warps[:, None, :, 2]
    np.testing.assert_allclose(back, inside, atol=1e-3)


def test_tracker_says_where_its_crops_are():
    class Network(SquareNetwork):
        def run(self, crops, states, warps=None):
            self.warps = warps
            return super().run(crops, states, warps)

    network = Network()
    tracker = LandmarkTracker(network, squares)
    list(tracker.track([frame((30, 40)), frame((33, 40))]))
    # The corner of the square of the first frame is where its box is, which
    # is where the crop of the second was cut out.
    corner = network.warps[0, :, :2] @ [30, 40] + network.warps[0, :, 2]
    # 64 pixels for 1.5 boxes: a sixth of them to either side.
    np.testing.assert_allclose(corner, [63 / 6] * 2, atol=1.5)


@pytest.mark.parametrize(('limit', 'seen'), [(0.5, 0), (1.5, 3), (None, 3)])
def test_doubted_faces_begin_anew(limit, seen):
    network = SquareNetwork()
    tracker = LandmarkTracker(network, squares, restart_spread=limit)
    frames = [frame((30 + n, 40)) for n in range(4)]
    faces = list(tracker.track(frames))
    # It is followed either way; a clear square has a spread of 1.
    assert [[face.id for face in each] for each in faces] == [[0]] * 4
    assert network.memories[-1] == [seen]
