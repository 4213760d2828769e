"""The head in MMPose's own estimator, and what it refuses."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from builders import build_model, random_samples, tiny_model_cfg
from mmpose.registry import KEYPOINT_CODECS, MODELS

from rednet_mm.errors import UserError

FLIP = dict(flip_test=True, output_heatmaps=True)


def one_step(kind='reg', **settings):
    """A one-step network as MMPose's own estimator builds it."""
    ours = tiny_model_cfg(steps=(kind,), feedback=None)
    return MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            data_preprocessor=dict(type='PoseDataPreprocessor'),
            backbone=copy.deepcopy(ours['backbone']),
            head=copy.deepcopy(ours['head']),
            **settings,
        )
    )


def samples(number):
    found = random_samples(number, 64)
    for sample in found:
        sample.set_metainfo(
            dict(
                flip_indices=list(range(68)),
                input_size=(64, 64),
                input_center=np.array([32.0, 32.0]),
                input_scale=np.array([64.0, 64.0]),
            )
        )
    return found


@pytest.mark.parametrize('kind, number', [('reg', 68), ('det', 7)])
def test_mmposes_estimator_trains_and_predicts(kind, number):
    torch.manual_seed(0)
    model = one_step(kind, test_cfg=FLIP).train()
    frames = torch.randn(2, 3, 64, 64)
    losses = model(frames, samples(2), mode='loss')
    assert set(losses) == {f'loss_{kind}_0', 'acc_pose'}
    losses[f'loss_{kind}_0'].backward()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    # Without torch.no_grad() too.
    predicted = model(frames, samples(2), mode='predict')
    for sample in predicted:
        assert sample.pred_instances.keypoints.shape == (1, number, 2)
        assert sample.pred_fields.heatmaps.shape == (number, 32, 32)
    assert model(frames, None, mode='tensor').shape == (2, number, 32, 32)


@torch.no_grad()
def test_both_estimators_give_the_same():
    theirs = one_step(test_cfg=FLIP)
    theirs.eval()
    ours = build_model(
        tiny_model_cfg(steps=('reg',), neck=None, test_cfg=FLIP)
    )
    ours.load_state_dict(theirs.state_dict())
    ours.eval()
    frames = torch.randn(2, 3, 64, 64)
    for one, two in zip(
        theirs(frames, samples(2), mode='predict'),
        ours(frames, samples(2), mode='predict'),
    ):
        np.testing.assert_allclose(
            one.pred_instances.keypoints,
            two.pred_instances.keypoints,
            atol=1e-3,
        )
    mine, other = (m.loss(frames, samples(2)) for m in (ours, theirs))
    assert mine.keys() == other.keys()
    torch.testing.assert_close(mine['loss_reg_0'], other['loss_reg_0'])


def test_several_steps_need_the_recurrent_estimator():
    head = build_model(tiny_model_cfg()).head
    feats = (torch.zeros(1, 128, 32, 32),)
    for call in (head.loss, head.predict):
        with pytest.raises(UserError, match='RecurrentPoseEstimator'):
            call(feats, samples(1))
    # What it draws of a step is the same call for all.
    assert head.forward(feats).shape == (1, 68, 32, 32)
    assert head.forward(feats[0], 0).shape == (1, 7, 32, 32)


@pytest.mark.parametrize('indices', [(99,), (-1,), (3, 3)])
def test_landmarks_that_are_not_there_cannot_be_detected(indices):
    cfg = dict(tiny_model_cfg()['head'], det_indices=indices)
    with pytest.raises(UserError, match='det_indices are places among 68'):
        MODELS.build(cfg)
    MODELS.build(dict(cfg, det_indices=(0, 67)))


def test_accuracy_by_hand():
    head = build_model(tiny_model_cfg(steps=('reg',))).head
    # Maxima at map pixel (3, 5) are input pixel 63 / 31 times that.
    output = torch.zeros(1, 68, 32, 32)
    output[:, :, 5, 3] = 1
    truth = torch.tensor([3.0, 5.0]) * 63 / 31
    keypoints = truth.repeat(1, 68, 1)
    # 0.05 of 64 pixels are 3.2.
    keypoints[0, :10, 0] += 3.1
    keypoints[0, 10:30, 0] += 3.3
    weights = torch.ones(1, 68)
    weights[0, 40:] = 0
    share = head._accuracy(output, keypoints, weights)
    assert share.item() == pytest.approx(20 / 40)


def test_one_face_is_encoded_at_a_time():
    codec = KEYPOINT_CODECS.build(tiny_model_cfg()['head']['decoder'])
    faces = np.ones((2, 68, 2), np.float32)
    with pytest.raises(UserError, match='one face at a time, not 2'):
        codec.encode(faces)
    assert codec.encode(faces[:1])['keypoint_labels'].shape == (1, 68, 2)
