"""Encoders from elsewhere in the encoder-decoder."""

import pytest
import torch
from builders import build_model, random_samples, tiny_model_cfg
from torch import nn

from rednet_mm.models import TimmEncoder
from rednet_mm.models.backbones.encoders import match
from rednet_mm.models.layers import StepBatchNorm2d, convert_norms
from rednet_mm.utils.errors import UserError

timm = pytest.importorskip('timm', reason='the extra timm is not installed')

LITE = dict(type='TimmEncoder', name='tf_efficientnet_lite0')
RESNET = dict(type='TimmEncoder', name='resnet18', zero_init_last=False)
MMPOSE = dict(
    type='BackboneEncoder',
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=8,
        stem_channels=8,
        zero_init_residual=False,
    ),
    channels=(8, 16, 32, 64),
)


def estimator(encoder, code, **settings):
    cfg = tiny_model_cfg(recurrent=False)
    cfg['backbone'] = dict(
        type='REDNetEncoderDecoder', encoder=encoder, **settings
    )
    cfg['neck'].update(in_channels=code)
    cfg['head'].update(in_channels=64)
    return build_model(cfg)


@pytest.mark.parametrize(
    'encoder, code, settings',
    [
        (LITE, 320, dict()),
        (LITE, 320, dict(feedback='input', skip_units=1)),
        (
            dict(type='TimmEncoder', name='resnet18', zero_init_last=False),
            512,
            dict(with_cp=True),
        ),
        (MMPOSE, 64, dict(decoder_channels=(8, 16, 32))),
    ],
)
def test_trains_and_predicts(encoder, code, settings):
    torch.manual_seed(0)
    model = estimator(encoder, code, **settings).train()
    model.init_weights()
    frames = torch.randn(2, 2, 3, 64, 64)
    losses = model(frames, random_samples(4), mode='loss')
    sum(losses.values()).backward()
    without = [
        name
        for name, value in model.named_parameters()
        if value.grad is None or not value.grad.abs().max() > 0
    ]
    assert without == []
    model.eval()
    with torch.no_grad():
        clip = model.unroll(frames)[0][-1].unflatten(0, (2, 2))
        single = model.unroll(frames[:, 1:])[0][-1]
    torch.testing.assert_close(clip[:, 1], single, rtol=0, atol=1e-4)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


@torch.no_grad()
def test_maps_are_those_of_the_network_itself():
    torch.manual_seed(0)
    net = timm.create_model('tf_efficientnet_lite0', features_only=True)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    encoder = TimmEncoder('tf_efficientnet_lite0')
    encoder.net.load_state_dict(net.state_dict())
    convert_norms(encoder, num_steps=2, sync=False)
    x = torch.randn(1, 3, 64, 64)
    expected = net.eval()(x)[1:]  # strides 4 to 32
    encoder.eval()
    for stage, wanted in enumerate(expected):
        x = encoder.stage(stage, x)
        assert torch.equal(x, wanted)


def test_a_file_with_other_names_fits_by_order(tmp_path):
    own = TimmEncoder('tf_efficientnet_lite0').net.state_dict()
    values = [torch.rand_like(v) if v.dim() else v for v in own.values()]
    file = {
        f'_{i}.{name.rpartition(".")[2]}': value
        for i, (name, value) in enumerate(zip(own, values))
    }
    file['_fc.weight'] = torch.rand(10, 4)
    path = str(tmp_path / 'lite0.pth')
    torch.save(file, path)
    wish = dict(type='Pretrained', checkpoint=path)
    model = estimator(dict(LITE, init_cfg=wish), 320)
    model.init_weights()
    found = model.backbone.encoder.net.state_dict()
    names = [n for n in own if not n.endswith('num_batches_tracked')]
    kept = [v for n, v in zip(own, values) if n in names]
    for name, value in zip(names, kept):
        assert torch.equal(found[name], value.expand_as(found[name])), name


def test_another_networks_file_is_refused():
    own = {'a': torch.zeros(2, 3), 'b.running_mean': torch.zeros(2, 4)}
    good = {'x': torch.ones(2, 3), 'y': torch.ones(4), 'z': torch.ones(7)}
    assert list(match(own, good, 'f.pth', 'net')) == ['a', 'b.running_mean']
    with pytest.raises(UserError, match='f.pth does not fit net: it has 1'):
        match(own, {'x': good['x']}, 'f.pth', 'net')
    with pytest.raises(UserError, match='b.running_mean is .4,. and .5,. in'):
        match(own, {**good, 'y': torch.ones(5)}, 'f.pth', 'net')


def test_a_missing_file_is_named():
    wish = dict(type='Pretrained', checkpoint='nowhere/lite0.pth')
    with pytest.raises(UserError, match='nowhere/lite0.pth does not exist'):
        estimator(dict(LITE, init_cfg=wish), 320).init_weights()


def test_networks_that_are_no_row_of_modules_are_refused():
    with pytest.raises(UserError, match='no row of modules'):
        TimmEncoder('hrnet_w18_small')


def test_norms_keep_their_weights_and_what_follows_them():
    net = timm.create_model('tf_efficientnet_lite0', features_only=True)
    names = {n for n in net.state_dict() if 'num_batches' not in n}
    convert_norms(net, num_steps=3, sync=False)
    assert set(net.state_dict()) == names
    norm = net.bn1
    assert isinstance(norm, StepBatchNorm2d) and norm.num_steps == 3
    assert norm.eval()(torch.full((1, 32, 1, 1), -9.0)).abs().max() == 0
    assert norm(torch.full((1, 32, 1, 1), 99.0)).max() == 6  # ReLU6
