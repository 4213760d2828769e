"""Configs of the repository, and where two of them differ."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

CONFIGS = Path(__file__).parents[1] / 'configs'
ABLATIONS = sorted((CONFIGS / 'ablations').glob('*.py'))
TINY = dict(depth=18, pretrained=False, input_size=64, num_workers=0)


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
