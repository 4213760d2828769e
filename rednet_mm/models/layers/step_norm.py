"""Batch norm whose running statistics belong to a recurrent step."""

from typing import Any, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm


class StepBatchNorm2d(_BatchNorm):
    """Batch norm with K sets of running statistics and one scale and shift.

    The first recurrent step sees an empty response map and the next a full
    one, so their activations are distributed differently: one shared running
    mean is wrong for both at test time. Scale and shift are weights and stay
    shared between the steps.

    The step is chosen with :func:`set_step` before the layer is called. A
    checkpoint whose statistics have no step axis (torchvision's), or another
    number of steps, loads: missing steps start from the last one given.

    Args:
        num_features (int): Channels C.
        num_steps (int): Recurrent steps K. Defaults to 1.
    """

    def __init__(
        self, num_features: int, num_steps: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(num_features, **kwargs)
        self.num_steps = num_steps
        self.step = 0
        self.running_mean = torch.zeros(num_steps, num_features)
        self.running_var = torch.ones(num_steps, num_features)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() != 4:
            raise ValueError(f'expected (N, C, H, W), got {input.dim()} axes')

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input`` (N, C, H, W) with the chosen step's figures."""
        self._check_input_dim(input)
        assert self.running_mean is not None and self.running_var is not None
        assert self.momentum is not None
        return F.batch_norm(
            input,
            self.running_mean[self.step],
            self.running_var[self.step],
            self.weight,
            self.bias,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
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
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, num_steps={self.num_steps}'


def set_step(norms: Iterable[StepBatchNorm2d], step: int) -> None:
    """Make ``norms`` use the running statistics of ``step``.

    Layers with a single set of statistics keep it whatever the step.
    """
    for norm in norms:
        norm.step = min(step, norm.num_steps - 1)
