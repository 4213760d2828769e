"""Batch norm over what all processes of a training see at one time."""

from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor
from torch.autograd.function import once_differentiable

from .precision import full_precision

# All axes but the channels.
PLACES = (0, 2, 3)


def sync_batch_norm(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor,
    bias: Tensor,
    momentum: float,
    eps: float,
) -> Tensor:
    """``F.batch_norm`` in training, as if the processes were one.

    Mean and variance, the running statistics and the gradients are those of
    the batches of all processes put together, whose sizes may differ. Every
    process must call it equally often and in the same order: three short
    vectors go round, two on the way forward and one on the way back. On any
    device, which torch's own ``SyncBatchNorm`` is not.

    Args:
        input (Tensor): Shape (N, C, H, W), of one process, not empty; half
            precision too.
        running_mean (Tensor): Shape (C,), changed in place.
        running_var (Tensor): Shape (C,), changed in place, by the unbiased
            variance of the whole batch.
        weight (Tensor): Shape (C,), the precision that is computed in.
        bias (Tensor): Shape (C,).
        momentum (float): Share of the batch in the running statistics.
        eps (float): Added to the variance.

    Returns:
        Tensor: Shape and type of ``input``.
    """
    with full_precision(input):
        mean, var, count = _figures(input.detach().to(weight.dtype))
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * count / (count - 1), momentum)
        inverse = torch.rsqrt(var + eps)
        return _Normalise.apply(input, weight, bias, mean, inverse, count)


def _figures(input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance (C,) of all processes, and how many values (1,)."""
    own = input.numel() // input.shape[1]
    var, mean = torch.var_mean(input, PLACES, correction=0)
    sums = torch.cat([own * mean, mean.new_full((1,), own)])
    all_reduce(sums)
    count = sums[-1:]
    whole_mean = sums[:-1] / count
    # About the whole mean: a difference of squares would lose the variance
    # of channels that are far from zero.
    squares = own * (var + (mean - whole_mean).square())
    all_reduce(squares)
    return whole_mean, squares / count, count


class _Normalise(torch.autograd.Function):
    """Shift and scale; in the gradient, the figures depend on the input."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        inverse: Tensor,
        count: Tensor,
    ) -> Tensor:
        # Of the activations the input alone is kept, as in F.batch_norm.
        ctx.save_for_backward(input, weight, mean, inverse, count)
        scale = weight * inverse
        shift = bias - mean * scale
        output = torch.addcmul(_wide(shift), input, _wide(scale))
        return output.to(input.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:  # type: ignore[override]
        input, weight, mean, inverse, count = ctx.saved_tensors
        with full_precision(input):
            normal = (input - _wide(mean)) * _wide(inverse)
            grad_bias = grad.sum(PLACES, dtype=weight.dtype)
            grad_weight = (grad * normal).sum(PLACES)
            sums = torch.stack([grad_bias, grad_weight])
            # Each output of each process hangs on the mean and the variance.
            all_reduce(sums)
            by_mean, by_spread = (sums / count).unbind()
            grad_input = grad - _wide(by_mean) - normal * _wide(by_spread)
            grad_input = (grad_input * _wide(weight * inverse)).to(input.dtype)
        return grad_input, grad_weight, grad_bias, None, None, None


def _wide(channels: Tensor) -> Tensor:
    """(C,) -> (C, 1, 1)."""
    return channels[:, None, None]
