"""torch.compile: the same numbers, one graph, no end of recompilation."""

import pytest
import torch
from builders import build_model, tiny_model_cfg
from torch import nn

from rednet_mm.models import TemporalRecurrentNeck
from rednet_mm.models.layers import (
    StepBatchNorm2d,
    checkpointed,
    recurrent_step,
)

dynamo = pytest.importorskip('torch._dynamo')
if not dynamo.is_dynamo_supported():
    pytest.skip('no dynamo on this system', allow_module_level=True)
# Without it, nn.LSTM is left to plain Python.
if not hasattr(dynamo.config, 'allow_rnn'):
    pytest.skip('this dynamo knows no LSTM', allow_module_level=True)


@pytest.fixture(autouse=True)
def clean():
    dynamo.reset()
    dynamo.utils.counters.clear()
    with dynamo.config.patch(allow_rnn=True):
        yield
    dynamo.reset()


def graphs():
    return dynamo.utils.counters['stats']['unique_graphs']


def compiled(function, backend='eager'):
    """One graph, or an error that names the break."""
    return torch.compile(function, backend=backend, fullgraph=True)


def clips(batch=1, length=2, size=64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, length, 3, size, size, generator=generator)


def step(model, unroll, state):
    """Outputs, gradients and running statistics of one training step."""
    model.load_state_dict(state)
    model.zero_grad()
    outputs, identities, memory = unroll(clips())
    sum(each.square().sum() for each in outputs).backward()
    found = {f'output {k}': each for k, each in enumerate(outputs)}
    found.update(hidden=memory.hidden, cell=memory.cell)
    found.update({f'identity {k}': x for k, x in enumerate(identities)})
    for name, value in model.named_parameters():
        if value.grad is not None:
            found[f'gradient of {name}'] = value.grad
    found.update({k: v.clone() for k, v in model.named_buffers()})
    return found


@pytest.mark.slow
def test_training_is_the_same_in_one_graph():
    model = build_model(tiny_model_cfg()).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    plain = step(model, model.unroll, state)
    unroll = compiled(model.unroll)
    for _ in range(3):
        ours = step(model, unroll, state)
        assert ours.keys() == plain.keys()
        for name, value in plain.items():
            torch.testing.assert_close(
                ours[name], value, msg=lambda text, n=name: f'{n}: {text}'
            )
    assert graphs() == 1


@pytest.mark.slow
@torch.no_grad()
def test_videos_frame_by_frame_are_the_same_in_two_graphs():
    # One recurrent step, which is half the tracing of two.
    vgg = dict(type='REDNetVGG', feedback=None)
    cfg = tiny_model_cfg(steps=('reg',), backbone=vgg)
    model = build_model(cfg).eval()
    track = compiled(model.step)
    state = ours = None
    for frame in clips(length=4).unbind(1):
        result, state = model.step(frame, state)
        mine, ours = track(frame, ours)
        torch.testing.assert_close(mine.keypoints, result.keypoints)
        torch.testing.assert_close(ours.hidden, state.hidden)
    # Without a state and with one; from then on there is nothing new.
    assert graphs() == 2


def neck(recurrent=True):
    torch.manual_seed(0)
    return TemporalRecurrentNeck(512, recurrent=recurrent).eval()


@torch.no_grad()
def test_the_lstm_is_what_breaks_the_graph():
    codes = torch.randn(2, 512, 2, 2)
    with dynamo.config.patch(allow_rnn=False):
        assert dynamo.explain(neck(False))(codes, None, 2).graph_count == 1
        whole = neck()
        with pytest.raises(dynamo.exc.Unsupported, match='LSTM'):
            compiled(whole)(codes, None, 2)
        # In pieces it is right all the same.
        dynamo.reset()
        pieces = torch.compile(whole, backend='eager')
        code, _, memory = pieces(codes, None, 2)
    expected, _, (hidden, _) = whole(codes, None, 2)
    torch.testing.assert_close(code, expected)
    torch.testing.assert_close(memory[0], hidden)


def test_what_a_compiler_computes_again_is_counted_once():
    norm = StepBatchNorm2d(1, num_steps=2, momentum=0.5)
    unit = nn.Sequential(norm, nn.ReLU(inplace=True))

    def two_steps(first, second):
        outputs = []
        for k, batch in enumerate((first, second)):
            with recurrent_step([norm], k):
                outputs.append(checkpointed(unit, [norm], batch))
        return outputs

    first = torch.tensor([[[[1.0, 3.0]]]], requires_grad=True)
    second = torch.tensor([[[[10.0, 30.0]]]], requires_grad=True)
    outputs = compiled(two_steps, 'aot_eager')(first, second)
    sum(each.square().sum() for each in outputs).backward()
    # Half of the means 2 and 20; a second time would add a quarter.
    assert norm.running_mean.tolist() == [[1.0], [10.0]]
    # Half of 1, with which they begin, and of the unbiased 2 and 200.
    assert norm.running_var.tolist() == [[1.5], [100.5]]
    # Normalised: -1 and 1, the ReLU leaves 1; twice that for the shift.
    assert norm.bias.grad.item() == pytest.approx(2 * 2, abs=1e-4)
