"""The network of a tracker: batches, states and settings of a config."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import build_model, tracker_config

from rednet_mm.apis import TorchNetwork
from rednet_mm.tracking.torch_network import ModelNetwork, padding_of
from rednet_mm.utils.errors import UserError

SIZE = 64


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A config and its weights."""
    config = tracker_config(SIZE, tracker=dict(min_score=0.25))
    path = tmp_path_factory.mktemp('network') / 'weights.pth'
    torch.save(dict(state_dict=build_model(config.model).state_dict()), path)
    return config, str(path)


@pytest.fixture(scope='module')
def network(files):
    return TorchNetwork(*files, keep_maps=True)


@pytest.fixture
def crops():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


def test_what_a_config_says_of_the_network(network):
    assert network.input_size == (SIZE, SIZE)
    assert network.num_keypoints == 68
    assert network.padding == 1.25
    assert network.settings == dict(min_score=0.25)


def test_results_are_those_of_the_models_step(network, crops):
    result, states = network.run(crops, [None] * 3)
    # Normalised as MMPose does it for still images.
    stills = [torch.from_numpy(crop).permute(2, 0, 1) for crop in crops]
    data = network.model.data_preprocessor(
        dict(inputs=stills, data_samples=[])
    )
    with torch.no_grad():
        step, _ = network.model.step(data['inputs'])
    for name in ('keypoints', 'scores', 'spreads'):
        ours, theirs = getattr(result, name), getattr(step, name)
        np.testing.assert_array_equal(ours, theirs.numpy())
    assert result.maps.shape == (3, 68, SIZE // 2, SIZE // 2)
    np.testing.assert_allclose(
        result.maps.max((2, 3)).clip(0, 1), result.scores
    )
    assert [state.hidden.shape for state in states] == [(2, 1, 64)] * 3


def test_a_new_face_beside_a_known_one(network, crops):
    _, (known, _, _) = network.run(crops, [None] * 3)
    both, _ = network.run(crops[1:], [known, None])
    alone, _ = network.run(crops[1:2], [known])
    fresh, _ = network.run(crops[2:], [None])
    for name in ('keypoints', 'scores', 'spreads'):
        one, two = getattr(both, name)
        np.testing.assert_allclose(one, getattr(alone, name)[0], atol=1e-2)
        np.testing.assert_allclose(two, getattr(fresh, name)[0], atol=1e-2)
    first, _ = network.run(crops[1:2], [None])
    assert np.abs(alone.keypoints - first.keypoints).max() > 1e-4


def test_half_precision_is_close(network, files, crops):
    whole, _ = network.run(crops, [None] * 3)
    network.precision = 'bf16'
    half, states = network.run(crops, [None] * 3)
    again, _ = network.run(crops, states)
    network.precision = 'fp32'
    assert half.scores.dtype == again.scores.dtype == np.float32
    # Eight bits of mantissa, through some twenty layers.
    assert np.abs(half.scores - whole.scores).max() < 0.05
    assert np.abs(half.scores - whole.scores).max() > 0
    with pytest.raises(UserError, match='fp32, bf16 or fp16'):
        TorchNetwork(*files, precision='int8')


def test_networks_of_another_kind_are_refused(files):
    with pytest.raises(UserError, match='Linear.*RecurrentPoseEstimator'):
        ModelNetwork(torch.nn.Linear(2, 2), files[0])


def test_other_ways_to_cut_out_faces_are_refused():
    affine = dict(type='TopdownAffine', input_size=(64, 64), use_udp=True)
    assert padding_of([dict(type='GetBBoxCenterScale'), affine]) == 1.25
    for pipeline in (
        [affine],
        [dict(type='GetBBoxCenterScale'), dict(affine, use_udp=False)],
    ):
        with pytest.raises(UserError, match='GetBBoxCenterScale'):
            padding_of(pipeline)
