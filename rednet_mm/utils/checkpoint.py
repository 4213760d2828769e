"""Checkpoints that load under torch >= 2.6, run nothing, and fit.

torch 2.6 and newer unpickle with ``weights_only=True``. A checkpoint written
by mmengine also holds numpy scalars and a ``HistoryBuffer`` (the log of the
losses), which that loader refuses. The names below are what such a file needs
and nothing more; a pickle that asks for anything else is still refused.
Older torch has no such list and loads checkpoints as MMEngine does there.

:func:`compare` says which tensors of a file a network can take; what loads
weights, and what checks before, asks it.
"""

import _codecs
import os
import os.path as osp
import pickle
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Callable

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.logging import HistoryBuffer
from mmengine.model import is_model_wrapper
from mmengine.runner import CheckpointLoader
from mmengine.utils import digit_version
from numpy.core import multiarray
from torch import Tensor, nn

from .checkpoint_errors import (
    check_content,
    check_names,
    check_values,
    reason,
    refuse_damaged,
    unreadable,
)
from .errors import UserError
from .safetensors_file import SUFFIX, read_safetensors

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

# Modules that a later stage of the training has and an earlier one may lack.
LATER_MODULES = re.compile(
    r'(neck|identity_head)(\.\w+)?|backbone\.feedback_unit|head\.final\.\w+'
)

# The layer with one output a subject.
CLASSIFIER = 'identity_head.classify'

# Seconds without a byte after which a download is given up.
PATIENCE = 30

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


def read_checkpoint(
    path: str, hint: str = 'name a local checkpoint that tools/train.py wrote'
) -> dict:
    """What is in a checkpoint, without running code from it.

    Args:
        path (str): A local file, or an address that mmengine knows:
            ``torchvision://resnet152``, ``https://...``.
        hint (str): What to do when it is not there, for the message.

    Raises:
        FileNotFoundError: if there is no such local file.
        UserError: if it is not a whole checkpoint, asks for more than
            weights and an mmengine log, or cannot be downloaded.
    """
    if '://' in path:
        return _download(path, hint)
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise FileNotFoundError(f'{path} does not exist; {hint}')
    if path.endswith(SUFFIX):
        return read_safetensors(path)
    refuse_damaged(path)
    try:
        loaded = torch.load(
            path, map_location='cpu', weights_only=LOADS_WEIGHTS_ONLY
        )
    except UNREADABLE as error:
        raise UserError(unreadable(path, error)) from error
    check_content(path, loaded, hint)
    return loaded


def _download(address: str, hint: str) -> dict:
    """As :func:`read_checkpoint`, from elsewhere (or torch's cache).

    With several processes the first one downloads and the others wait for
    it, as mmengine does it.
    """
    name = address.split('://', 1)[1]
    try:
        with safe_loading():
            return CheckpointLoader.load_checkpoint(address, 'cpu', 'silent')
    except UserError:
        raise
    except (OSError, HTTPException) as error:
        raise UserError(
            f'{address} cannot be downloaded ({reason(error)}); {hint}'
        ) from error
    except UNREADABLE as error:
        if isinstance(error, KeyError) and error.args == (name,):
            raise UserError(
                f'{address}: nothing of this name is known; {hint}'
            ) from error
        if get_rank():
            # Whoever downloads has stopped; this one waited for it.
            raise UserError(
                f'{address} could not be fetched; the first process says why'
            ) from error
        raise UserError(
            f'{address} did not arrive whole, or holds more than weights '
            f'({reason(error)}); delete its file in '
            f'{osp.join(torch.hub.get_dir(), "checkpoints")} to download it '
            'again'
        ) from error


@contextmanager
def safe_loading() -> Iterator[None]:
    """Weights alone, and no download that hangs for ever.

    torch's downloads unpickle everything unless this variable forbids it.
    """
    name = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    patience, before = socket.getdefaulttimeout(), os.environ.get(name)
    socket.setdefaulttimeout(PATIENCE)
    if LOADS_WEIGHTS_ONLY:
        os.environ[name] = '1'
    try:
        yield
    finally:
        socket.setdefaulttimeout(patience)
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def state_dict_of(loaded: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, as mmengine names them."""
    weights = loaded.get('state_dict', loaded)
    return {
        re.sub(r'^module\.', '', name): value
        for name, value in weights.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }


@dataclass(frozen=True)
class StateDictMatch:
    """How the tensors of a file match those of a network, by name.

    Attributes:
        loaded (tuple[str]): What the network takes from the file. Among
            them:
        extended (tuple[str]): weights of a stem that get zeros for the
            response map's channels, which the file does not have;
        restepped (tuple[str]): running statistics of another number of
            recurrent steps.
        resized (tuple[str]): The classifier of subjects, where the file's is
            for another number of them.
        missing (tuple[str]): What the file does not have.
        unfit (tuple[str]): What has another shape in the file.
        unused (tuple[str]): What the network does not have.
    """

    loaded: tuple[str, ...]
    extended: tuple[str, ...]
    restepped: tuple[str, ...]
    resized: tuple[str, ...]
    missing: tuple[str, ...]
    unfit: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def own(self) -> tuple[str, ...]:
        """All tensors of the network."""
        return self.loaded + self.resized + self.missing + self.unfit

    @property
    def missing_modules(self) -> tuple[str, ...]:
        """Names of the modules, or parts, that the file does not have."""
        return _modules(self.missing, self.loaded + self.resized + self.unfit)

    @property
    def unused_modules(self) -> tuple[str, ...]:
        """Names of the modules, or parts, that the network lacks."""
        return _modules(self.unused, self.own)

    @property
    def unexpected(self) -> tuple[str, ...]:
        """Units of a file that stand in a row of units longer than ours.

        The rest of such a row may fit; all the same it is another network.
        """
        return tuple(
            name
            for name in self.unused_modules
            if name.rpartition('.')[2].isdigit()
        )

    @property
    def fresh_modules(self) -> tuple[str, ...]:
        """Modules of a later stage that the file does not have."""
        return tuple(
            name
            for name in self.missing_modules
            if LATER_MODULES.fullmatch(name)
        )


def _modules(names: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """The shortest names of what holds ``names`` and none of ``others``.

    Within the parts of an estimator at least one level down: ``neck.lstm``.
    """
    taken: set[str] = set()
    for other in others:
        parts = other.split('.')
        taken.update('.'.join(parts[:n]) for n in range(1, len(parts) + 1))
    found: dict[str, bool] = {}
    for name in names:
        parts = name.split('.')
        n = 2 if parts[0] in ('backbone', 'neck', 'head') else 1
        while n < len(parts) and '.'.join(parts[:n]) in taken:
            n += 1
        found['.'.join(parts[:n])] = True
    return tuple(found)


def in_modules(name: str, modules: Iterable[str]) -> bool:
    """Whether a tensor belongs to one of the modules."""
    return any(f'{name}.'.startswith(f'{module}.') for module in modules)


def match_state_dict(
    network: nn.Module, weights: Mapping[str, Tensor]
) -> StateDictMatch:
    """Which of the weights a network can take, by names and shapes.

    Counters of batches are left out: mmengine and torch do without them. So
    are a module's ``optional_buffers``: it takes and drops them by itself.

    Args:
        network (nn.Module): Not changed.
        weights (Mapping[str, Tensor]): Tensors by name.
    """
    stems = {
        f'{name}.{module.stem_conv}.weight'.lstrip('.')
        for name, module in network.named_modules()
        if hasattr(module, 'stem_conv')
    }
    optional = {
        f'{name}.{buffer}'.lstrip('.')
        for name, module in network.named_modules()
        for buffer in getattr(module, 'optional_buffers', ())
    }
    kinds: dict[str, list[str]] = {
        kind: [] for kind in StateDictMatch.__dataclass_fields__
    }
    own = network.state_dict()
    for name, value in own.items():
        if name.endswith('num_batches_tracked') or name in optional:
            continue
        if name not in weights:
            kinds['missing'].append(name)
            continue
        theirs, ours = weights[name].shape, value.shape
        statistics = name.endswith(('running_mean', 'running_var'))
        if theirs == ours:
            kind = None
        elif statistics and len(ours) == 2 and theirs[-1:] == ours[-1:]:
            kind = 'restepped'
        elif name in stems and _lacks_channels(theirs, ours):
            kind = 'extended'
        elif in_modules(name, [CLASSIFIER]) and theirs[1:] == ours[1:]:
            kinds['resized'].append(name)
            continue
        else:
            kinds['unfit'].append(name)
            continue
        kinds['loaded'].append(name)
        if kind:
            kinds[kind].append(name)
    kinds['unused'] = [
        name
        for name in weights
        if name not in own
        and name not in optional
        and not name.endswith('num_batches_tracked')
    ]
    return StateDictMatch(
        **{kind: tuple(names) for kind, names in kinds.items()}
    )


def _lacks_channels(theirs: torch.Size, ours: torch.Size) -> bool:
    """Whether (out, C, h, w) is the same but for fewer input channels."""
    return (
        len(theirs) == len(ours)
        and theirs[1] < ours[1]
        and (theirs[0], theirs[2:]) == (ours[0], ours[2:])
    )


def _behind(name: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a module by the names that it knows."""
    prefix = f'{name}.'
    return {
        key.removeprefix(prefix): value
        for key, value in weights.items()
        if key.startswith(prefix)
    }


# For what a checkpoint may be used, and what to do where it does not fit.
HINTS = dict(
    test='use the config it was trained with',
    load='set model.backbone, model.neck and model.head as in the config it '
    'was trained with, or leave load_from out',
    resume='go on with the config of that run, or start a new training from '
    'its weights with load_from',
)


def check_checkpoint(
    model: nn.Module, path: str, purpose: str = 'test'
) -> None:
    """See that a checkpoint is whole and made for this model.

    * ``'test'``: weights that only training needs (the identity head's) may
      be missing or of another size.
    * ``'load'``, a training that starts from an earlier stage: whole modules
      of a later stage may be missing, the identity head may be for another
      number of subjects, a stem may have no channels for the response map.
    * ``'resume'``: everything must fit.

    Args:
        model (nn.Module): The model that will load it.
        path (str): The checkpoint: a local file or an address.
        purpose (str): ``'test'``, ``'load'`` or ``'resume'``. Defaults to
            ``'test'``.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it cannot be read, or does not fit the model.
    """
    weights = state_dict_of(read_checkpoint(path))
    network: Any = model.module if is_model_wrapper(model) else model
    check_weights(network, weights, path, purpose)


def check_weights(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    path: str,
    purpose: str,
) -> None:
    """As :func:`check_checkpoint`, of weights that have been read.

    Args:
        network (nn.Module): That will take them.
        weights (Mapping[str, Tensor]): Tensors by name.
        path (str): Where they come from, for the message.
        purpose (str): As there.

    Raises:
        UserError: if they do not fit, or are no numbers.
    """
    for name, module in network.named_modules():
        if hasattr(module, 'check_weights'):
            module.check_weights(_behind(name, weights), path)
    found = match_state_dict(network, weights)
    known = found.loaded + found.resized + found.unfit
    check_names(path, known, weights, found.own)
    wrong = found.missing + found.unfit
    if purpose == 'resume':
        wrong += found.extended + found.resized + found.restepped
        wrong += found.unused
    elif purpose == 'load':
        wrong += found.unexpected
        may_lack = found.fresh_modules
        wrong = tuple(n for n in wrong if not in_modules(n, may_lack))
    else:
        wrong += found.extended + found.unexpected
        may_differ = ['identity_head']
        wrong = tuple(n for n in wrong if not in_modules(n, may_differ))
    if wrong:
        raise UserError(
            f'{path} does not fit the config: {len(wrong)} weights are '
            'missing, of another shape or left over, for instance '
            f'{wrong[0]}; {HINTS[purpose]}'
        )
    check_values(path, weights, found.loaded)
