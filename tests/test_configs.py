"""Every config builds, reads what it names, and takes one training step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import random_samples
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, METRICS, MODELS

CONFIGS = sorted((Path(__file__).parents[1] / 'configs').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config(path):
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    # MMPose's inferencer reads these two at the top level.
    assert cfg.dataset_type == cfg.train_dataloader.dataset.type
    assert cfg.data_mode == 'topdown'
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        dataset = DATASETS.build(dict(loader.dataset, lazy_init=True))
        assert len(dataset.metainfo['keypoint_id2name']) == 68
        assert isinstance(dataset.pipeline, Compose)
    METRICS.build(cfg.val_evaluator)
    model = MODELS.build(cfg.model).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    size = cfg.codec.input_size[0]
    losses = model(
        torch.randn(1, 2, 3, size, size), random_samples(2, size), mode='loss'
    )
    total = sum(losses.values())
    assert torch.isfinite(total) and total > 0
    before = model.head.final['reg'].weight.clone()
    total.backward()
    optimizer.step()
    assert not torch.equal(before, model.head.final['reg'].weight)
