"""Activation checkpointing for layers with per-step statistics."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Callable, Iterable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .step_norm import StepBatchNorm2d


def checkpointed(
    function: Callable[..., Any],
    norms: Iterable[StepBatchNorm2d],
    *inputs: Tensor,
) -> Any:
    """``function(*inputs)``, computed a second time in the backward pass.

    Only the inputs are kept for the backward pass, not what the function
    computes on the way. There must be nothing random in the function: the
    second time would draw other numbers. Where no gradient is wanted, it is
    called and that is all.

    Args:
        function (Callable): Takes and returns tensors.
        norms (Iterable[StepBatchNorm2d]): The batch norms in it, at the step
            of this call. Others may be among them.
        *inputs (Tensor): What it is called with.

    Returns:
        Any: What the function returns.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    settings: dict[str, Any] = dict(
        use_reentrant=False, preserve_rng_state=False
    )
    if not torch.compiler.is_compiling():
        again = _StepsOfForward(norms)
        settings.update(context_fn=lambda: (nullcontext(), again))
    # A compiler has written the step into its graph, and keeps what changes
    # a buffer out of what it computes again.
    return checkpoint(function, *inputs, **settings)


class _StepsOfForward(AbstractContextManager):
    """Within it, ``norms`` are at the step at which they were at its making.

    In the backward pass they stand at the last step of the forward pass, and
    have already counted every batch. So their step is set back and their
    running statistics stay as they are; the batch is normalised with its own
    statistics, as it was. Afterwards everything is as before, also when the
    recomputation is broken off because nothing more is needed of it.

    It can be entered any number of times: backward may be called twice.
    """

    def __init__(self, norms: Iterable[StepBatchNorm2d]) -> None:
        self.steps = [(norm, norm.step) for norm in norms]

    def __enter__(self) -> None:
        self.before = [(norm.step, norm.momentum) for norm, _ in self.steps]
        for norm, step in self.steps:
            # The share of this batch in the running statistics: none.
            norm.step, norm.momentum = step, 0.0

    def __exit__(self, *error: object) -> None:
        for (norm, _), before in zip(self.steps, self.before):
            norm.step, norm.momentum = before
