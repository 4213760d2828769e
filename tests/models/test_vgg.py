"""The VGG encoder-decoder: pooling and back, weights, both recurrences."""

import pytest
import torch
from builders import build_model, random_samples, tiny_model_cfg
from mmpose.registry import MODELS
from torch import nn
from torchvision.models import vgg16_bn

from rednet_mm.models import REDNetVGG
from rednet_mm.models.backbones.rednet_vgg import UnpoolStage
from rednet_mm.models.layers import (
    StepBatchNorm2d,
    recurrent_step,
    step_norms,
)


def build(training=False, **settings):
    torch.manual_seed(0)
    net = MODELS.build(dict(type='REDNetVGG', **settings))
    net.train(training)  # MMPose's backbones return nothing from it
    return net


def estimator(feedback='stem', num_subjects=None, **settings):
    """A RecurrentPoseEstimator; code and maps are those of ResNet-18."""
    backbone = dict(type='REDNetVGG', feedback=feedback)
    return build_model(
        tiny_model_cfg(
            num_subjects=num_subjects, backbone=backbone, **settings
        )
    )


def clips(batch=2, length=2, size=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, 3, size, size, generator=generator)


@pytest.mark.parametrize('feedback', ['input', 'stem', None])
@pytest.mark.parametrize('size', [(64, 64), (96, 64)])
@torch.no_grad()
def test_shapes(feedback, size):
    net = build(feedback=feedback)
    h, w = size
    frames = torch.randn(2, 3, h, w)
    prepared = net.prepare(frames)
    response = None if feedback is None else torch.rand(2, 7, h // 2, w // 2)
    code, skips = net.encode(prepared, response)
    assert code.shape == (2, net.code_channels, h // 32, w // 32)
    # Indices and no feature maps, as small as the pooled maps of A1..A4.
    assert [tuple(places.shape) for places in skips] == [
        (2, 128, h // 4, w // 4),
        (2, 256, h // 8, w // 8),
        (2, 512, h // 16, w // 16),
        (2, 512, h // 32, w // 32),
    ]
    assert all(places.dtype == torch.int64 for places in skips)
    features = net.decode(code, skips)
    assert features.shape == (2, net.out_channels, h // 2, w // 2)
    assert net(frames)[0].shape == features.shape


@torch.no_grad()
def test_a_narrower_network():
    net = build(base_channels=16)
    # A quarter of 512 and of 128.
    assert net.code_channels == 128 and net.out_channels == 32
    assert net(torch.randn(1, 3, 64, 64))[0].shape == (1, 32, 32, 32)
    narrow, full = (
        [m.out_channels for m in each.modules() if isinstance(m, nn.Conv2d)]
        for each in (net, build())
    )
    assert narrow == [width // 4 for width in full]


@pytest.mark.parametrize('size', [(48, 64), (64, 65)])
@pytest.mark.parametrize('feedback', ['input', 'stem'])
def test_size_that_cannot_be_halved_five_times(feedback, size):
    # An odd map would put the activations back in other places.
    with pytest.raises(ValueError, match=f'{size[0]} x {size[1]}.*32'):
        build(feedback=feedback).prepare(torch.zeros(1, 3, *size))


def test_another_feedback():
    with pytest.raises(ValueError, match="'input', 'stem' or None"):
        REDNetVGG(feedback='code')


@pytest.mark.parametrize(
    'layout', [torch.contiguous_format, torch.channels_last], ids=str
)
@torch.no_grad()
def test_every_activation_goes_back_where_it_came_from(layout):
    pools = [m for m in build().features if isinstance(m, nn.MaxPool2d)]
    assert [pool.return_indices for pool in pools] == [False] + [True] * 4
    stage = UnpoolStage(2, (2,), dict(type=StepBatchNorm2d))
    stage.convs = nn.Identity()
    first = [
        [1, 2, 9, 3],
        [5, 4, 0, 1],
        [2, 1, 3, 3.5],
        [0, 6, 8, 7],
    ]
    second = [
        [4, 1, 1, 2],
        [2, 3, 3, 5],
        [0, 1, 1, 0],
        [7, 0, 0, 6],
    ]
    maps = torch.tensor([[first, second]]).contiguous(memory_format=layout)
    pooled, places = pools[1](maps)
    assert pooled.tolist() == [[[[5, 9], [6, 8]], [[4, 5], [7, 6]]]]
    # Each pooled activation changes, as convolutions between would do.
    back = stage(10 * pooled, places)
    # The maximum of each 2x2 window, where it stood; zeros elsewhere.
    assert back.tolist() == [
        [
            [
                [0, 0, 90, 0],
                [50, 0, 0, 0],
                [0, 0, 0, 0],
                [0, 60, 80, 0],
            ],
            [
                [40, 0, 0, 0],
                [0, 0, 0, 50],
                [0, 0, 0, 0],
                [70, 0, 0, 60],
            ],
        ]
    ]


@torch.no_grad()
def test_every_unpooling_has_the_indices_of_its_own_pooling():
    net = build()
    found, used = [], []
    for layer in net.features:
        if isinstance(layer, nn.MaxPool2d) and layer.return_indices:
            layer.register_forward_hook(
                lambda _, inputs, outputs: found.append(outputs[1])
            )
    for stage in (net.up1, net.up2, net.up3, net.up4):
        stage.register_forward_pre_hook(
            lambda _, inputs: used.append(inputs[1])
        )
    net(torch.randn(1, 3, 64, 64))
    # A1..A4 on the way down, B4..B1 on the way up.
    assert len(found) == 4
    assert all(a is b for a, b in zip(found, reversed(used), strict=True))


def torchvision_weights(with_classifier):
    """State of vgg16_bn in torchvision's key layout, nothing at default."""
    generator = torch.Generator().manual_seed(3)
    features = vgg16_bn(weights=None).features
    state = {
        f'features.{name}': torch.rand(value.shape, generator=generator)
        for name, value in features.state_dict().items()
        if not name.endswith('num_batches_tracked')
    }
    if with_classifier:
        state['classifier.0.weight'] = torch.zeros(1)
    return features, state


@pytest.mark.parametrize('feedback', ['input', 'stem', None])
@torch.no_grad()
def test_torchvision_weights_load(feedback):
    features, state = torchvision_weights(with_classifier=True)
    net = build(feedback=feedback, num_steps=2)
    result = net.load_state_dict(state, strict=False)
    assert result.unexpected_keys == ['classifier.0.weight']
    missing = [k for k in result.missing_keys if k.startswith('features.')]
    assert all(k.endswith('num_batches_tracked') for k in missing)
    own = net.state_dict()
    for name, value in state.items():
        if name.startswith('classifier'):
            continue
        mine = own[name]
        if 'running' in name:  # (K, C): one set for each step
            value = value.expand(len(mine), -1)
        elif name == 'features.0.weight':
            assert mine.shape[1] == (10 if feedback == 'input' else 3)
            # What reads the response map starts at zero.
            assert not mine[:, 3:].any()
            mine = mine[:, :3]
        torch.testing.assert_close(mine, value, rtol=0, atol=0)
    # And they mean the same: the code is torchvision's own last feature map.
    features.load_state_dict(
        {k.removeprefix('features.'): v for k, v in state.items()},
        strict=False,
    )
    frames = torch.randn(1, 3, 64, 64)
    code, _ = net.encode(net.prepare(frames), None)
    torch.testing.assert_close(code, features.eval()(frames))


def test_torchvision_file_loads_through_the_config(tmp_path):
    _, state = torchvision_weights(with_classifier=True)
    path = tmp_path / 'vgg16_bn.pth'
    torch.save(state, path)
    net = build(
        feedback='input',
        init_cfg=dict(type='Pretrained', checkpoint=str(path)),
    )
    net.init_weights()
    weight = net.features[0].weight
    torch.testing.assert_close(weight[:, :3], state['features.0.weight'])
    assert not weight[:, 3:].any()


def gradients(model):
    losses = model(clips(), random_samples(4, 64), mode='loss')
    sum(losses.values()).backward()
    return {
        name
        for name, value in model.named_parameters()
        if value.grad is not None and value.grad.abs().max() > 0
    }


@pytest.mark.parametrize('feedback', ['input', 'stem'])
def test_every_parameter_gets_a_gradient(feedback):
    model = estimator(feedback, num_subjects=5).train()
    everything = {name for name, _ in model.named_parameters()}
    # A batch norm takes its own mean away, and with it what a bias before
    # it adds: in training their gradient is rounding at most. They are
    # judged with fixed statistics.
    biases = {
        f'backbone.features.{place}.bias'
        for place, layer in enumerate(model.backbone.features)
        if isinstance(layer, nn.Conv2d)
    }
    assert len(biases) == 13 and biases < everything
    assert everything - biases - gradients(model) == set()
    model.zero_grad()
    for module in model.modules():
        if isinstance(module, StepBatchNorm2d):
            module.eval()
    assert everything - gradients(model) == set()


@pytest.mark.parametrize('feedback', ['input', 'stem'])
@torch.no_grad()
def test_clip_equals_frame_by_frame(feedback):
    model = estimator(feedback).train()
    for seed in range(2):  # running statistics of some data
        model.unroll(clips(seed=seed))
    model.eval()
    frames = clips(length=3, seed=7)
    outputs, _, after = model.unroll(frames)
    state = None
    for t in range(3):
        singles, _, state = model.unroll(frames[:, t : t + 1], state)
        for whole, single in zip(outputs, singles, strict=True):
            whole = whole.unflatten(0, (2, 3))[:, t]
            assert whole.abs().max() > 1e-3
            torch.testing.assert_close(whole, single, rtol=0, atol=1e-5)
    torch.testing.assert_close(after.hidden, state.hidden)
    torch.testing.assert_close(after.cell, state.cell)


@pytest.mark.parametrize('feedback', ['input', 'stem'])
@torch.no_grad()
def test_the_response_map_comes_in(feedback):
    net = build(feedback=feedback)
    prepared = net.prepare(torch.randn(1, 3, 64, 64))
    empty, _ = net.encode(prepared, None)
    zeros, _ = net.encode(prepared, torch.zeros(1, 7, 32, 32))
    ones, _ = net.encode(prepared, torch.ones(1, 7, 32, 32))
    if feedback == 'input':  # at the stem an empty map adds nothing
        torch.testing.assert_close(empty, zeros, rtol=0, atol=0)
    assert (ones - empty).abs().max() > 0


def test_first_stage_runs_once_a_frame_with_the_stem():
    for feedback, times in (('stem', 1), ('input', 2)):
        model = estimator(feedback)
        calls = []
        model.backbone.features[0].register_forward_hook(
            lambda *_, calls=calls: calls.append(1)
        )
        with torch.no_grad():
            model.unroll(clips(1, 1))
        assert len(calls) == times


def test_steps_keep_their_own_statistics():
    net = build(True, feedback='input', num_steps=2)
    frames = torch.randn(2, 3, 64, 64)
    with torch.no_grad(), recurrent_step(step_norms(net), 1):
        net.encode(net.prepare(frames), torch.ones(2, 7, 32, 32))
    mean = net.features[1].running_mean
    assert not mean[0].any() and mean[1].abs().max() > 0
    shared = build(norm_per_step=False)
    assert shared.features[1].running_mean.shape == (1, 64)


def test_encoder_is_as_large_as_the_papers():
    with torch.device('meta'):
        net = REDNetVGG()
        theirs = vgg16_bn(weights=None).features
    count = sum(p.numel() for p in net.features.parameters())
    assert count == sum(p.numel() for p in theirs.parameters())
    # Section 4.1: "from 117M to 14.8M". 13 convolutions have 14,710,464
    # weights and 4,224 biases, their norms 2 x 4,224.
    assert count == 14_710_464 + 3 * 4_224
    assert count / 1e6 == pytest.approx(14.8, abs=0.1)


def test_bfloat16_stays_close():
    model = estimator().train()
    samples = random_samples(4, 64)
    full = model(clips(), samples, mode='loss')
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = model(clips(), samples, mode='loss')
    full.pop('acc_pose')  # a count
    for name, value in full.items():
        # bfloat16 has 8 bits of precision; two dozen layers add up.
        assert half[name].item() == pytest.approx(value.item(), rel=0.05)


def test_deterministic_torch_takes_the_same_way_back():
    # torch's own unpooling refuses to work then.
    torch.manual_seed(0)
    stage = UnpoolStage(2, [3], dict(type=StepBatchNorm2d, num_steps=1)).eval()
    frames = torch.randn(2, 2, 8, 8)
    code, places = nn.functional.max_pool2d(frames, 2, return_indices=True)
    expected = stage(code, places)
    torch.use_deterministic_algorithms(True)
    try:
        found = stage(code.requires_grad_(), places)
        found.sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert code.grad.abs().min() > 0
