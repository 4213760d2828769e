"""Two processes train what one does, started as a user would."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from builders import write_videos
from mmengine.config import Config
from mmengine.runner import Runner

sys.path.insert(
    0, str(Path(__file__).parents[3] / 'tools' / 'dev' / 'benchmarks')
)

from scale_out import (
    Trained,
    apart,
    as_markdown,
    read,
    shared,
    train,
    without_chance,
)

CONFIG = Path(__file__).parents[3] / 'configs' / 'rednet_r18_tiny300vw.py'


@pytest.fixture
def config(tmp_path):
    """Four iterations an epoch of four clips, each of another subject."""
    data = write_videos(
        tmp_path, videos=5, frames=6, splits=['train'] * 4 + ['val']
    )
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict(
        {
            # A neck with batch norms, an identity head without.
            'model.backbone.base_channels': 8,
            'model.neck.in_channels': 64,
            'model.identity_head.in_channels': 32,
            'model.identity_head.embed_channels': 32,
            # Short steps: a training makes more of the order of adding from
            # step to step, and AdamW at once, whose steps hang on the sign
            # of gradients that are next to nothing.
            'optim_wrapper.optimizer.type': 'SGD',
            'optim_wrapper.optimizer.lr': 0.01,
            'optim_wrapper.optimizer.momentum': 0.9,
            'train_dataloader.dataset.data_root': str(data),
            'train_dataloader.dataset.clips_per_video': 2,
        }
    )
    return without_chance(cfg, epochs=2)


def train_here(cfg, folder):
    """One process: this one, without the time that another takes to start."""
    cfg = shared(cfg, 1, sync=False)
    cfg.work_dir = str(folder)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.experiment_name = folder.name
    Runner.from_cfg(cfg).train()
    return read(folder)


@pytest.mark.slow
def test_two_processes_train_what_one_does(config, tmp_path):
    one = train_here(config, tmp_path / 'one')
    assert config.train_dataloader.batch_size == 4  # it is not shared yet
    two = train(shared(config, 2, sync=True), tmp_path / 'two', 2)
    assert len(one.losses) == 8
    for name, value in one.start.items():
        assert torch.equal(value, two.start[name]), name
    metrics = apart(one, two)
    # With batch norms of each process alone the first loss is off by 1e-2.
    assert metrics['first_loss'] < 1e-6
    assert metrics['loss'] < 1e-3
    assert metrics['weights'] < 0.1
    assert metrics['statistics'] < 0.01


def test_what_is_compared():
    start = {'w': torch.zeros(2), 'n.running_mean': torch.zeros(1)}
    ends = [
        {'w': torch.tensor(w), 'n.running_mean': torch.tensor([m])}
        for w, m in (([3.0, 4.0], 2.0), ([3.0, 4.5], 1.0))
    ]
    one, two = (
        Trained(losses, start, end)
        for losses, end in zip(([2.0, 4.0], [2.0, 3.0]), ends)
    )
    metrics = apart(one, two)
    # Of 4, 1; 0.5 of the way of 5 from (0, 0) to (3, 4); 1 of 2.
    assert metrics == pytest.approx(
        dict(first_loss=0, loss=0.25, weights=0.1, statistics=0.5)
    )
    text = as_markdown(one, {'two': metrics}, 'Here;')
    assert 'Here; 2 iterations; the loss of one process went from 2.0' in text
    assert '| two | 0.0e+00 | 2.5e-01 | 1.0e-01 | 5.0e-01 |' in text
