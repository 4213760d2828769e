"""Encoders that start from torchvision's weights, and what they say of it.

Letters: C_d = 7 channels of the response map, K = 2 recurrent steps.
"""

from __future__ import annotations

import copy
import logging
import os
import pickle
import socket
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from builders import tiny_model_cfg, write_videos
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpose.registry import MODELS

from rednet_mm.models.utils.pretrained import load_pretrained
from rednet_mm.utils import checkpoint
from rednet_mm.utils.checkpoint import match_state_dict
from rednet_mm.utils.errors import UserError

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
from train import build_config, main, parse_args  # noqa: E402

RESNET = ('feedback_unit', 'skip3', 'skip2', 'skip1')
DECODER = ('up4', 'up3', 'up2', 'up1')
CONFIGS = {
    'resnet18': dict(type='REDNetResNet', depth=18),
    'resnet50': dict(type='REDNetResNet', depth=50),
    'vgg16_bn': dict(type='REDNetVGG'),
}


def build(name='resnet18', seed=0, **settings):
    torch.manual_seed(seed)
    net = MODELS.build(dict(CONFIGS[name], **settings))
    net.eval()
    return net


def torchvision_state(name):
    """Names and shapes of torchvision's weights, random values.

    The classifier's weights, which nothing reads, are one number seen many
    times: VGG's would fill half a gigabyte.
    """
    with torch.device('meta'):
        shapes = getattr(torchvision.models, name)(weights=None).state_dict()
    generator = torch.Generator().manual_seed(3)
    state = {}
    for key, value in shapes.items():
        if key.startswith(('fc', 'classifier')):
            state[key] = torch.zeros(()).expand(value.shape)
        elif key.endswith('num_batches_tracked'):
            state[key] = torch.tensor(7)
        else:
            # About 0.1, so that activations stay small through the layers.
            state[key] = 0.2 * torch.rand(value.shape, generator=generator)
    return state


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Weights as torchvision's files hold them, by name of the network."""
    root = tmp_path_factory.mktemp('torchvision')
    paths = {}
    for name in CONFIGS:
        paths[name] = str(root / f'{name}.pth')
        torch.save(torchvision_state(name), paths[name])
    return paths


@pytest.fixture
def entries():
    """What is logged about weights during a test."""
    logger, said = MMLogger.get_current_instance(), []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger.addHandler(handler)
    yield lambda: [each for each in said if 'tensors' in each]
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    'name, feedback',
    [
        ('resnet18', 'stem'),
        ('resnet18', 'input'),
        ('resnet50', 'input'),
        ('vgg16_bn', 'stem'),
        ('vgg16_bn', 'input'),
    ],
)
def test_every_tensor_of_the_encoder_is_the_files(files, name, feedback):
    net = build(name, feedback=feedback)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    report = load_pretrained(net, files[name])
    state, own = torchvision_state(name), net.state_dict()
    stem = 'features.0.weight' if name == 'vgg16_bn' else 'conv1.weight'
    read = set()
    for key, value in state.items():
        if key.startswith(('fc', 'classifier')) or 'batches' in key:
            continue
        read.add(key)
        mine = own[key]
        if 'running' in key:  # (C,) in the file, (K, C) here
            value = value.expand(len(own[key]), -1)
        elif key == stem:
            assert mine.shape[1] == (10 if feedback == 'input' else 3)
            assert not mine[:, 3:].any()
            mine = mine[:, :3]
        assert torch.equal(mine, value), key
    # Every tensor of the encoder was compared; the others are untouched.
    assert read == {
        key for key in own if key.startswith(('conv', 'bn', 'lay', 'feat'))
    }
    for key in own.keys() - read:
        assert torch.equal(own[key], before[key]), key

    assert set(report.encoder) == read
    assert report.extended == ((stem, 3, 10) if feedback == 'input' else None)
    assert report.steps == 2
    fresh = DECODER if name == 'vgg16_bn' else RESNET[1:] + DECODER
    if feedback == 'stem':
        fresh = ('feedback_unit', *fresh)
    assert report.fresh == fresh
    assert report.others == ()
    assert report.unused == (
        ('classifier',) if name == 'vgg16_bn' else ('fc',)
    )


@pytest.mark.parametrize('depth', [34, 101, 152])
def test_names_and_shapes_are_torchvisions(depth):
    with torch.device('meta'):
        net = MODELS.build(dict(type='REDNetResNet', depth=depth))
        theirs = getattr(torchvision.models, f'resnet{depth}')(weights=None)
    found = match_state_dict(net, theirs.state_dict())
    assert found.unfit == found.unexpected == found.extended == ()
    assert found.missing_modules == RESNET + DECODER
    assert found.unused_modules == ('fc',)


@torch.no_grad()
def test_extended_stem_gives_what_the_images_alone_give(files):
    net = build(feedback='input')
    load_pretrained(net, files['resnet18'])
    plain = build(feedback=None, num_steps=1, seed=1)
    load_pretrained(plain, files['resnet18'])
    # The decoder's random start is another: take this one's.
    behind = {
        key: value
        for key, value in net.state_dict().items()
        if key.startswith(('skip', 'up'))
    }
    assert not plain.load_state_dict(behind, strict=False).unexpected_keys
    frames = torch.randn(2, 3, 64, 64)
    expected = plain(frames)[0]
    assert expected.std() > 1e-3
    torch.testing.assert_close(net(frames)[0], expected)
    # Before training a full map says nothing either.
    code, _ = net.encode(net.prepare(frames), torch.rand(2, 7, 32, 32))
    wanted, _ = plain.encode(plain.prepare(frames), None)
    torch.testing.assert_close(code, wanted)


@pytest.mark.parametrize('name', ['resnet18', 'vgg16_bn'])
def test_the_rest_starts_as_from_scratch(files, entries, name):
    nets = []
    weights = dict(type='Pretrained', checkpoint=files[name])
    for init_cfg in (None, weights, [weights]):
        net = build(name, init_cfg=init_cfg)
        torch.manual_seed(5)
        net.init_weights()
        nets.append(net)
        assert net.init_cfg == init_cfg
    scratch, *loaded = (net.state_dict() for net in nets)
    for states in loaded:
        for key, value in states.items():
            if key.startswith(('skip', 'up', 'feedback_unit')):
                assert torch.equal(value, scratch[key]), key
            elif key.endswith('.weight'):
                assert not torch.equal(value, scratch[key]), key
    # Kaiming, fan out, of a 3x3 convolution that puts out c channels:
    # sqrt(2 / 9c). torch's own default is less than half of it.
    key, c = ('skip3.0.conv1.weight', 256)
    if name == 'vgg16_bn':
        key, c = ('up4.convs.0.conv.weight', 512)
    expected = (2 / (9 * c)) ** 0.5
    assert scratch[key].std().item() == pytest.approx(expected, rel=0.02)
    assert len(entries()) == 2


def test_one_entry_of_the_log_says_it_all(files, entries):
    path = files['resnet18']
    net = build(
        feedback='input', init_cfg=dict(type='Pretrained', checkpoint=path)
    )
    net.init_weights()
    net.init_weights()  # a second time does nothing
    # A ResNet-18 has 20 convolutions with a norm of 4 tensors each.
    assert entries() == [
        f"{path}: 100 of the encoder's 100 tensors loaded (conv1.weight "
        'extended by zeros from 3 to 10 channels; batch norm statistics '
        'copied to 2 steps); fresh: skip3, skip2, skip1, up4, up3, up2, up1; '
        'in the file but not used: fc'
    ]


def test_encoder_of_a_checkpoint_of_ours(tmp_path):
    theirs = MODELS.build(tiny_model_cfg(num_subjects=3, width=64))
    for value in theirs.state_dict().values():
        value.copy_(torch.rand(value.shape))
    path = str(tmp_path / 'epoch_1.pth')
    torch.save(dict(meta={}, state_dict=theirs.state_dict()), path)
    net = build(num_steps=3)
    report = load_pretrained(net, path, prefix='backbone.')
    assert report.others == RESNET + DECODER
    assert report.fresh == report.unused == ()
    assert report.steps == 3  # the file has two
    own, given = net.state_dict(), theirs.backbone.state_dict()
    assert own.keys() == given.keys()
    for key, value in given.items():
        assert torch.equal(own[key][: len(value)], value), key
    # One step less, and none that brings the map in.
    single = build(num_steps=1, feedback=None)
    report = load_pretrained(single, path, prefix='backbone')
    assert (report.steps, report.unused) == (1, ('feedback_unit',))
    assert 'statistics copied to 1 step)' in str(report)
    # A module behind the encoder in another shape stays as it is, whole.
    nine = build(feedback_channels=9)
    start = copy.deepcopy(nine.feedback_unit.state_dict())
    report = load_pretrained(nine, path, prefix='backbone.')
    assert report.fresh == report.unused == ('feedback_unit',)
    assert report.others == RESNET[1:] + DECODER
    for key, value in nine.feedback_unit.state_dict().items():
        assert torch.equal(value, start[key]), key

    with pytest.raises(UserError, match="'backbone.'; set .*prefix=backbone."):
        load_pretrained(build(), path)
    with pytest.raises(UserError, match="nothing that begins with 'neck2.'"):
        load_pretrained(build(), path, prefix='neck2')


def test_damaged_or_missing_file_is_one_sentence(files, tmp_path):
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(Path(files['resnet18']).read_bytes()[:1_000_000])
    numbers = tmp_path / 'list.pth'
    torch.save([1, 2], numbers)
    state = torchvision_state('resnet18')
    state['layer3.1.conv2.weight'][0, 0, 0, 0] = float('nan')
    infected = tmp_path / 'nan.pth'
    torch.save(state, infected)
    for path, problem, hint in (
        (tmp_path / 'none.pth', 'does not exist', 'init_cfg.checkpoint'),
        (cut, 'is not a whole checkpoint', 'use another copy'),
        (numbers, 'holds a list, not weights', 'init_cfg=None'),
        (
            infected,
            'NaN or infinity in 1 of its weights, for instance layer3.1.conv2',
            'copy',
        ),
    ):
        net = build()
        before = net.conv1.weight.clone()
        with pytest.raises(UserError) as caught:
            load_pretrained(net, str(path))
        sentence = str(caught.value)
        assert sentence.startswith(f'{path} ')
        assert problem in sentence and hint in sentence.partition(';')[2]
        assert '\n' not in sentence
        assert torch.equal(net.conv1.weight, before)
    with pytest.raises(UserError, match='names no checkpoint; '):
        load_pretrained(build(), None)


@pytest.mark.parametrize(
    'file, net, problem',
    [
        # By hand: layers of 2 basic blocks with 2 convolutions each, 34 has
        # 3, 4, 6, 3: 8 blocks of 10 tensors more.
        ('resnet18', 34, '80 of the encoder.s 180 tensors are missing'),
        ('resnet34', 18, 'it also has 80 tensors of a deeper encoder'),
        ('resnet50', 18, '0 of .* missing and 23 have another shape'),
        ('resnet18', 'vgg16_bn', '78 of the encoder.s 78 tensors'),
        # Without norms the convolutions stand elsewhere.
        ('vgg16', 'vgg16_bn', 'for instance features.1.weight'),
        ('densenet121', 18, '100 of the encoder.s 100 tensors'),
    ],
)
def test_weights_of_another_network(tmp_path, file, net, problem):
    with torch.device('meta'):
        shapes = getattr(torchvision.models, file)(weights=None).state_dict()
    path = str(tmp_path / f'{file}.pth')
    torch.save(
        {key: torch.ones(()).expand(v.shape) for key, v in shapes.items()},
        path,
    )
    expected = net if isinstance(net, str) else f'resnet{net}'
    config = CONFIGS.get(net) or dict(type='REDNetResNet', depth=net)
    with pytest.raises(UserError, match=problem) as caught:
        load_pretrained(MODELS.build(config), path)
    sentence = str(caught.value)
    assert sentence.startswith(f'{path} does not fit {expected}: ')
    assert sentence.endswith(
        f'; name weights of {expected}, or train from scratch with '
        '--cfg-options model.backbone.init_cfg=None'
    )


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server for the files in a folder, and an empty cache."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    folder = tmp_path / 'served'
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(handler.func, 'log_message', lambda *_: None)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


class Touch:
    """Pickles as a command that leaves a mark."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


def test_weights_from_elsewhere(files, server):
    folder, address = server
    os.link(files['resnet18'], folder / 'resnet18.pth')
    report = load_pretrained(build(), f'{address}/resnet18.pth')
    assert len(report.encoder) == 100
    with pytest.raises(UserError, match=r'nix\.pth cannot be downloaded \('):
        load_pretrained(build(), f'{address}/nix.pth')

    mark = folder / 'ran'
    torch.save(dict(evil=Touch(mark)), folder / 'evil.pth')
    with pytest.raises(UserError, match='asks for .* refused'):
        load_pretrained(build(), f'{address}/evil.pth')
    assert not mark.exists()
    # The attack itself works.
    pickle.loads(pickle.dumps(Touch(mark)))
    assert mark.exists()
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


def test_no_network_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))

    def offline(*_):
        raise URLError('no route to host')

    monkeypatch.setattr(torch.hub, 'urlopen', offline)
    with pytest.raises(UserError) as caught:
        load_pretrained(build(), 'torchvision://resnet18')
    assert str(caught.value) == (
        'torchvision://resnet18 cannot be downloaded (no route to host); name '
        'a local .pth file in model.backbone.init_cfg.checkpoint, or train '
        'from scratch with --cfg-options model.backbone.init_cfg=None'
    )
    with pytest.raises(UserError, match='resnet19: nothing of this name is'):
        load_pretrained(build(), 'torchvision://resnet19')


def test_a_server_that_says_nothing_is_given_up(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(checkpoint, 'PATIENCE', 0.2)
    with socket.create_server(('127.0.0.1', 0)) as silent:
        address = f'http://127.0.0.1:{silent.getsockname()[1]}/a.pth'
        with pytest.raises(UserError, match='downloaded \\(timed out\\)'):
            load_pretrained(build(), address)
    assert socket.getdefaulttimeout() is None


CONFIG = ROOT / 'configs' / 'rednet_r18_tiny300vw.py'
WEIGHTS = (
    'model.backbone.init_cfg.type=Pretrained',
    'model.backbone.init_cfg.checkpoint=torchvision://resnet18',
)


@pytest.fixture
def chosen(monkeypatch, tmp_path):
    """The config that tools/train.py makes of a command line."""

    def config(*words, **options):
        options = [f'{key}={value}' for key, value in options.items()]
        line = ['train.py', CONFIG, '--work-dir', tmp_path, *words]
        line += ['--cfg-options', *WEIGHTS, *options]
        monkeypatch.setattr(sys, 'argv', [str(word) for word in line])
        return build_config(parse_args())

    return config


def test_a_checkpoint_makes_the_file_needless(chosen, tmp_path):
    cfg = chosen()
    assert cfg.model.backbone.init_cfg == dict(
        type='Pretrained', checkpoint='torchvision://resnet18'
    )
    cfg = chosen(load_from='stage1.pth')
    assert cfg.model.backbone.init_cfg is None
    assert (cfg.load_from, cfg.resume) == ('stage1.pth', False)
    cfg = chosen('--resume', 'epoch_1.pth')
    assert cfg.model.backbone.init_cfg is None
    assert (cfg.load_from, cfg.resume) == ('epoch_1.pth', True)
    # Stopped before its first checkpoint, a run starts as it did.
    cfg = chosen('--resume')
    assert cfg.model.backbone.init_cfg is not None
    assert (cfg.load_from, cfg.resume) == (None, False)
    cfg = chosen('--resume', load_from='stage1.pth')
    assert (cfg.load_from, cfg.resume) == ('stage1.pth', False)
    # What is gone on from is read before, so that it is whole.
    path = tmp_path / 'epoch_3.pth'
    torch.save(dict(state_dict={}), path)
    (tmp_path / 'last_checkpoint').write_text(str(path))
    for words, options in (
        (['--resume'], dict(load_from='stage1.pth')),
        ([], dict(resume=True)),
    ):
        cfg = chosen(*words, **options)
        assert cfg.model.backbone.init_cfg is None
        assert (cfg.load_from, cfg.resume) == (str(path), True)


def test_from_scratch_is_an_option_of_the_command_line(chosen):
    cfg = chosen(**{'model.backbone.init_cfg': None})
    assert cfg.model.backbone.init_cfg is None
    assert isinstance(MODELS.build(cfg.model), torch.nn.Module)


def test_training_without_a_network_ends_with_the_sentence(
    tmp_path, monkeypatch, capsys
):
    data = write_videos(
        tmp_path, videos=5, frames=3, splits=['train'] * 4 + ['val']
    )
    cfg = Config.fromfile(CONFIG)
    # Nothing listens there.
    with socket.create_server(('127.0.0.1', 0)) as free:
        address = f'http://127.0.0.1:{free.getsockname()[1]}/a.pth'
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=address)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = f'{data}/'
        loader.update(num_workers=0, persistent_workers=False)
    path = tmp_path / 'config.py'
    cfg.dump(path)
    work = str(tmp_path / 'work')
    monkeypatch.setattr(
        sys, 'argv', ['train.py', str(path), '--work-dir', work]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f'error: {address} cannot be downloaded (')
    assert last.endswith('--cfg-options model.backbone.init_cfg=None')
