"""Configs of the repository, and where two of them differ."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from rednet_mm.engine.scaling import scaled

CONFIGS = Path(__file__).parents[1] / 'configs'
ABLATIONS = sorted((CONFIGS / 'ablations').glob('*.py'))
SIDES = ('train', 'val', 'test')
TINY = dict(depth=18, pretrained=False, input_size=64, num_workers=0)
WIDTH = 8  # of a tiny network's first stage


def read(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def walk(node, path=()):
    """Every value of a config with its place."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, (*path, key))
    elif isinstance(node, (list, tuple)) and any(
        isinstance(each, dict) for each in node
    ):
        for place, value in enumerate(node):
            yield from walk(value, (*path, place))
    else:
        yield path, node


def differences(one, two, but=()):
    """Places where two configs differ, without those that start as said."""
    a, b = dict(walk(one._cfg_dict)), dict(walk(two._cfg_dict))
    return sorted(
        '.'.join(map(str, place))
        for place in a.keys() | b.keys()
        if a.get(place, '-') != b.get(place, '-') and place[0] not in but
    )


def need_extras(cfg: Config) -> None:
    """Skip the test of a config whose encoder is not installed."""
    if cfg.model.backbone.get('encoder', {}).get('type') == 'TimmEncoder':
        pytest.importorskip('timm', reason='the extra timm is not installed')


def shrunk(name: str) -> Config:
    """The config with its own data and a tiny network."""
    cfg = Config.fromfile(CONFIGS / name)
    init_default_scope('mmpose')
    # The weights that it goes on from are of a wider network.
    cfg.pop('load_from', None)
    if cfg.model.type == 'TopdownPoseEstimator':
        cfg.model.backbone.update(depth=18, base_channels=WIDTH)
        cfg.model.head.in_channels = 8 * WIDTH
        cfg.model.head.deconv_out_channels = (WIDTH,) * 3
    else:
        # What of the config is tested has its own data.
        tested = copy.deepcopy(cfg)
        tested.val_dataloader = tested.test_dataloader
        tested.val_evaluator = tested.test_evaluator
        cfg, tested = _scaled(cfg), _scaled(tested)
        cfg.test_dataloader = tested.val_dataloader
        cfg.test_evaluator = tested.val_evaluator
    for side in SIDES:
        cfg[f'{side}_dataloader'].update(
            batch_size=2, num_workers=0, persistent_workers=False
        )
    return cfg


def _scaled(cfg: Config) -> Config:
    cfg.setdefault('stage', dict(data=None))
    backbone = cfg.model.backbone
    scale = dict(pretrained=False, input_size=64, depth=18)
    wide = backbone.get('base_channels', 64)
    # Widths are told from the full width.
    if wide == 64:
        kinds = ('REDNetResNet', 'REDNetVGG')
        scale['base_channels'] = dict.fromkeys(kinds, WIDTH)
    else:
        scale.pop('depth')
    return scaled(cfg, scale)


def write_config(path: Path, cfg: Config) -> Path:
    """A config as a file; mmengine's dump formats it, which takes long."""
    fields = cfg.to_dict().items()
    path.write_text('\n'.join(f'{name} = {each!r}' for name, each in fields))
    return path
