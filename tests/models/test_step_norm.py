"""Batch norm per step, and weights that come in from elsewhere."""

import pytest
import torch
from builders import build_model, tiny_model_cfg
from torch import nn

from rednet_mm.models.layers import StepBatchNorm2d, recurrent_step


def test_each_step_keeps_its_own_statistics():
    norm = StepBatchNorm2d(1, num_steps=2, momentum=1.0)
    first = torch.tensor([[[[1.0, 3.0]]]])  # mean 2
    second = torch.tensor([[[[10.0, 30.0]]]])  # mean 20
    for step, batch in enumerate((first, second)):
        with recurrent_step([norm], step):
            norm(batch)
    assert norm.running_mean.tolist() == [[2.0], [20.0]]
    # Unbiased variances: 2 and 200.
    assert norm.running_var.tolist() == [[2.0], [200.0]]
    norm.eval()
    # (3 - 2) / sqrt(2 + 1e-5)
    assert norm(first)[0, 0, 0, 1].item() == pytest.approx(0.70711, abs=1e-4)


def test_one_step_is_torchs_batch_norm():
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    ours, theirs = StepBatchNorm2d(3), nn.BatchNorm2d(3)
    for _ in range(3):
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_mean[0], theirs.running_mean)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_statistics_without_a_step_axis_load():
    theirs = nn.BatchNorm2d(2)
    theirs.running_mean.copy_(torch.tensor([1.0, 2.0]))
    ours = StepBatchNorm2d(2, num_steps=3)
    ours.load_state_dict(theirs.state_dict())
    assert ours.running_mean.tolist() == [[1.0, 2.0]] * 3


def test_another_number_of_steps_loads():
    two, three = StepBatchNorm2d(1, num_steps=2), StepBatchNorm2d(1, 3)
    two.running_mean.copy_(torch.tensor([[1.0], [2.0]]))
    three.load_state_dict(two.state_dict())
    # The step that was not there starts from the last that was.
    assert three.running_mean.tolist() == [[1.0], [2.0], [2.0]]
    two.load_state_dict(three.state_dict())
    assert two.running_mean.tolist() == [[1.0], [2.0]]


def test_stem_trained_on_images_alone_loads():
    plain = build_model(tiny_model_cfg(feedback='stem')).backbone
    ours = build_model(tiny_model_cfg(feedback='input')).backbone
    state = {
        name: value
        for name, value in plain.state_dict().items()
        if not name.startswith('feedback_unit')
    }
    assert ours.load_state_dict(state, strict=True)
    weight = ours.conv1.weight
    assert weight.shape[1] == 10  # 3 of the image, 7 of the response map
    torch.testing.assert_close(weight[:, :3], plain.conv1.weight)
    assert weight[:, 3:].abs().max() == 0


def test_the_step_ends_with_its_context():
    late = StepBatchNorm2d(1, num_steps=2, first_step=1)
    once = StepBatchNorm2d(1)
    with pytest.raises(RuntimeError), recurrent_step([late, once], 2):
        # Steps 1 and 2 are its first and second; one set serves all.
        assert (late.step, once.step) == (1, 0)
        raise RuntimeError
    assert (late.step, once.step) == (0, 0)
