"""Every variant of the network through the same checks.

Variants: depth x steps x feedback x recurrence over time x identity. The
plain run takes each pair of two settings at least once; the slow tests take
it once more in other variants, ResNet-101 and 152 among them.
"""

from __future__ import annotations

import io
import itertools
import math

import numpy as np
import pytest
import torch
from builders import build_model, random_samples, tiny_model_cfg
from mmpose.registry import MODELS
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from rednet_mm.structures import RecurrentState

NETWORKS = (18, 34, 50, 101, 152, 'vgg')
STEPS = (
    ('det',),
    ('reg',),
    ('det', 'det'),
    ('det', 'reg'),
    ('det', 'reg', 'reg'),
)
FEEDBACKS = ('stem', 'input')
SWITCHES = (True, False)
PRODUCT = list(
    itertools.product(NETWORKS, STEPS, FEEDBACKS, SWITCHES, SWITCHES)
)

# What bfloat16 may change of the raw maps, in the mean, over their mean size:
# it has 8 bits of precision, and a few dozen to 300 layers add up.
BFLOAT16_BOUND = 0.15


def pairs(variant):
    """Every two settings of a variant that stand together."""
    return set(itertools.combinations(enumerate(variant), 2))


def covering(variants):
    """Few variants in which every pair of settings is met; greedy."""
    missing = set().union(*(pairs(variant) for variant in variants))
    chosen = []
    while missing:
        best = max(variants, key=lambda each: len(pairs(each) & missing))
        chosen.append(best)
        missing -= pairs(best)
    return chosen


FEW = covering([each for each in PRODUCT if each[0] not in (101, 152)])
MORE = covering([each for each in PRODUCT if each not in FEW])
# Basic blocks, bottleneck units and VGG are what differs in a trace.
TRACED = [
    (18, ('det', 'reg'), 'input', True, True),
    (50, ('det', 'reg'), 'stem', True, True),
    ('vgg', ('det', 'reg'), 'stem', True, True),
]


def name(variant):
    network, steps, feedback, recurrent, identity = variant
    words = [str(network), '+'.join(steps), feedback]
    words += ['recurrent'] * recurrent + ['identity'] * identity
    return '-'.join(words)


def config(variant, **backbone):
    network, steps, feedback, recurrent, identity = variant
    settings = dict(depth=network)
    if network == 'vgg':
        settings = dict(backbone=dict(type='REDNetVGG', feedback=feedback))
    cfg = tiny_model_cfg(
        steps=steps,
        feedback=feedback,
        recurrent=recurrent,
        num_subjects=3 if identity else None,
        **settings,
    )
    cfg['backbone'].update(backbone)
    return cfg


def clips(batch=2, length=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, 3, 64, 64, generator=generator)


def does_nothing(model, parameter_name):
    """A bias before a batch norm: its exact gradient is zero."""
    return parameter_name.startswith('backbone.features.') and (
        parameter_name.endswith('.bias')
        and model.get_parameter(parameter_name[:-4] + 'weight').dim() == 4
    )


def losses_of(model, samples):
    torch.manual_seed(1)  # dropout
    losses = model(clips(), samples, mode='loss')
    return losses, sum(losses.values())


def check(variant):
    network, steps, _, recurrent, identity = variant
    samples = random_samples(4)
    model = build_model(config(variant)).train()

    # Losses, gradients.
    losses, total = losses_of(model, samples)
    expected = {f'loss_{kind}_{k}' for k, kind in enumerate(steps)}
    expected |= {'acc_pose'} | ({'loss_identity'} if identity else set())
    assert set(losses) == expected
    assert all(math.isfinite(value) for value in losses.values())
    total.backward()
    for key, parameter in model.named_parameters():
        if does_nothing(model, key):
            continue
        gradient = parameter.grad
        assert gradient is not None, key
        assert torch.isfinite(gradient).all(), key
        assert gradient.abs().max() > 0, key

    # Checkpointed equals plain.
    model.backbone.with_cp = True
    again, _ = losses_of(model, samples)
    model.backbone.with_cp = False
    for key, value in losses.items():
        torch.testing.assert_close(again[key], value, rtol=1e-5, atol=1e-6)

    with torch.no_grad():
        # Shapes.
        model.eval()
        channels = 7 if steps[-1] == 'det' else 68
        outputs, codes, state = model.unroll(clips())
        assert outputs[-1].shape == (4, channels, 32, 32)
        assert all(torch.isfinite(each).all() for each in outputs)
        code = 128 if network in (18, 34, 'vgg') else 512
        assert codes[-1].shape == (4, code // 2, 2, 2)
        result, _ = model.step(clips()[:, 0])
        assert result.keypoints.shape == (2, channels, 2)
        assert torch.isfinite(result.keypoints).all()

        # State: out and in again, apart and together.
        _, _, halfway = model.unroll(clips()[:, :1])
        alone = [halfway.select([video]) for video in range(2)]
        second, _, end = model.unroll(
            clips()[:, 1:], RecurrentState.join(alone)
        )
        if recurrent:
            assert state.hidden.shape == (len(steps), 2, 64)
            torch.testing.assert_close(end.hidden, state.hidden)
        else:
            assert state.hidden is None
        whole = outputs[-1].unflatten(0, (2, 2))[:, 1]
        torch.testing.assert_close(second[-1], whole, rtol=0, atol=1e-4)

        # Saved and loaded.
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        file.seek(0)
        other = MODELS.build(config(variant)).eval()
        other.load_state_dict(torch.load(file, weights_only=True))
        assert torch.equal(other.unroll(clips())[0][-1], outputs[-1])

        # bfloat16.
        with torch.autocast('cpu', dtype=torch.bfloat16):
            rough = model.unroll(clips())[0][-1].float()
        apart = (rough - outputs[-1]).abs().mean() / outputs[-1].abs().mean()
        assert apart < BFLOAT16_BOUND


def on(device, samples):
    """The same samples with keypoints on a device."""
    for sample in samples:
        labels = sample.gt_instance_labels
        labels.keypoint_labels = torch.zeros(1, 68, 2, device=device)
        labels.keypoint_weights = torch.ones(1, 68, device=device)
    return samples


def trace(variant, monkeypatch):
    """Loss, backward and predict on a GPU that is not there.

    Fake tensors know shapes and devices: one that is made on a fixed device
    meets one of the other, which is an error. Loss and predict run on fake
    CUDA tensors. torch's backward asks the driver for its streams, so on a
    machine without one loss and backward run on the meta device.
    """

    def numpy(tensor):
        assert tensor.device.type == 'cpu'
        return np.zeros(tuple(tensor.shape), np.float32)

    monkeypatch.setattr(FakeTensor, 'numpy', numpy, raising=False)
    cuda = torch.device('cuda')
    with (
        FakeTensorMode(),
        # The LSTM by its formula, not by a kernel of the machine's.
        enable_python_dispatcher(),
        torch.backends.cudnn.flags(enabled=False),
    ):
        with cuda:
            model = MODELS.build(config(variant))
            frames = torch.randn(2, 2, 3, 64, 64)
        samples = on(cuda, random_samples(4))
        losses = model.train()(frames, samples, mode='loss')
        assert {v.device.type for v in losses.values()} == {'cuda'}
        model.eval()
        with torch.no_grad():
            _, state = model.predict_clip(frames, samples)
            _, state = model.predict_clip(frames, samples, state)
            result, state = model.step(frames[:, 0], state)
        assert result.keypoints.device.type == 'cuda'
        if state.hidden is not None:
            assert state.hidden.device.type == 'cuda'

    meta = torch.device('meta')
    with meta:
        model = MODELS.build(config(variant, with_cp=True)).train()
        frames = torch.randn(2, 2, 3, 64, 64)
    losses = model(frames, on(meta, random_samples(4)), mode='loss')
    sum(losses.values()).backward()
    assert {p.grad.device.type for p in model.parameters()} == {'meta'}


@pytest.mark.parametrize('variant', FEW, ids=name)
def test_variant(variant):
    check(variant)


@pytest.mark.parametrize('variant', TRACED, ids=name)
def test_variant_on_fake_cuda(variant, monkeypatch):
    trace(variant, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize('variant', MORE, ids=name)
def test_more_variants(variant, monkeypatch):
    check(variant)
    if variant[0] not in (101, 152):  # in a trace they are as 50 is
        trace(variant, monkeypatch)
