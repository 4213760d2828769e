"""Single precision in the middle of mixed precision."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def full_precision(like: Tensor) -> AbstractContextManager[Any]:
    """No autocast within it, on the device of ``like``.

    Nothing is to be switched off on devices that have no autocast.
    """
    device = like.device.type
    # Older torch cannot be asked.
    available = getattr(torch.amp, 'is_autocast_available', lambda _: True)
    if not available(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)
