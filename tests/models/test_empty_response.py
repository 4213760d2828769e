"""An empty response map adds nothing, except in networks of old layout."""

import copy

import pytest
import torch
from builders import build_model, tiny_model_cfg

from rednet_mm.models.layers import StepBatchNorm2d, recurrent_step
from rednet_mm.utils.checkpoint import check_checkpoint


def filled(model):
    """With every tensor changed, so that nothing agrees by chance."""
    generator = torch.Generator().manual_seed(3)
    for value in [*model.parameters(), *model.buffers()]:
        value.data.copy_(torch.rand(value.shape, generator=generator))
    model.eval()  # a ResNet of MMPose returns nothing
    return model


def norms(module):
    return [m for m in module.modules() if isinstance(m, StepBatchNorm2d)]


def config(network, **settings):
    cfg = tiny_model_cfg(recurrent=False, **settings)
    if network == 'vgg':
        cfg['backbone'].pop('depth')
        cfg['backbone'].update(type='REDNetVGG', base_channels=8)
        cfg['neck']['in_channels'] = 64
        cfg['head']['in_channels'] = 16
    else:
        cfg['backbone'].update(depth=network, base_channels=8)
        cfg['neck']['in_channels'] = 64 if network == 18 else 256
    return cfg


def old_layout(network):
    """A backbone whose norms all keep both steps, as they used to."""
    backbone = build_model(config(network)).backbone
    for norm in norms(backbone):
        norm.keep_steps(2)
    return filled(backbone)


@torch.no_grad()
def test_the_feedback_unit_does_not_run_on_an_empty_map():
    backbone = filled(build_model(config(18)).backbone)
    calls = []
    backbone.feedback_unit.register_forward_hook(lambda *_: calls.append(1))
    frames = torch.rand(1, 3, 64, 64)
    prepared = backbone.prepare(frames)
    code, _ = backbone.encode(prepared, None)
    expected, _ = backbone._later_stages(prepared)
    assert torch.equal(code, expected)
    assert calls == []


def test_statistics_of_steps_that_never_happen_are_not_kept():
    def counts(**settings):
        model = build_model(config(18, **settings))
        parts = model.backbone.layer1, model.backbone.layer2
        if hasattr(model.backbone, 'feedback_unit'):
            parts += (model.backbone.feedback_unit,)
        return [{norm.num_steps for norm in norms(p)} for p in parts]

    three = ('det', 'det', 'reg')
    # The stem runs once a frame; step 1 has no map to bring in.
    assert counts(steps=three) == [{1}, {3}, {2}]
    mean = dict(init_from='mean', mean_shape=[[0.5, 0.5]] * 7)
    assert counts(steps=three, **mean) == [{1}, {3}, {3}]
    assert counts(steps=three, feedback='input') == [{3}, {3}]


@pytest.mark.parametrize('size', [64, 96])
@pytest.mark.parametrize('network', [18, 50, 'vgg'])
@torch.no_grad()
def test_an_old_file_gives_what_it_gave(network, size):
    old = old_layout(network)
    new = build_model(config(network)).backbone
    new.eval()
    new.load_state_dict(copy.deepcopy(old.state_dict()))
    frames = torch.rand(2, 3, size, size)
    prepared = old.prepare(frames)
    torch.testing.assert_close(new.prepare(frames), prepared)
    side = size // 2
    empty, full = torch.zeros(2, 7, side, side), torch.rand(2, 7, side, side)
    for step, given, before in ((0, None, empty), (1, full, full)):
        with recurrent_step([*norms(new), *norms(old)], step):
            ours, _ = new.encode(prepared, given)
            theirs, _ = old.encode(prepared, before)
        torch.testing.assert_close(ours, theirs)
    # What is written then is of the new layout, and is read as such.
    again = build_model(config(network)).backbone
    again.load_state_dict(new.state_dict())
    for key, value in new.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key
    assert again.empty_response.any()
    # A network that has it takes a file without it, and forgets it.
    again.load_state_dict(build_model(config(network)).backbone.state_dict())
    assert again.empty_response is None


def test_an_old_file_is_a_checkpoint_for_tests_and_training(tmp_path):
    path = str(tmp_path / 'old.pth')
    model = build_model(config(18))
    for norm in norms(model.backbone):
        norm.keep_steps(2)
    torch.save(filled(model).state_dict(), path)
    new = build_model(config(18))
    for purpose in ('test', 'load'):
        check_checkpoint(new, path, purpose)
    new.load_state_dict(torch.load(path), strict=False)
    assert new.backbone.empty_response.any()
    torch.save(new.state_dict(), path)
    for purpose in ('test', 'load', 'resume'):
        check_checkpoint(build_model(config(18)), path, purpose)
