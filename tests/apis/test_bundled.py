"""The bundled model, and the package it comes with."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))

import model_card

from rednet_mm import __main__ as command
from rednet_mm.apis import OnnxNetwork, TorchNetwork, bundled_network
from rednet_mm.apis.bundled import exported
from rednet_mm.utils import bundled
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.safetensors_file import read_safetensors

ROOT = Path(__file__).parents[2]


def test_weights_are_small_and_half():
    model = bundled.bundled_model()
    assert model.weights.stat().st_size < 10e6
    weights = read_safetensors(model.weights)['state_dict']
    kinds = {
        value.dtype for name, value in weights.items() if 'conv' in name
        and name.endswith('weight') and value.dim() == 4
    }  # fmt: skip
    assert kinds == {torch.float16}
    assert not any(name.startswith('identity_head') for name in weights)


def test_paths_are_printed(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['rednet_mm'])
    command.main()
    printed = capsys.readouterr().out
    for part in command.PARTS:
        monkeypatch.setattr(sys, 'argv', ['rednet_mm', part])
        command.main()
        path = capsys.readouterr().out.strip()
        assert os.path.exists(path)
        assert path in printed


def test_missing_files_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(bundled, 'PACKAGE', tmp_path / 'rednet_mm')
    with pytest.raises(UserError, match='has no configs beside it'):
        bundled.bundled_model()
    configs = tmp_path / 'configs'
    for name in ('_base_/default_runtime', bundled.NAME):
        path = configs / f'{name}.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(UserError, match='safetensors is missing; install'):
        bundled.bundled_model()


def test_network_is_made_once_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    made = bundled_network()
    assert isinstance(made, OnnxNetwork)
    path = exported(bundled.bundled_model())
    assert list((tmp_path / 'rednet_mm').iterdir()) == [path]
    time = path.stat().st_mtime_ns
    again = bundled_network()
    assert path.stat().st_mtime_ns == time
    plain = bundled_network(keep_maps=True)
    assert isinstance(plain, TorchNetwork)
    crops = np.random.default_rng(0).integers(
        0, 255, (2, *made.input_size, 3), np.uint8
    )
    assert made.settings == plain.settings
    one, _ = made.run(crops, [None, None])
    two, _ = again.run(crops, [None, None])
    assert np.array_equal(one.keypoints, two.keypoints)
    assert one.keypoints.shape == (2, 68, 2)


def test_without_a_place_to_keep_it_pytorch_runs(monkeypatch, tmp_path):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert isinstance(bundled_network(), TorchNetwork)


def test_metrics_are_the_same_everywhere():
    """Card and metafile are written by one command, from one run."""
    card = bundled.bundled_model().card.read_text()
    rows = dict(re.findall(r'^\| (.+?) \| (\d.*) \|$', card, re.M))
    assert set(rows) == set(model_card.DATA)
    (model,) = yaml.safe_load(model_card.METAFILE.read_text())['Models']
    assert (ROOT / model['Config']).is_file()
    assert (ROOT / model['Weights']).is_file()
    for result in model['Results']:
        found = [float(v) for v in rows[result['Dataset']].split(' | ')]
        assert list(result['Metrics'].values()) == found
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert all((ROOT / path).is_file() for path in index['Import'])
