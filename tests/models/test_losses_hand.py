"""Equations 6, 8, 9, 11, 13 and 14 on 2 x 2 pixels, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from builders import build_model, tiny_model_cfg
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from rednet_mm.models.losses import ResponseMapBCELoss, ResponseMapL2Loss
from rednet_mm.structures import RecurrentState

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
    # Two maps of the first face, then that face and the other.
    expected = ((alone[0] + alone[1]) / 2 + alone[2]) / 2
    torch.testing.assert_close(masked, expected)

    output.requires_grad_()
    loss(output, target, weight).backward()
    silent = output.grad.abs().sum((2, 3)) == 0
    assert torch.equal(silent, weight == 0)


def test_a_face_with_few_landmarks_weighs_as_much_by_hand():
    # Face 0 has one map with an error of 0.2, face 1 three with one of 0.4
    # (pixels below the threshold count once): 0.04 and 0.16, the mean is
    # 0.1. Over the maps of the batch it would be (0.04 + 3 * 0.16) / 4 = 0.13.
    # Face 2 has none and does not count.
    output = torch.tensor([0.2, 0.4, 9.0])[:, None, None, None]
    output = output.expand(3, 3, 2, 2)
    weight = torch.tensor([[1.0, 0, 0], [1, 1, 1], [0, 0, 0]])
    loss = ResponseMapL2Loss()(output, torch.zeros(3, 3, 2, 2), weight)
    assert loss.item() == pytest.approx(0.1, rel=1e-6)


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


# Below: an input of 4 x 4 pixels and response maps of 2 x 2, so input pixel
# 0 is map pixel 0 and 3 is 1. Two landmarks, the first of them detected: at
# map pixels (0, 0) and (1, 1). The disc of radius 0.5 is one pixel.
HEAD = dict(
    type='REDNetHead',
    in_channels=1,
    num_keypoints=2,
    det_indices=(0,),
    decoder=dict(
        type='ResponseMap',
        input_size=(4, 4),
        response_size=(2, 2),
        radius=0.5,
        sigma=1.0,
    ),
    loss_reg=dict(type='ResponseMapL2Loss', loss_weight=4.0),
)
# Gaussians of sigma 1 at distances 0, 1, 1, sqrt(2) map pixels; all above
# the foreground's threshold of 0.1, so every pixel counts 10 times.
NEAR, FAR = math.exp(-0.5), math.exp(-1)
GAUSSIANS = torch.tensor(
    [[[1, NEAR], [NEAR, FAR]], [[FAR, NEAR], [NEAR, 1]]]
)  # (C_r, h, w)
# Empty maps: the squares of the Gaussians, by 10, the mean of 4 pixels.
REG_EMPTY = 10 * (1 + 2 * NEAR**2 + FAR**2) / 4
# Logits of 0: ln 2 a pixel, 10 times in the disc: 13 ln 2 over 4 pixels.
DET_EMPTY = 13 * math.log(2) / 4
# Probabilities of 3/4 for what is true: 13 ln(4/3) over 4 pixels.
DET_GOOD = 13 * math.log(4 / 3) / 4


def frame_sample(subject=None):
    labels = InstanceData()
    labels.keypoint_labels = torch.tensor([[[0.0, 0.0], [3.0, 3.0]]])
    labels.keypoint_weights = torch.ones(1, 2)
    sample = PoseDataSample(gt_instance_labels=labels)
    sample.set_metainfo(dict(subject_label=subject))
    return sample


def good_logits():
    three = math.log(3)
    return torch.tensor([[[[three, -three], [-three, -three]]]])


def two_frames():
    """Outputs of both steps: frame 0 knows nothing, frame 1 is good."""
    det = torch.cat([torch.zeros(1, 1, 2, 2), good_logits()])
    reg = torch.stack([torch.zeros(2, 2, 2), GAUSSIANS])
    return [det, reg]


def test_both_tasks_by_hand():
    # Equation 9 for one frame: l_det + lambda l_reg, lambda = 4.
    head = MODELS.build(HEAD)
    outputs = [torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2)]
    losses = head.loss_by_output(outputs, [frame_sample()])
    # Empty maps have their maximum at the first pixel: one of two is right.
    assert losses.pop('acc_pose').item() == 0.5
    assert set(losses) == {'loss_det_0', 'loss_reg_1'}
    assert losses['loss_det_0'].item() == pytest.approx(DET_EMPTY, rel=1e-6)
    assert losses['loss_reg_1'].item() == pytest.approx(
        4 * REG_EMPTY, rel=1e-6
    )
    total = sum(losses.values()).item()
    assert total == pytest.approx(DET_EMPTY + 4 * REG_EMPTY, rel=1e-6)


def test_all_frames_of_a_clip_by_hand():
    # Equation 11 for T = 2, as the mean over t: the sum over T divided by T.
    losses = MODELS.build(HEAD).loss_by_output(
        two_frames(), [frame_sample()] * 2
    )
    det = (DET_EMPTY + DET_GOOD) / 2
    reg = (REG_EMPTY + 0) / 2
    assert losses['loss_det_0'].item() == pytest.approx(det, rel=1e-6)
    assert losses['loss_reg_1'].item() == pytest.approx(4 * reg, rel=1e-6)


def identity_head(loss_weight=1.0):
    """Two subjects; the logits are ln 3 times the averaged code."""
    head = MODELS.build(
        dict(
            type='IdentityHead',
            in_channels=2,
            embed_channels=2,
            num_subjects=2,
            dropout=0.0,
            loss_weight=loss_weight,
        )
    )
    with torch.no_grad():
        head.classify.weight.copy_(math.log(3) * torch.eye(2))
        head.classify.bias.zero_()
    return head


def identity_codes():
    """Codes (N = 2, C_i = 2, 1, 2) that average to (1, 0)."""
    code = torch.tensor([[[[0.5, 1.5]], [[-1.0, 1.0]]]])
    return code.expand(2, -1, -1, -1)


def test_identity_loss_by_hand():
    # Equation 13 as the N-way cross-entropy of section 4.3: the logits are
    # (ln 3, 0), the softmax is 3/4 and 1/4. The first frame shows subject 0,
    # -ln(3/4), the second subject 1, -ln(1/4).
    samples = [frame_sample(0), frame_sample(1)]
    (loss,) = identity_head().loss([identity_codes()], samples).values()
    expected = (math.log(4 / 3) + math.log(4)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    # Who is not known does not count.
    samples = [frame_sample(0), frame_sample(None)]
    (loss,) = identity_head().loss([identity_codes()], samples).values()
    assert loss.item() == pytest.approx(math.log(4 / 3), rel=1e-6)


def test_the_whole_objective_by_hand(monkeypatch):
    # Equation 14: l_det + lambda l_reg + gamma l_cls, at every t and in both
    # recurrent steps; lambda = 4, gamma = 0.1.
    model = build_model(tiny_model_cfg(num_subjects=2))
    model.head = MODELS.build(HEAD)
    model.identity_head = identity_head(loss_weight=0.1)
    unrolled = two_frames(), [identity_codes()] * 2, RecurrentState()
    monkeypatch.setattr(model, 'unroll', lambda *args: unrolled)
    samples = [frame_sample(0), frame_sample(1)]
    losses = model.loss(torch.zeros(1, 2, 3, 4, 4), samples)
    expected = (
        (DET_EMPTY + DET_GOOD) / 2
        + 4 * REG_EMPTY / 2
        + 0.1 * (math.log(4 / 3) + math.log(4)) / 2
    )
    losses.pop('acc_pose')
    assert sum(losses.values()).item() == pytest.approx(expected, rel=1e-6)
