"""Equations 6 and 8 on maps of 2 x 2 pixels, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from rednet_mm.models.losses import ResponseMapBCELoss, ResponseMapL2Loss

ONE = torch.ones(1, 1)


def test_detection_loss_by_hand():
    # Logits 0, ln 3, -ln 3, 0 are probabilities 1/2, 3/4, 1/4, 1/2.
    three = math.log(3)
    output = torch.tensor([[[[0.0, three], [-three, 0.0]]]])
    target = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    # -ln p where the disc is, times 10; -ln(1 - p) elsewhere:
    #   10 ln 2, 10 ln(4/3), ln(4/3), ln 2; the mean of the four pixels.
    expected = (11 * math.log(2) + 11 * math.log(4 / 3)) / 4
    loss = ResponseMapBCELoss(foreground_weight=10)(output, target, ONE)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    half = ResponseMapBCELoss(foreground_weight=10, loss_weight=0.5)
    assert half(output, target, ONE).item() == pytest.approx(
        expected / 2, rel=1e-6
    )
    # Weight 1 is the plain cross-entropy.
    plain = ResponseMapBCELoss(foreground_weight=1)(output, target, ONE)
    assert plain.item() == pytest.approx(
        (2 * math.log(2) + 2 * math.log(4 / 3)) / 4, rel=1e-6
    )


def test_regression_loss_by_hand():
    output = torch.tensor([[[[0.5, 0.5], [0.3, -0.2]]]])
    target = torch.tensor([[[[1.0, 0.2], [0.1, 0.0]]]])
    # 1 and 0.2 are above the threshold of 0.1, 0.1 is not:
    #   10 * 0.25, 10 * 0.09, 0.04, 0.04 -> 3.48 / 4.
    loss = ResponseMapL2Loss(foreground_weight=10)(output, target, ONE)
    assert loss.item() == pytest.approx(0.87, rel=1e-6)
    # Above 0.5 only the first: 2.5 + 0.09 + 0.04 + 0.04 = 2.67.
    high = ResponseMapL2Loss(10, threshold=0.5, loss_weight=4)
    assert high(output, target, ONE).item() == pytest.approx(2.67, rel=1e-6)


@pytest.mark.parametrize('loss', [ResponseMapBCELoss(), ResponseMapL2Loss()])
def test_masked_maps_do_not_count(loss):
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 3, 2, 2, generator=generator)
    target = (torch.rand(2, 3, 2, 2, generator=generator) > 0.5).float()
    weight = torch.tensor([[1.0, 0, 1], [0, 0, 1]])
    kept = [(0, 0), (0, 2), (1, 2)]
    alone = [
        loss(output[n, k][None, None], target[n, k][None, None], ONE)
        for n, k in kept
    ]
    masked = loss(output, target, weight)
    torch.testing.assert_close(masked, torch.stack(alone).mean())

    output.requires_grad_()
    loss(output, target, weight).backward()
    silent = output.grad.abs().sum((2, 3)) == 0
    assert torch.equal(silent, weight == 0)


@pytest.mark.parametrize('loss', [ResponseMapBCELoss(), ResponseMapL2Loss()])
def test_all_masked_is_zero_with_a_gradient_graph(loss):
    output = torch.randn(2, 3, 2, 2, requires_grad=True)
    value = loss(output, torch.ones(2, 3, 2, 2), torch.zeros(2, 3))
    assert value.item() == 0
    value.backward()
    assert torch.equal(output.grad, torch.zeros_like(output))


@pytest.mark.parametrize('loss', [ResponseMapBCELoss(), ResponseMapL2Loss()])
def test_half_precision_output_is_summed_in_full(loss):
    output = torch.full((1, 1, 2, 2), 0.3, dtype=torch.bfloat16)
    value = loss(output, torch.ones(1, 1, 2, 2), ONE)
    assert value.dtype == torch.float32
    exact = loss(output.float(), torch.ones(1, 1, 2, 2), ONE)
    assert value.item() == exact.item()
