"""Checkpoints: mmengine's load, a malicious one does not run anything."""

from __future__ import annotations

import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from builders import build_model, tiny_model_cfg
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn

from rednet_mm.utils.checkpoint import (
    allow_mmengine_checkpoints,
    check_checkpoint,
)
from rednet_mm.utils.errors import UserError


@pytest.fixture
def checkpoint(tmp_path):
    """What a Runner saves: weights, and logs in a message hub."""
    hub = MessageHub('test_checkpoint_safety')
    for value in (3.0, 1.0):
        hub.update_scalar('train/loss', value)
    hub.update_info('seen', np.float64(0.25))
    hub.update_info('count', np.int64(7))
    path = tmp_path / 'epoch_1.pth'
    save_checkpoint(
        dict(
            meta=dict(epoch=1, best=np.float32(0.5)),
            state_dict=nn.Linear(3, 2).state_dict(),
            message_hub=hub.state_dict(),
            array=np.arange(3),
        ),
        str(path),
    )
    return path


def test_mmengine_checkpoint_loads(checkpoint):
    loaded = torch.load(checkpoint, weights_only=True)
    buffer = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(buffer, HistoryBuffer)
    # The mean of the two losses; and the bound statistics came along.
    assert buffer.mean() == 2
    assert buffer.statistics('min') == 1
    assert loaded['message_hub']['runtime_info']['count'] == 7
    assert loaded['meta']['best'] == np.float32(0.5)
    assert loaded['array'].tolist() == [0, 1, 2]
    assert loaded['state_dict']['weight'].shape == (2, 3)


def test_without_the_allow_list_it_does_not(checkpoint):
    torch.serialization.clear_safe_globals()
    try:
        with pytest.raises(pickle.UnpicklingError):
            torch.load(checkpoint, weights_only=True)
    finally:
        allow_mmengine_checkpoints()


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments

    def __call__(self):
        # A pickler asks whether what will be called can be: it may itself be
        # what a call returns.
        raise NotImplementedError


def test_system_call_is_refused(tmp_path):
    marker, path = tmp_path / 'ran', tmp_path / 'evil.pth'
    evil = Call(os.system, f'touch {marker}')
    torch.save(dict(state_dict={}, evil=evil), path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    with pytest.raises(UserError) as caught:
        check_checkpoint(nn.Linear(3, 2), str(path))
    assert str(caught.value) == (
        f'{path} asks for posix.system when it is loaded, which is more than '
        'weights, and was refused; use a checkpoint from a source that you '
        'trust'
    )
    assert not marker.exists()
    # The attack itself works: without the guard the marker appears.
    pickle.loads(pickle.dumps(evil))
    assert marker.exists()


@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        # All of these are on the allow-list or easily come by.
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__subclasses__'),
        (HistoryBuffer, 'statistics'),
        (np.ndarray, 'tofile'),
        (np.dtype, '__class__'),
        ('text', 'format'),
    ],
)
def test_getattr_of_anything_else_is_refused(tmp_path, owner, name):
    path = tmp_path / 'evil.pth'
    torch.save(dict(state_dict={}, evil=Call(getattr, owner, name)), path)
    with pytest.raises((AttributeError, pickle.UnpicklingError)):
        torch.load(path, weights_only=True)


def test_getattr_way_to_a_system_call_is_refused(tmp_path):
    marker, path = tmp_path / 'ran', tmp_path / 'evil.pth'
    # getattr(HistoryBuffer, '__init__').__globals__ leads to every module.
    init = Call(getattr, HistoryBuffer, '__init__')
    names = Call(getattr, init, '__globals__')
    get = Call(getattr, names, 'get')
    builtins = Call(get, '__builtins__')
    importer = Call(Call(getattr, builtins, 'get'), '__import__')
    system = Call(getattr, Call(importer, 'os'), 'system')
    evil = Call(system, f'touch {marker}')
    torch.save(dict(state_dict={}, evil=evil), path)
    with pytest.raises((AttributeError, pickle.UnpicklingError)):
        torch.load(path, weights_only=True)
    assert not marker.exists()
    # Without the guard the chain reaches its end.
    pickle.loads(pickle.dumps(evil))
    assert marker.exists()


def test_getattr_attack_is_one_sentence_for_the_user(tmp_path):
    path = tmp_path / 'evil.pth'
    evil = Call(getattr, HistoryBuffer, '__init__')
    torch.save(dict(state_dict={}, evil=evil), path)
    with pytest.raises(UserError, match="asks for '__init__' on .* refused"):
        check_checkpoint(nn.Linear(3, 2), str(path))


def test_missing_file(tmp_path):
    path = tmp_path / 'nowhere.pth'
    with pytest.raises(FileNotFoundError) as caught:
        check_checkpoint(nn.Linear(3, 2), str(path))
    assert str(caught.value).startswith(f'{path} does not exist; ')


@pytest.mark.parametrize('share', [0.0, 0.5, 0.99])
def test_truncated_file(checkpoint, share):
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError) as caught:
        check_checkpoint(nn.Linear(3, 2), str(checkpoint))
    message = str(caught.value)
    assert message.startswith(f'{checkpoint} is not a whole checkpoint')
    assert '\n' not in message


@pytest.mark.parametrize('content', [b'not a checkpoint\n', b'\x80\x04.'])
def test_other_file(tmp_path, content):
    path = tmp_path / 'other.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='is not a whole checkpoint'):
        check_checkpoint(nn.Linear(3, 2), str(path))


def test_checkpoint_of_another_architecture(checkpoint):
    # Weight (2, 3) where (4, 3) is wanted, bias 2 where 4 is.
    with pytest.raises(ValueError) as caught:
        check_checkpoint(nn.Linear(3, 4), str(checkpoint))
    message = str(caught.value)
    assert message.startswith(f'{checkpoint} does not fit the config: 2 ')
    assert 'for instance weight' in message


def test_checkpoint_of_another_project(checkpoint):
    with pytest.raises(UserError) as caught:
        check_checkpoint(nn.Sequential(nn.Linear(3, 2)), str(checkpoint))
    assert str(caught.value) == (
        f'{checkpoint} is of another network: none of its 2 weights is '
        'known, for instance weight where the config has 0.weight; name a '
        'checkpoint of this project'
    )


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ([1, 2, 3], ' holds a list, not weights; '),
        (None, ' holds a NoneType, not weights; '),
        (dict(state_dict=[1]), ' holds a list, not weights; '),
        (dict(state_dict={}), ' holds no weights; '),
        (dict(weight='heavy', bias=2, epoch=3), ' holds no weights; '),
        ({1: torch.ones(1)}, ' holds no weights; '),
    ],
)
def test_file_of_no_weights_at_all(tmp_path, content, words):
    path = tmp_path / 'other.pth'
    torch.save(content, path)
    with pytest.raises(UserError) as caught:
        check_checkpoint(nn.Linear(3, 2), str(path))
    assert str(caught.value).startswith(f'{path}{words}')


def shell(shape):
    """A tensor without values."""
    return torch.empty(shape, device='meta')


@pytest.mark.parametrize(
    'bias',
    [
        torch.tensor([0.0, float('nan')]),
        torch.tensor([float('-inf'), 0.0]),
        shell(2),
        torch.ones(2).to_sparse(),
    ],
    ids=['nan', 'infinite', 'shell', 'sparse'],
)
def test_weights_that_are_no_numbers(tmp_path, bias):
    path = tmp_path / 'spoilt.pth'
    torch.save(dict(weight=torch.ones(2, 3), bias=bias), path)
    with pytest.raises(UserError) as caught:
        check_checkpoint(nn.Linear(3, 2), str(path))
    assert str(caught.value) == (
        f'{path} holds NaN or infinity in 1 of its weights, for instance '
        'bias; use an earlier checkpoint of that training, or another copy'
    )
    # What the network does not take may be anything: masks, for instance.
    model = nn.Linear(3, 2, bias=False)
    check_checkpoint(model, str(path))


def test_one_bit_turned_is_noticed(tmp_path):
    path = tmp_path / 'turned.pth'
    model = nn.Linear(16, 16)
    torch.save(model.state_dict(), path)
    content = bytearray(path.read_bytes())
    place = content.index(model.weight.detach().numpy().tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    # torch itself says nothing.
    loaded = torch.load(path, weights_only=True)
    assert not torch.equal(loaded['weight'], model.weight)
    with pytest.raises(UserError, match='differs from its checksum'):
        check_checkpoint(model, str(path))


def test_compressed_file_is_refused(tmp_path):
    plain, path = tmp_path / 'plain.pth', tmp_path / 'small.pth'
    torch.save(dict(weight=torch.zeros(1000, 1000)), plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    # 4 MB that take 6 kB.
    assert path.stat().st_size < 10_000
    with pytest.raises(UserError, match=r'small\.pth is compressed'):
        check_checkpoint(nn.Linear(1000, 1000), str(path))


@pytest.fixture(scope='module')
def estimator():
    return build_model(tiny_model_cfg())


def evil(path, _):
    torch.save(dict(state_dict={}, evil=Call(os.system, 'true')), path)


def cut(path, state):
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:1000])


def foreign(path, state):
    torch.save({f'net.{name}': value for name, value in state.items()}, path)


def spoilt(path, state):
    torch.save(
        dict(state, **{'head.final.reg.bias': torch.full((68,), torch.nan)}),
        path,
    )


def deeper(path, state):
    more = {
        name.replace('layer1.1', 'layer1.2'): value
        for name, value in state.items()
        if 'layer1.1' in name
    }
    torch.save(dict(state_dict=dict(state, **more)), path)


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (evil, 'asks for posix.system'),
        (cut, 'is not a whole checkpoint'),
        (foreign, 'none of its'),
        (spoilt, 'holds NaN or infinity in 1'),
        (deeper, 'does not fit the config'),
    ],
)
def test_mmengines_own_way_says_the_same(tmp_path, estimator, damage, words):
    # So does MMPoseInferencer, which loads by it.
    path = tmp_path / 'epoch_1.pth'
    before = {k: v.clone() for k, v in estimator.state_dict().items()}
    damage(path, before)
    with pytest.raises(UserError) as caught:
        load_checkpoint(estimator, str(path))
    message = str(caught.value)
    assert message.startswith(f'{path}') and words in message
    assert '\n' not in message
    after = estimator.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_fitting_checkpoints_pass(checkpoint, tmp_path):
    model = nn.Linear(3, 2)
    check_checkpoint(model, str(checkpoint))
    # Bare weights do as well, and those of the identity head may differ.
    bare = tmp_path / 'bare.pth'
    torch.save(model.state_dict(), bare)
    check_checkpoint(model, str(bare))
    model.identity_head = nn.Linear(5, 6)
    check_checkpoint(model, str(bare))


def test_what_is_downloaded_runs_nothing_either(tmp_path, monkeypatch):
    # torch's own default for downloads is to unpickle everything.
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    folder, marker = tmp_path / 'hub' / 'checkpoints', tmp_path / 'ran'
    folder.mkdir(parents=True)
    attack = Call(os.system, f'touch {marker}')
    # As if it had been downloaded before: there is no network here.
    torch.save(dict(state_dict={}, evil=attack), folder / 'evil.pth')
    model, address = nn.Linear(3, 2), 'https://example.org/evil.pth'
    for load in (load_checkpoint, check_checkpoint):
        with pytest.raises(UserError) as caught:
            load(model, address)
        message = str(caught.value)
        assert message.startswith(f'{address} asks for posix.system when')
        assert not marker.exists()
    # And what is weights is loaded.
    torch.save(nn.Linear(3, 2).state_dict(), folder / 'good.pth')
    load_checkpoint(model, 'https://example.org/good.pth')
