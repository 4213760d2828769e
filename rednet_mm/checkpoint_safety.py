"""Checkpoints that load under torch >= 2.6 and run nothing.

torch 2.6 and newer unpickle with ``weights_only=True``. A checkpoint written
by mmengine also holds numpy scalars and a ``HistoryBuffer`` (the log of the
losses), which that loader refuses. The names below are what such a file needs
and nothing more; a pickle that asks for anything else is still refused.
Older torch has no such list and loads checkpoints as MMEngine does there.
"""

import _codecs
import os.path as osp
import pickle
from typing import Any, Callable

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import is_model_wrapper
from mmengine.utils import digit_version
from numpy.core import multiarray
from torch import nn

from rednet_mm.errors import UserError

# Whether torch loads weights alone unless told otherwise.
LOADS_WEIGHTS_ONLY = digit_version(torch.__version__) >= digit_version('2.6')

# What torch.load raises over a file that is cut short, damaged, or asks for
# something that is not on the allow-list.
UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

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
    if not LOADS_WEIGHTS_ONLY:
        return
    # Dtypes have classes of their own since numpy 1.25.
    known = vars(np.dtypes) if hasattr(np, 'dtypes') else {}
    dtypes = [
        value
        for name, value in known.items()
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


def read_checkpoint(path: str) -> dict:
    """What is in a checkpoint, without running code from it.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it is not a whole checkpoint, or asks for more than
            weights and an mmengine log.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(
            f'{path} does not exist; name a checkpoint that tools/train.py '
            'wrote'
        )
    try:
        loaded = torch.load(
            path, map_location='cpu', weights_only=LOADS_WEIGHTS_ONLY
        )
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f'{path} is not a whole checkpoint, or holds more than weights '
            f'({reason}); use another copy of it'
        ) from error
    if not isinstance(loaded, dict):
        raise UserError(
            f'{path} holds a {type(loaded).__name__}, not weights; name a '
            'checkpoint that tools/train.py wrote'
        )
    return loaded


def check_checkpoint(model: nn.Module, path: str) -> None:
    """See that a checkpoint is whole and made for this model.

    Weights that only training needs (the identity head's) may be missing or
    of another size.

    Args:
        model (nn.Module): The model that will load it.
        path (str): The checkpoint, a local file.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it cannot be read, or lacks weights of the model.
    """
    loaded = read_checkpoint(path)
    weights = loaded.get('state_dict', loaded)
    network: Any = model.module if is_model_wrapper(model) else model
    unfit = [
        name
        for name, value in network.named_parameters()
        if not name.startswith('identity_head.')
        and (name not in weights or weights[name].shape != value.shape)
    ]
    if unfit:
        raise UserError(
            f'{path} does not fit the config: {len(unfit)} weights are '
            f'missing or of another shape, for instance {unfit[0]}; use the '
            'config it was trained with'
        )
