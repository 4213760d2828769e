"""The same seed gives the same weights and the same table, to the bit."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch
from builders import write_videos
from mmengine.runner import Runner

from rednet_mm.utils.checkpoint import read_checkpoint
from rednet_mm.utils.cli import add_run_arguments, run_config

CONFIG = Path(__file__).parents[1] / 'configs' / 'rednet_r18_tiny300vw.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    splits = ['train', 'train', 'val']
    root = tmp_path_factory.mktemp('reproducible')
    return write_videos(root, videos=3, frames=6, splits=splits)


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', ':16:8')
    monkeypatch.setenv('LOCAL_RANK', '0')
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


def run(data, work_dir, *words):
    """Train for an epoch: the checkpoint, and what can be tested."""
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add_run_arguments(parser)
    options = {
        'model.backbone.base_channels': 8,
        'model.neck.in_channels': 64,
        'model.identity_head.in_channels': 32,
        'train_dataloader.batch_size': 2,
        'train_dataloader.dataset.clips_per_video': 1,
        'train_cfg.max_epochs': 1,
    }
    for each in ('train', 'val', 'test'):
        options[f'{each}_dataloader.dataset.data_root'] = str(data)
        options[f'{each}_dataloader.num_workers'] = 0
        options[f'{each}_dataloader.persistent_workers'] = False
    words += ('--work-dir', str(work_dir), '--cfg-options')
    words += tuple(f'{key}={value}' for key, value in options.items())
    cfg = run_config(parser.parse_args([str(CONFIG), *words]))
    cfg.experiment_name = work_dir.name
    runner = Runner.from_cfg(cfg)
    runner.train()
    return read_checkpoint(str(work_dir / 'epoch_1.pth')), runner


def test_one_seed_twice_and_another(data, tmp_path):
    one, first = run(data, tmp_path / 'one', '--seed', '3')
    two, second = run(data, tmp_path / 'two', '--seed', '3', '--deterministic')
    other, _ = run(data, tmp_path / 'other', '--seed', '4')
    # On a CPU the algorithms are the deterministic ones anyway.
    assert one['state_dict'].keys() == two['state_dict'].keys()
    for name, value in one['state_dict'].items():
        assert torch.equal(value, two['state_dict'][name]), name
    assert first.test() == second.test()
    weight = 'head.final.reg.weight'
    assert not torch.equal(
        one['state_dict'][weight], other['state_dict'][weight]
    )
    # And each says which it was, and what it ran with.
    for checkpoint, seed in ((one, 3), (two, 3), (other, 4)):
        meta = checkpoint['meta']
        assert meta['seed'] == seed
        environment = meta['environment']
        assert environment['torch'] == str(torch.__version__)
        assert environment['commit'] and environment['mmpose']
