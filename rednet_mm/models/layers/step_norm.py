"""Batch norm whose running statistics belong to a recurrent step."""

from typing import Any, Iterable

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size
from torch import Tensor, nn

from .sync_norm import sync_batch_norm


class StepBatchNorm2d(nn.Module):
    """Batch norm with K sets of running statistics and one scale and shift.

    The first recurrent step sees an empty response map and the next a full
    one, so their activations are distributed differently: one shared running
    mean is wrong for both at test time. Scale and shift are weights and stay
    shared between the steps.

    The step is chosen with :class:`recurrent_step`; without, it is the first.
    A checkpoint whose statistics have no step axis (torchvision's), or another
    number of steps, loads: missing steps start from the last one given.

    Args:
        num_features (int): Channels C.
        num_steps (int): Recurrent steps with statistics of their own: those
            from ``first_step`` on at which the layer is called. A later step
            uses the last set. Defaults to 1.
        first_step (int): The first step at which the layer is called, counted
            from 0. Defaults to 0.
        eps (float): Added to the variance. Defaults to 1e-5.
        momentum (float): Share of a batch in the running statistics.
            Defaults to 0.1.
        sync (bool): Whether, in training, a batch is what all processes see
            at one time and not one of them. Defaults to False.
    """

    # Not one of torch's batch norms, which conversions to SyncBatchNorm would
    # replace and lose the steps; mmcv names it like one.
    _abbr_ = 'bn'

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        num_features: int,
        num_steps: int = 1,
        eps: float = 1e-5,
        momentum: float = 0.1,
        sync: bool = False,
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.sync = sync
        self.step = 0
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.keep_steps(num_steps, first_step)

    def keep_steps(self, num_steps: int, first_step: int = 0) -> None:
        """Start new statistics, for the steps that the layer will see."""
        self.num_steps = num_steps
        self.first_step = first_step
        shape = (num_steps, self.num_features)
        zeros, ones = self.weight.new_zeros(shape), self.weight.new_ones(shape)
        self.register_buffer('running_mean', zeros)
        self.register_buffer('running_var', ones)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input`` (N, C, H, W) with the chosen step's figures."""
        tensors = (
            input,
            self.running_mean[self.step],
            self.running_var[self.step],
            self.weight,
            self.bias,
        )
        if self.sync and self.training and get_world_size() > 1:
            return sync_batch_norm(*tensors, self.momentum, self.eps)
        return F.batch_norm(*tensors, self.training, self.momentum, self.eps)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: object
    ) -> None:
        for name in ('running_mean', 'running_var'):
            value = state_dict.get(prefix + name)
            if value is None:
                continue
            if value.dim() == 1:
                value = value[None]
            missing = self.num_steps - len(value)
            if missing > 0:
                value = torch.cat([value, value[-1:].expand(missing, -1)])
            state_dict[prefix + name] = value[: self.num_steps]
        # torch's batch norms also count batches; nothing here needs it.
        state_dict.pop(prefix + 'num_batches_tracked', None)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return (
            f'{self.num_features}, num_steps={self.num_steps}, '
            f'sync={self.sync}'
        )


class StepBatchNormAct2d(StepBatchNorm2d):
    """As timm's ``BatchNormAct2d``: what follows a norm is a part of it."""

    act: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W), normalised and activated."""
        return self.act(super().forward(input))


def convert_norms(module: nn.Module, num_steps: int, sync: bool) -> None:
    """Put norms with statistics of each step in place of a network's own.

    Weights, statistics and the names of both stay; what comes after timm's
    norms too.

    Args:
        module (nn.Module): All batch norms below it are replaced.
        num_steps (int): Recurrent steps K.
        sync (bool): As for :class:`StepBatchNorm2d`.
    """
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm2d):
            convert_norms(child, num_steps, sync)
            continue
        kind = StepBatchNormAct2d if hasattr(child, 'act') else StepBatchNorm2d
        norm: Any = kind(
            child.num_features,
            num_steps,
            child.eps,
            0.1 if child.momentum is None else child.momentum,
            sync,
        )
        norm.load_state_dict(child.state_dict())
        if isinstance(norm, StepBatchNormAct2d):
            after: Any = child
            norm.act = nn.Sequential(after.drop, after.act)
        setattr(module, name, norm)


class recurrent_step:
    """A context within which norms use the statistics of one step.

    ::

        for k in range(steps):
            with recurrent_step(norms, k):
                ...

    Norms with a single set of statistics keep it whatever the step; outside
    all use their first.

    Args:
        norms (Iterable[StepBatchNorm2d]): Of the network.
        step (int): The recurrent step, counted from 0.
    """

    def __init__(self, norms: Iterable[StepBatchNorm2d], step: int) -> None:
        self.norms = tuple(norms)
        self.step = step

    def __enter__(self) -> None:
        for norm in self.norms:
            own = max(self.step - norm.first_step, 0)
            norm.step = min(own, norm.num_steps - 1)

    def __exit__(self, *error: object) -> None:
        for norm in self.norms:
            norm.step = 0


def step_norms(module: nn.Module) -> tuple[StepBatchNorm2d, ...]:
    """The norms with statistics of each step in a module."""
    return tuple(m for m in module.modules() if isinstance(m, StepBatchNorm2d))
