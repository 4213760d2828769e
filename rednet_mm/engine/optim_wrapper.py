"""Mixed precision where MMEngine's own wrapper refuses: on a CPU."""

from contextlib import contextmanager
from typing import Any, Iterator

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Forward and loss under bfloat16 autocast, on any device.

    bfloat16 has the range of float32: no loss scaling is needed. The device
    is that of the model's parameters.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[Any]:
        """Autocast round the forward pass of a training step."""
        device = next(model.parameters()).device.type
        half = torch.autocast(device, dtype=torch.bfloat16)
        with super().optim_context(model), half:
            yield
