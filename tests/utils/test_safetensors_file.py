"""Weights in safetensors files."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from mmengine.runner import load_checkpoint

from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.utils.checkpoint import read_checkpoint
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.safetensors_file import (
    read_safetensors,
    write_safetensors,
)


@pytest.fixture
def layer():
    return torch.nn.Conv2d(2, 3, 1)


@pytest.fixture
def path(layer, tmp_path):
    path = tmp_path / 'new' / 'a.safetensors'
    write_safetensors(path, layer.state_dict(), dict(epoch=3))
    return path


def test_what_is_written_is_read(layer, path):
    read = read_safetensors(path)
    assert read['meta'] == dict(epoch=3)
    assert set(read['state_dict']) == {'weight', 'bias'}
    for name, value in layer.state_dict().items():
        assert torch.equal(read['state_dict'][name], value)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    'kind', [str, lambda path: f'{path.parent}/./a.safetensors']
)
def test_mmengine_loads_it_like_any_checkpoint(layer, path, kind):
    other = torch.nn.Conv2d(2, 3, 1)
    assert not torch.equal(other.weight, layer.weight)
    loaded = load_checkpoint(other, kind(path), map_location='cpu')
    assert torch.equal(other.weight, layer.weight)
    assert loaded['meta'] == dict(epoch=3)
    assert read_checkpoint(kind(path))['meta'] == dict(epoch=3)


def test_half_precision_is_loaded_into_single(layer, tmp_path):
    path = tmp_path / 'half.safetensors'
    halves = {name: value.half() for name, value in layer.state_dict().items()}
    write_safetensors(path, halves, {})
    other = torch.nn.Conv2d(2, 3, 1)
    load_checkpoint(other, str(path), map_location='cpu')
    assert other.weight.dtype == torch.float32
    assert torch.equal(other.weight, halves['weight'].float())


def test_metainfo_becomes_what_mmpose_wants(layer, tmp_path):
    path = tmp_path / 'a.safetensors'
    write_safetensors(path, layer.state_dict(), dict(metainfo=FACE_68))
    meta = read_safetensors(path)['meta']['dataset_meta']
    assert meta['num_keypoints'] == 68
    # The outer eye corners change places in a mirror.
    assert meta['flip_indices'][36] == 45
    assert meta['keypoint_colors'].shape == (68, 3)
    assert meta['keypoint_id2name'][0] == 'kpt-0'
    assert np.asarray(meta['sigmas']).shape == (68,)


def test_files_of_other_programs_have_no_meta(layer, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / 'a.safetensors'
    save_file(layer.state_dict(), path)
    assert read_safetensors(path)['meta'] == {}


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: b'',
        lambda data: data[:40],
        lambda data: data[:-1],
        # A header that is longer than the file.
        lambda data: struct.pack('<Q', 2**40) + data[8:],
        lambda data: data.replace(b'"meta":"{', b'"meta":"['),
    ],
    ids=['empty', 'short header', 'short', 'long header', 'words'],
)
def test_damage_is_one_sentence(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r'a\.safetensors is not a whole'):
        read_checkpoint(str(path))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'b\.safetensors does not'):
        read_safetensors(tmp_path / 'b.safetensors')
