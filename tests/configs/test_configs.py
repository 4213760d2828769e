"""What every config has, and that its network fits together."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_tools import need_extras
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmpose.apis.inference import dataset_meta_from_config
from mmpose.registry import DATASETS, METRICS

from rednet_mm.engine.stages import try_model

CONFIGS = sorted((Path(__file__).parents[2] / 'configs').glob('*.py'))


def read(dataset):
    """Metainfo and pipeline of a data set whose files are not there."""
    for part in dataset.get('datasets', []):
        known = read(part)
    if dataset.type == 'CombinedClipDataset':
        # It reads its files when it is built; its parts have one pipeline.
        return known[0], Compose(dataset.pipeline)
    # MMPose's CombinedDataset counts its parts.
    parts = dict(datasets=[]) if 'datasets' in dataset else {}
    built = DATASETS.build({**dataset, **parts, 'lazy_init': True})
    return built.metainfo, built.pipeline


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config(path):
    cfg = Config.fromfile(path)
    need_extras(cfg)
    init_default_scope(cfg.default_scope)
    # MMPose's inferencer reads these two at the top level.
    dataset = cfg.train_dataloader.dataset
    parts = dataset.get('datasets', [dataset])
    assert cfg.dataset_type in {part.type for part in parts}
    assert cfg.data_mode == 'topdown'
    # A run that is killed and resumed ends as one that is not.
    assert cfg.default_hooks.epoch_seed.type == 'EpochSeedHook'
    assert cfg.default_hooks.checkpoint.type == 'AtomicCheckpointHook'
    assert not cfg.train_dataloader.get('persistent_workers')
    assert cfg.randomness.seed is not None
    num_keypoints = cfg.model.head.get('num_keypoints', 68)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        metainfo, pipeline = read(loader.dataset)
        assert len(metainfo['keypoint_id2name']) == num_keypoints
        assert isinstance(pipeline, Compose)
    # What MMPose goes by where a checkpoint says nothing.
    known = dataset_meta_from_config(cfg)
    assert known is not None and known['num_keypoints'] == num_keypoints
    METRICS.build(cfg.val_evaluator)
    width, height = cfg.codec.input_size
    assert tuple(cfg.codec.response_size) == (width // 2, height // 2)
    assert cfg.model.head.decoder == cfg.codec
    # At its own size; test_every_config.py trains each, made tiny.
    try_model(cfg, 'meta')
