"""Local checkpoints as whoever loads them through MMEngine gets them.

MMEngine's runner and ``MMPoseInferencer`` call MMEngine's own loader. In its
place stands one with our checks and sentences, which also passes on the name
of the file: a :class:`RecurrentPoseEstimator` sees that it fits.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import wraps
from pickle import UnpicklingError
from typing import Any, Optional

from mmengine.runner import CheckpointLoader

from .checkpoint import read_checkpoint, safe_loading
from .checkpoint_errors import unreadable
from .errors import UserError

# Under this key of the metadata, which torch hands to every module that is
# loaded, stands the file.
FILE = 'file'


def load_from_local(filename: str, map_location: Any = None) -> dict:
    """What is in a local checkpoint; runs nothing from it.

    Args:
        filename (str): The file.
        map_location (Any): Not heeded: the tensors are in main memory, and
            each is copied to where the one is that takes it.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it is damaged or asks for more than weights.
    """
    loaded = read_checkpoint(filename)
    if 'state_dict' not in loaded:
        return _named(loaded, filename)
    return dict(loaded, state_dict=_named(loaded['state_dict'], filename))


def _named(weights: Mapping[str, Any], path: str) -> OrderedDict:
    """Weights that know the file they are from."""
    known = getattr(weights, '_metadata', None)
    metadata: dict[str, Any] = dict(known) if isinstance(known, dict) else {}
    top = metadata.get('', {})
    metadata[''] = dict(top if isinstance(top, dict) else {}, **{FILE: path})
    # MMEngine takes all names for strings.
    named = OrderedDict(
        (name, each) for name, each in weights.items() if isinstance(name, str)
    )
    named._metadata = metadata  # type: ignore[attr-defined]
    return named


def file_of(metadata: Mapping[str, Any]) -> Optional[str]:
    """The file that weights are from; None if they are from elsewhere.

    Args:
        metadata (Mapping): As torch hands it to a module.
    """
    return metadata.get(FILE)


def register_checkpoint_loader() -> None:
    """Make MMEngine load local checkpoints by :func:`load_from_local`.

    What it downloads it loads as before, without running code from it.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        CheckpointLoader.register_scheme(
            prefix, _cautiously(loader) if prefix else load_from_local, True
        )


def _cautiously(loader: Callable[..., Any]) -> Callable[..., Any]:
    """A loader of MMEngine that takes weights alone."""

    @wraps(loader)
    def load(filename: str, *args: Any, **kwargs: Any) -> Any:
        try:
            with safe_loading():
                return loader(filename, *args, **kwargs)
        except UnpicklingError as error:
            raise UserError(unreadable(filename, error)) from error

    return load
