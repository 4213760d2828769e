"""The same experiments, smaller."""

from __future__ import annotations

import copy

import pytest
import torch
from builders import random_samples
from config_tools import ABLATIONS, CONFIGS, TINY, differences, read, walk
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from rednet_mm.engine.scaling import read_scale, scaled


@pytest.mark.parametrize('path', ABLATIONS, ids=lambda path: path.stem)
def test_every_ablation_trains_a_step(path):
    cfg = scaled(Config.fromfile(path), TINY)
    init_default_scope('mmpose')
    cfg.model.identity_head = cfg.model.get('identity_head')
    model = MODELS.build(cfg.model).train()
    losses = model(
        torch.randn(1, 2, 3, 64, 64), random_samples(2), mode='loss'
    )
    steps = [f'loss_{k}_{n}' for n, k in enumerate(cfg.model.head.steps)]
    identity = ['loss_identity'] if cfg.model.identity_head else []
    assert sorted(losses) == sorted(steps + identity + ['acc_pose'])
    total = sum(losses.values())
    total.backward()
    assert torch.isfinite(total) and total > 0
    assert (model.neck.lstm is not None) == cfg.model.neck.get(
        'recurrent', True
    )


def test_a_scale_reaches_every_place():
    cfg = read('rednet_resnet_300vw')
    before = copy.deepcopy(cfg)
    data = dict(
        train=dict(type='VideoClipDataset', ann_file='a.json', clip_length=3),
        test=dict(type='VideoClipDataset', ann_file='b.json'),
        max_epochs=5,
        batch_size=2,
        num_subjects=7,
    )
    small = scaled(
        cfg,
        dict(
            TINY,
            data=dict(clips=data),
            evaluator=dict(groups='turn'),
        ),
    )
    assert differences(cfg, before) == []
    places = dict(walk(small._cfg_dict))
    sizes = {v for k, v in places.items() if k[-1] == 'input_size'}
    assert sizes == {(64, 64)}
    # 64 is a quarter of 256: sigma and radius are too.
    sigmas = {v for k, v in places.items() if k[-1] in ('sigma', 'radius')}
    assert sigmas == {1.25}
    assert small.model.backbone.depth == 18
    assert small.model.neck.in_channels == 512
    assert small.model.identity_head.in_channels == 256
    assert small.model.identity_head.num_subjects == 7
    assert small.train_dataloader.batch_size == 2
    assert small.train_dataloader.dataset.clip_length == 3
    assert small.val_dataloader.dataset.test_mode
    assert small.test_dataloader == small.val_dataloader
    assert small.test_evaluator.groups == 'turn'
    assert small.train_cfg.max_epochs == 5
    # 30 and 42 of 50 epochs.
    assert small.param_scheduler[1].milestones == [3, 4]


@pytest.mark.parametrize('network', ['resnet', 'vgg'])
def test_narrower_networks(network):
    widths = dict(REDNetResNet=16, REDNetVGG=8)
    cfg = scaled(
        read(f'rednet_{network}_300vw'), dict(TINY, base_channels=widths)
    )
    init_default_scope('mmpose')
    model = MODELS.build(cfg.model).train()
    wide = 512 * (16 if network == 'resnet' else 8) // 64
    assert model.backbone.code_channels == wide
    losses = model(
        torch.randn(1, 2, 3, 64, 64), random_samples(2), mode='loss'
    )
    assert 'loss_identity' in losses


def test_films_of_a_scale():
    kind = dict(
        train=dict(type='CombinedClipDataset'),
        test=dict(type='CombinedClipDataset'),
        max_batches=7,
        film=dict(shift=0.2),
    )
    small = scaled(read('rednet_resnet_300vw'), dict(data=dict(clips=kind)))
    train, test = (
        loader.dataset.pipeline
        for loader in (small.train_dataloader, small.test_dataloader)
    )
    # Behind the box of the face; the same films in every test.
    assert [step['type'] for step in train[1:4]] == [
        'GetBBoxCenterScale',
        'ClipFromImage',
        'TopdownAffine',
    ]
    assert train[2] == dict(type='ClipFromImage', shift=0.2)
    assert test[2] == dict(type='ClipFromImage', shift=0.2, seed=0)
    assert small.train_dataloader.batch_sampler.max_batches == 7


def test_schedule_of_a_scale():
    scale = dict(
        param_scheduler=[dict(type='CosineAnnealingLR', T_max='max_epochs')],
        data=dict(clips=dict(train={'type': 'A'}, test={}, max_epochs=4)),
    )
    small = scaled(read('rednet_resnet_300vw'), scale)
    assert small.param_scheduler == [dict(type='CosineAnnealingLR', T_max=4)]


def test_scales_of_the_repository_can_be_read():
    paths = sorted((CONFIGS / 'ablations' / 'scales').glob('*.py'))
    assert paths
    for path in paths:
        scale = read_scale(path)
        for ablation in ABLATIONS:
            if ablation.stem in scale.get('left_out', ()):
                continue
            cfg = scaled(Config.fromfile(ablation), scale)
            kind = scale['data'][cfg.stage.data]
            assert cfg.train_cfg.max_epochs == kind['max_epochs']


def test_what_is_no_scale(tmp_path):
    path = tmp_path / 'scale.py'
    path.write_text('learning = 3\n')
    with pytest.raises(ValueError, match='is not a scale'):
        read_scale(path)
    path.write_text('data = dict(films=dict())\n')
    with pytest.raises(ValueError, match='is not a scale'):
        read_scale(path)
    with pytest.raises(ValueError, match='multiple of 32'):
        scaled(read('rednet_resnet_300vw'), dict(input_size=100))
