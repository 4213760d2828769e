"""Weights of one stage of the training in the network of another."""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from functools import cache

import pytest
import torch
from builders import random_samples, tiny_model_cfg
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import load_state_dict
from mmpose.registry import MODELS

from rednet_mm.models import IdentityHead
from rednet_mm.utils.checkpoint import check_checkpoint, match_state_dict
from rednet_mm.utils.errors import UserError

IMAGES = dict(recurrent=False)
LFW = dict(recurrent=False, num_subjects=5)
CLIPS = dict(num_subjects=3)


def build(seed=1, **settings):
    torch.manual_seed(seed)
    return MODELS.build(tiny_model_cfg(**settings))


@cache
def weights(**settings):
    """Of a network in which no tensor is as any is built."""
    generator = torch.Generator().manual_seed(2)
    return {
        name: torch.rand(value.shape, generator=generator)
        for name, value in shapes(**settings).items()
    }


def shapes(**settings):
    """The same names and shapes, one zero seen many times."""
    with torch.device('meta'):
        state = build(**settings).state_dict()
    return {
        name: torch.zeros(()).expand(value.shape)
        for name, value in state.items()
    }


@pytest.fixture
def entries():
    """What is logged during a test, mmengine's line on the path left out."""
    logger, said = MMLogger.get_current_instance(), []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: said.append(record.getMessage())
    logger.addHandler(handler)
    yield lambda: [each for each in said if not each.startswith('Loads chec')]
    logger.removeHandler(handler)


def by_mmengine(model, state):
    # What load_checkpoint, and with it the runner, calls.
    load_state_dict(model, OrderedDict(state), logger='current')


def by_torch(model, state):
    result = model.load_state_dict(state, strict=False)
    # What was explained is not told again.
    assert result.missing_keys == result.unexpected_keys == []


LOADERS = pytest.mark.parametrize('load', [by_mmengine, by_torch])

# Tensors of the backbone and the two convolutions of the head. By hand, for
# a ResNet-18: the encoder has 20 convolutions, the unit of the feedback 3,
# the skips 3 x 3 x 2, the decoder 4 x 2 (with a norm of 4 tensors each);
# the head 2 with a bias.
BACKBONE = 5 * (20 + 3 + 18 + 8) + 2 * 2
# And of the LSTM: weights and biases for the input and for itself.
LSTM = 4


@LOADERS
@pytest.mark.parametrize(
    'before, after, loaded, fresh, said',
    [
        (
            IMAGES,
            CLIPS,
            BACKBONE,
            ('neck.lstm.', 'identity_head.'),
            'fresh, not in the checkpoint: neck.lstm, identity_head',
        ),
        (
            IMAGES,
            LFW,
            BACKBONE,
            ('identity_head.',),
            'fresh, not in the checkpoint: identity_head',
        ),
        (
            LFW,
            CLIPS,
            BACKBONE,
            ('neck.lstm.', 'identity_head.classify.'),
            'fresh, not in the checkpoint: neck.lstm; fresh, since the '
            'checkpoint knows 5 subjects and the config 3: '
            'identity_head.classify',
        ),
        # And back: what the config does not have is left out.
        (
            CLIPS,
            IMAGES,
            BACKBONE,
            (),
            'not used: neck.lstm, identity_head',
        ),
        (
            CLIPS,
            dict(CLIPS, num_subjects=90),
            BACKBONE + LSTM,
            ('identity_head.classify.',),
            'fresh, since the checkpoint knows 3 subjects and the config 90: '
            'identity_head.classify',
        ),
        # One-shot detection first, then the paper's two steps.
        (
            dict(steps=('det',), feedback=None),
            dict(),
            BACKBONE - 5 * 3 - 2 + LSTM,
            ('backbone.feedback_unit.', 'head.final.reg.'),
            'fresh, not in the checkpoint: backbone.feedback_unit, '
            'head.final.reg',
        ),
        # The response map comes in elsewhere.
        (
            dict(),
            dict(feedback='input'),
            BACKBONE - 5 * 3 + LSTM,
            (),
            'extended by zeros: backbone.conv1.weight; not used: '
            'backbone.feedback_unit',
        ),
    ],
)
def test_stages_hand_their_weights_on(
    entries, load, before, after, loaded, fresh, said
):
    model = build(**after)
    start = copy.deepcopy(model.state_dict())
    given = weights(**before)
    load(model, given)
    for name, value in model.state_dict().items():
        expected = start[name] if name.startswith(fresh) else given[name]
        if 'running' in name and len(expected) < len(value):
            expected = expected.expand(2, -1)  # the only step's for both
        elif name == 'backbone.conv1.weight':
            assert not value[:, 3:].any()
            value = value[:, :3]
        assert torch.equal(value, expected), name
    assert entries() == [f'checkpoint: {loaded} tensors loaded; {said}']


@LOADERS
def test_nothing_is_said_when_all_fits(entries, load):
    model = build(**CLIPS)
    load(model, weights(**CLIPS))
    assert entries() == []
    for name, value in weights(**CLIPS).items():
        assert torch.equal(model.state_dict()[name], value)


def test_no_neck_before(entries):
    cfg = tiny_model_cfg(neck=None)
    state = MODELS.build(cfg).state_dict()
    build(depth=18).load_state_dict(state, strict=False)
    assert entries()[0].endswith('; fresh, not in the checkpoint: neck.lstm')


def test_a_file_is_loaded_and_trained_on(tmp_path, entries):
    path = str(tmp_path / 'epoch_1.pth')
    torch.save(dict(state_dict=build(seed=0, **LFW).state_dict()), path)
    model = build(**CLIPS).train()
    load_checkpoint(model, path, logger='current')
    (entry,) = entries()
    assert entry.startswith('checkpoint: ')
    losses = model(
        torch.randn(1, 2, 3, 64, 64), random_samples(2), mode='loss'
    )
    sum(losses.values()).backward()
    assert model.neck.lstm.weight_hh_l0.grad.abs().max() > 0
    assert model.identity_head.classify.weight.grad.abs().max() > 0


def test_the_callers_weights_stay_as_they_are():
    state = dict(weights(**CLIPS))
    before = dict(state)
    for settings in (IMAGES, dict(CLIPS, num_subjects=7)):
        build(**settings).load_state_dict(state, strict=False)
        assert state.keys() == before.keys()
        assert all(state[name] is before[name] for name in state)


@pytest.mark.parametrize(
    'before, after, named',
    [
        (IMAGES, CLIPS, 'neck.lstm.weight_ih_l0'),
        (CLIPS, IMAGES, 'neck.lstm.weight_ih_l0'),
        (LFW, dict(LFW, num_subjects=3), 'identity_head.classify.weight'),
    ],
)
def test_strict_is_strict(entries, before, after, named):
    model = build(**after)
    with pytest.raises(RuntimeError, match=named):
        model.load_state_dict(weights(**before))
    assert entries() == []
    # And it is over with that call.
    by_mmengine(model, weights(**before))
    (entry,) = entries()
    assert entry.startswith('checkpoint: ')


def test_identity_head_alone():
    five, three = IdentityHead(512, 5), IdentityHead(512, 3)
    start = copy.deepcopy(three.classify.state_dict())
    result = three.load_state_dict(five.state_dict(), strict=False)
    assert result.missing_keys == ['classify.weight', 'classify.bias']
    assert torch.equal(three.reduce.conv.weight, five.reduce.conv.weight)
    for name, value in three.classify.state_dict().items():
        assert torch.equal(value, start[name])
    with pytest.raises(RuntimeError, match='classify.weight'):
        three.load_state_dict(five.state_dict())
    narrow = IdentityHead(512, 5, embed_channels=128)
    with pytest.raises(RuntimeError, match='size mismatch for classify'):
        narrow.load_state_dict(five.state_dict(), strict=False)


@pytest.mark.parametrize(
    'before, after, load, test, resume',
    [
        (CLIPS, CLIPS, True, True, True),
        # Another stage: to be trained on, or at least without what is
        # missing not to be measured.
        (IMAGES, CLIPS, True, False, False),
        (LFW, dict(LFW, num_subjects=3), True, True, False),
        (IMAGES, LFW, True, True, False),
        (CLIPS, IMAGES, True, True, False),
        (dict(), dict(feedback='input'), True, False, False),
        # Another network: by shapes, by what is missing, by what is left.
        (dict(depth=18), dict(depth=34), False, False, False),
        (dict(depth=34), dict(depth=18), False, False, False),
        (dict(feedback='input'), dict(), False, False, False),
    ],
)
def test_what_a_checkpoint_may_be_used_for(
    tmp_path, before, after, load, test, resume
):
    path = str(tmp_path / 'epoch_1.pth')
    torch.save(shapes(**before), path)
    with torch.device('meta'):
        model = build(**after)
    for purpose, fits, hint in (
        ('load', load, 'or leave load_from out'),
        ('test', test, 'use the config it was trained with'),
        ('resume', resume, 'start a new training from its weights'),
    ):
        if fits:
            check_checkpoint(model, path, purpose)
            continue
        with pytest.raises(UserError) as caught:
            check_checkpoint(model, path, purpose)
        sentence = str(caught.value)
        assert sentence.startswith(f'{path} does not fit the config: ')
        assert hint in sentence and '\n' not in sentence


def test_other_depth_is_not_bridged(entries):
    deep = shapes(depth=34)
    model = build(depth=18)
    found = match_state_dict(model, deep)
    # 34 has 3, 4, 6, 3 units where 18 has 2 each: 8 of 10 tensors more.
    assert found.missing == found.unfit == ()
    assert len(found.unused) == 80
    assert found.unexpected == tuple(
        f'backbone.layer{layer}.{unit}'
        for layer, last in ((1, 2), (2, 3), (3, 5), (4, 2))
        for unit in range(2, last + 1)
    )
    result = model.load_state_dict(deep, strict=False)
    assert len(result.unexpected_keys) == 80
    assert entries() == []
