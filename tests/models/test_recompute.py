"""Activation checkpointing: less memory, the same numbers."""

import sys
from pathlib import Path

import pytest
import torch
from builders import build_model, random_samples, tiny_model_cfg
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import set_checkpoint_early_stop

from rednet_mm.models.layers import StepBatchNorm2d, recomputed, recurrent_step

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools' / 'benchmarks'))

from clip_memory import StorageCounter, as_markdown, fit


def estimator(backbone='REDNetResNet', feedback='stem', **settings):
    cfg = tiny_model_cfg(feedback=feedback, num_subjects=3, **settings)
    if backbone == 'REDNetVGG':
        cfg['backbone'] = dict(type=backbone, feedback=feedback)
    return build_model(cfg)


def backbones(model):
    return [model.backbone, *model.later_backbones]


def norms(model):
    return [m for m in model.modules() if isinstance(m, StepBatchNorm2d)]


def clips(batch=1, length=2, size=64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, length, 3, size, size, generator=generator)


def train(model, with_cp, autocast=False, state=None):
    """Losses, gradients and running statistics after a training step.

    Args:
        state: What the model begins with.
    """
    model.load_state_dict(state)
    model.zero_grad()
    for backbone in backbones(model):
        backbone.with_cp = with_cp
    torch.manual_seed(2)  # of the dropout before the identity classifier
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        losses = model(clips(), random_samples(2), mode='loss')
    sum(losses.values()).backward()
    found = {f'loss {name}': value for name, value in losses.items()}
    for name, value in model.named_parameters():
        assert value.grad is not None, name
        found[f'gradient of {name}'] = value.grad
    for name, value in model.named_buffers():
        found[name] = value.clone()
    return found


def compare(model, autocast=False):
    """The same step without and with checkpointing."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    plain = train(model, False, autocast, state)
    saving = train(model, True, autocast, state)
    assert plain.keys() == saving.keys()
    for name, value in plain.items():
        torch.testing.assert_close(
            saving[name],
            value,
            rtol=1e-6,
            atol=1e-6,
            msg=lambda text, name=name: f'{name}: {text}',
        )
    return state, plain


@pytest.mark.parametrize(
    ('backbone', 'feedback'),
    [
        ('REDNetResNet', 'stem'),
        ('REDNetResNet', 'input'),
        ('REDNetVGG', 'stem'),
    ],
)
def test_a_training_step_is_the_same(backbone, feedback):
    model = estimator(backbone, feedback).train()
    before, after = compare(model)
    layers = norms(model.backbone)
    assert len(layers) > 20
    # All is where the forward pass left it: outside of any step.
    assert {layer.step for layer in layers} == {0}
    assert {layer.momentum for layer in layers} == {0.1}
    # The comparison would have seen a batch that is counted twice, or in
    # another step's place: every mean moves, and those of the steps differ.
    moved, apart = [], []
    for name, mean in after.items():
        if name.startswith('backbone.') and name.endswith('running_mean'):
            moved.append((mean - before[name]).abs().max())
            if len(mean) > 1:  # the stem has one step
                apart.append((mean[0] - mean[1]).abs().max())
    assert min(moved) > 1e-5
    assert sum(each > 1e-5 for each in apart) > 20


def test_a_step_in_mixed_precision_is_the_same():
    compare(estimator().train(), autocast=True)


def test_gradients_with_fixed_statistics_are_the_same():
    model = estimator(feedback='input').train()
    with torch.no_grad():
        for _ in range(2):
            model.unroll(clips())
    # The running statistics are used, not the batch's: a recomputation at
    # another step than its forward pass shows in the gradients.
    compare(model.eval())


@pytest.mark.parametrize(
    'settings',
    [
        dict(cascade=True),
        dict(init_from='previous'),
        dict(feedback=None, steps=('reg',)),
    ],
    ids=['cascade', 'previous', 'one-shot'],
)
def test_other_forms_of_the_model_are_the_same(settings):
    cfg = tiny_model_cfg(num_subjects=3, **settings)
    if settings.get('cascade'):  # each network takes one step
        del cfg['backbone']['num_steps'], cfg['neck']['num_steps']
    compare(build_model(cfg).train())


@pytest.mark.parametrize('backbone', ['REDNetResNet', 'REDNetVGG'])
def test_less_is_kept_for_the_backward_pass(backbone):
    model = estimator(backbone).train()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}
    for with_cp in (False, True):
        model.backbone.with_cp = with_cp
        sizes, alive = {}, []

        def pack(value, sizes=sizes, alive=alive):
            storage = value.untyped_storage()
            if storage.data_ptr() not in own:
                sizes[storage.data_ptr()] = storage.nbytes()
                alive.append(value)  # its place is not given away again
            return value

        with saved_tensors_hooks(pack, lambda value: value):
            outputs, _, _ = model.unroll(clips())
        kept[with_cp] = sum(sizes.values())
        del outputs
    assert kept[True] < 0.25 * kept[False]


@torch.no_grad()
def test_without_gradients_it_is_a_plain_call(monkeypatch):
    monkeypatch.setattr(
        'rednet_mm.models.layers.recompute.checkpoint',
        lambda *_, **__: pytest.fail('something is kept'),
    )
    model = estimator().eval()
    plain, _, _ = model.unroll(clips())
    model.backbone.with_cp = True
    saving, _, _ = model.unroll(clips())
    for one, other in zip(plain, saving, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def two_steps():
    """A norm of one channel, and its outputs at two recomputed steps."""
    norm = StepBatchNorm2d(1, num_steps=2, momentum=0.5)
    unit = nn.Sequential(norm, nn.ReLU(inplace=True))
    outputs = []
    for step, values in enumerate(([1.0, 3.0], [10.0, 30.0])):
        batch = torch.tensor([[[values]]], requires_grad=True)
        with recurrent_step([norm], step):
            outputs.append(recomputed(unit, [norm], batch))
    return norm, outputs


@pytest.mark.parametrize('early_stop', [True, False])
def test_backward_counts_no_batch_again(early_stop):
    with set_checkpoint_early_stop(early_stop):
        norm, outputs = two_steps()
        # Half of the means 2 and 20; a second time would add a quarter.
        assert norm.running_mean.tolist() == [[1.0], [10.0]]
        # Backward may come twice.
        for _ in range(2):
            sum(outputs).sum().backward(retain_graph=True)
    assert norm.running_mean.tolist() == [[1.0], [10.0]]
    # Half of 1, with which they begin, and of the unbiased 2 and 200.
    assert norm.running_var.tolist() == [[1.5], [100.5]]
    assert (norm.step, norm.momentum) == (0, 0.5)


def test_an_error_in_the_recomputation_leaves_no_trace():
    norm = StepBatchNorm2d(1, num_steps=2)
    seen = []

    def unit(batch):
        seen.append((norm.step, norm.momentum))
        if len(seen) == 2:
            raise RuntimeError('broken off')
        return norm(batch).square()

    batch = torch.randn(1, 1, 2, 2, requires_grad=True)
    with recurrent_step([norm], 1):
        output = recomputed(unit, [norm], batch)
    with pytest.raises(RuntimeError, match='broken off'):
        output.sum().backward()
    assert seen == [(1, 0.1), (1, 0.0)]
    assert (norm.step, norm.momentum) == (0, 0.1)


def test_bytes_are_counted_once_and_while_they_are_there():
    with StorageCounter() as counter:
        first = torch.zeros(100)  # 400 bytes
        view = first[:50]
        assert (counter.alive, counter.peak) == (400, 400)
        second = first + 1
        second.mul_(2)
        assert (counter.alive, counter.peak) == (800, 800)
        del first
        assert counter.alive == 800  # the view holds it
        del view
        third = second.sum()  # 4 bytes
        assert (counter.alive, counter.peak) == (404, 800)
        del second, third
    assert (counter.alive, counter.peak) == (0, 800)


def test_the_line_foretells_from_smaller_steps():
    def row(frames, size):
        return dict(mode='plain', clips=2, frames=frames, measured=size)

    # 1 GB and half a GB a frame; the target's own 99 GB stay out of it.
    rows = [row(1, 2e9), row(2, 3e9), row(3, 4e9), row(5, 99e9)]
    assert fit(rows, 10) == pytest.approx((1e9, 5e8))
    text = as_markdown(rows, (2, 5), 'here')
    assert '1.00 GB and 0.500 GB a frame, so 6.00 GB for 2 x 5' in text
    assert '| plain | 2 x 5 | 99.00 | - |' in text
    # Through two points there is always a line; a step that did not fit the
    # machine is no point.
    few = [*rows[:2], row(3, None)]
    assert fit(few, 10) is None
    assert 'too few for a line' in as_markdown(few, (2, 5), 'here')
