"""Two processes normalise as one: outputs, gradients, running statistics."""

from __future__ import annotations

from datetime import timedelta

import pytest
import torch
from mmengine.dist import get_rank
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from rednet_mm.models import REDNetResNet
from rednet_mm.models.layers import StepBatchNorm2d, recurrent_step, step_norms

# What each of two processes sees of five frames.
SHARES = (slice(0, 2), slice(2, 5))
ALL = slice(0, 5)

# Of a layer: what each has some frames of, and what adds up.
PARTS = (('output', 'batch'), ('weight', 'bias'))


def numbers(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


def normalised(share, dtype=torch.float32):
    """A training step of a layer on ``share`` of a batch of five frames."""
    norm = StepBatchNorm2d(3, num_steps=2, momentum=0.3, sync=True)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
    # A channel far from zero, and frames that are not alike.
    batch = numbers(5, 3, 4, 6) * torch.arange(1, 6)[:, None, None, None]
    batch = batch + torch.tensor([0.0, 5.0, 300.0])[:, None, None]
    batch = batch[share].to(dtype).requires_grad_()
    half = torch.autocast('cpu', enabled=dtype is torch.bfloat16)
    with recurrent_step([norm], 1), half:
        output = norm(batch)
    (output * numbers(5, 3, 4, 6, seed=1)[share]).sum().backward()
    return dict(
        output=output.detach(),
        batch=batch.grad,
        weight=norm.weight.grad,
        bias=norm.bias.grad,
        running_mean=norm.running_mean,
        running_var=norm.running_var,
    )


class TwoSteps(nn.Module):
    """A backbone in two recurrent steps."""

    def __init__(self, with_cp):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = REDNetResNet(
            18, base_channels=8, sync_norm=True, with_cp=with_cp
        )
        self.backbone.init_weights()

    def forward(self, frames):
        net, response = self.backbone, None
        prepared = net.prepare(frames)
        for step in range(2):
            with recurrent_step(step_norms(net), step):
                features = net.decode(*net.encode(prepared, response))
            response = features[:, :7].sigmoid()
        return features


def trained(share, with_cp):
    """Four steps of SGD on a share, with DDP where it is one.

    In double precision: in single precision, from one step to the next a
    training makes more of the order in which numbers are added.
    """
    model = TwoSteps(with_cp).double()
    wrapped, part = model, 1.0
    if share is not ALL:
        # DDP takes the mean of gradients of sums.
        wrapped, part = DistributedDataParallel(model), 2.0
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)
    losses = []
    for _ in range(4):
        features = wrapped(numbers(5, 3, 64, 64).double()[share])
        target = numbers(*features.shape[1:], seed=1).double()
        loss = part * (features - target).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach() / part)
    return dict(model.state_dict(), losses=torch.stack(losses))


def process(rank, folder):
    """What one of two processes computes, into ``folder/RANK.pth``."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo',
        init_method=f'file://{folder}/meeting_point',
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    assert get_rank() == rank
    share = SHARES[rank]
    found = dict(
        layer=normalised(share),
        half=normalised(share, torch.bfloat16),
        plain=trained(share, with_cp=False),
        with_cp=trained(share, with_cp=True),
    )
    if rank == 0:
        # In evaluation nobody is asked: the other does not take part.
        norm = StepBatchNorm2d(3, sync=True).eval()
        found['alone'] = norm(numbers(1, 3, 2, 2))
    torch.save(found, f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.fixture(scope='module')
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp('two')
    torch.multiprocessing.spawn(process, (str(folder),), nprocs=2)
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


def agree(two, name, one, joined, added, **bounds):
    """Compare results of two processes with those of one.

    Args:
        joined: Names of what each process has some frames of.
        added: Names of what is the sum over the processes.
    """
    first, second = (each[name] for each in two)
    assert first.keys() == second.keys() == one.keys()
    for key, value in one.items():
        if key in joined:
            theirs = [torch.cat([first[key], second[key]])]
        elif key in added:
            theirs = [first[key] + second[key]]
        else:  # the same on both
            theirs = [first[key], second[key]]
        for each in theirs:
            torch.testing.assert_close(
                each,
                value,
                msg=lambda text, key=key: f'{key}: {text}',
                **bounds,
            )


@pytest.mark.slow
def test_a_layer_is_that_of_one_process(two):
    one = normalised(ALL)
    assert (one['running_mean'][1, 2] - 90).abs() < 3  # 0.3 of 300
    agree(two, 'layer', one, *PARTS, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_half_precision_goes_in_and_out(two):
    one = normalised(ALL, torch.bfloat16)
    assert one['output'].dtype == one['batch'].dtype == torch.bfloat16
    agree(two, 'half', one, *PARTS, rtol=1e-2, atol=2e-2)
    # The figures are not in half precision: 8 bits of 300 are steps of 2.
    for each in two:
        torch.testing.assert_close(
            each['half']['running_mean'], one['running_mean']
        )


@pytest.mark.slow
@pytest.mark.parametrize('name', ['plain', 'with_cp'])
def test_a_training_is_that_of_one_process(two, name):
    one = trained(ALL, with_cp=False)
    # It is on its way: what agrees is not the start alone.
    assert one['losses'][-1] < 0.9 * one['losses'][0]
    agree(two, name, one, (), ('losses',), rtol=1e-9, atol=1e-9)


def test_without_processes_it_is_torchs(monkeypatch):
    monkeypatch.setattr(
        'rednet_mm.models.layers.step_norm.sync_batch_norm',
        lambda *_: pytest.fail('nobody is there'),
    )
    norms = [StepBatchNorm2d(3, sync=sync) for sync in (False, True)]
    outputs = [norm(numbers(2, 3, 4, 4)) for norm in norms]
    assert torch.equal(*outputs)
    assert torch.equal(norms[0].running_var, norms[1].running_var)


def test_evaluation_asks_nobody(two):
    expected = numbers(1, 3, 2, 2) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(two[0]['alone'], expected)
