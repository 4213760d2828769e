"""A narrow allow-list, so that mmengine checkpoints load under torch >= 2.6.

torch 2.6 and newer unpickle with ``weights_only=True``. A checkpoint written
by mmengine also holds numpy scalars and a ``HistoryBuffer`` (the log of the
losses), which that loader refuses. The names below are what such a file needs
and nothing more; a pickle that asks for anything else is still refused.
"""

import _codecs
from typing import Any, Callable

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from numpy.core import multiarray

# HistoryBuffer pickles its bound statistics as getattr(HistoryBuffer, NAME).
_STATISTICS = ('min', 'max', 'mean', 'current')


def _history_statistic(owner: type, name: str) -> Callable:
    """Stand in for ``getattr`` in a pickle: statistics of a HistoryBuffer.

    Raises:
        AttributeError: if anything else is asked for.
    """
    if owner is HistoryBuffer and name in _STATISTICS:
        return getattr(HistoryBuffer, name)
    raise AttributeError(
        f'refused to look up {name!r} on {owner!r} while loading a checkpoint'
    )


def allow_mmengine_checkpoints() -> None:
    """Add the names that an mmengine checkpoint holds to torch's allow-list.

    The real ``getattr`` is never listed: its *name* is mapped to a function
    that answers for the statistics of a HistoryBuffer alone.
    """
    dtypes = [
        value
        for name, value in vars(np.dtypes).items()
        if name.endswith('DType') and isinstance(value, type)
    ]
    names: list[Any] = [
        HistoryBuffer,
        np.ndarray,
        np.dtype,
        *dtypes,
        _codecs.encode,
        bytes,
        (_history_statistic, 'builtins.getattr'),
        (_history_statistic, '__builtin__.getattr'),
    ]
    # numpy 1 and 2 write the same two functions under different modules.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        for name in ('_reconstruct', 'scalar'):
            names.append((getattr(multiarray, name), f'{module}.{name}'))
    torch.serialization.add_safe_globals(names)
