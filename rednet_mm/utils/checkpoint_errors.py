"""What may be wrong with a checkpoint from elsewhere, a sentence each."""

import pickle
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from .errors import UserError

# How torch and our stand-in for getattr name what a pickle asked for.
ASKED = re.compile(r'GLOBAL ([\w.]+)|refused to look up (.+) while')

# With what every file begins that torch has written since 1.6.
ZIP = b'PK\x03\x04'

# What Python says of an archive that is damaged; NotImplementedError and
# RuntimeError where a turned bit asks for a method or a password.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def refuse_damaged(path: str) -> None:
    """Compare a checkpoint with the sums that torch has stored in it.

    torch itself does not: a byte that was turned on its way is a weight that
    is wrong, and nobody is told. Files of torch before 1.6 have no sums.

    Args:
        path (str): A local file.

    Raises:
        UserError: if it cannot be read, is damaged, or is compressed, which
            torch never does and which may unpack to any size.
    """
    try:
        with open(path, 'rb') as stream:
            if stream.read(len(ZIP)) != ZIP:
                return
            with zipfile.ZipFile(stream) as archive:
                if any(each.compress_type for each in archive.infolist()):
                    raise UserError(
                        f'{path} is compressed, which checkpoints are not; '
                        'use the file as it was written'
                    )
                damaged = archive.testzip()
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(
            f'{path} cannot be read ({error.strerror}); change its permissions'
        ) from error
    except DAMAGED as error:
        raise UserError(unreadable(path, error)) from error
    if damaged:
        raise UserError(
            f'{path} is not a whole checkpoint ({damaged} differs from its '
            'checksum); use another copy of it'
        )


def unreadable(path: str, error: BaseException) -> str:
    """The sentence for a file that torch does not load.

    Args:
        path (str): The file.
        error (BaseException): What came of it.
    """
    asked = ASKED.search(str(error))
    if asked:
        return (
            f'{path} asks for {asked[1] or asked[2]} when it is loaded, which '
            'is more than weights, and was refused; use a checkpoint from a '
            'source that you trust'
        )
    return (
        f'{path} is not a whole checkpoint, or holds more than weights '
        f'({reason(error)}); use another copy of it'
    )


def reason(error: BaseException) -> str:
    """The line of an error that says why.

    torch's own first line on pickles tells how to load them all the same.
    """
    text = str(getattr(error, 'reason', None) or error)
    if isinstance(error, pickle.UnpicklingError):
        text = text.partition('WeightsUnpickler error:')[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def check_content(path: str, loaded: Any, hint: str) -> None:
    """See that what was loaded has the form of a checkpoint.

    Args:
        path (str): The file.
        loaded (Any): What is in it.
        hint (str): What to do, for the message.

    Raises:
        UserError: if it is no dictionary, or its weights are none.
    """
    weights = loaded
    if isinstance(loaded, Mapping):
        weights = loaded.get('state_dict', loaded)
    if not isinstance(weights, Mapping):
        raise UserError(
            f'{path} holds a {type(weights).__name__}, not weights; {hint}'
        )


def check_values(
    path: str, weights: Mapping[str, Tensor], names: Iterable[str]
) -> None:
    """See that weights are numbers.

    Args:
        path (str): The file.
        weights (Mapping[str, Tensor]): What is in it.
        names (Iterable[str]): Those that a network takes.

    Raises:
        UserError: if a weight is NaN, infinite, or has no values.
    """
    broken = [name for name in names if not _is_sound(weights[name])]
    if broken:
        raise UserError(
            f'{path} holds NaN or infinity in {len(broken)} of its weights, '
            f'for instance {broken[0]}; use an earlier checkpoint of that '
            'training, or another copy'
        )


def _is_sound(weight: Tensor) -> bool:
    # Quantised, sparse and empty shells load as well.
    if weight.is_meta or weight.is_quantized:
        return False
    if weight.layout is not torch.strided:
        return False
    return bool(torch.isfinite(weight).all())


def check_names(
    path: str, known: Iterable[str], given: Iterable[str], own: Iterable[str]
) -> None:
    """See that weights are those of a network of this kind at all.

    Args:
        path (str): The file.
        known (Iterable[str]): Names that both have.
        given (Iterable[str]): All that the file has.
        own (Iterable[str]): All that the network has.

    Raises:
        UserError: if the network knows none of them.
    """
    given, own = list(given), list(own)
    if not given:
        raise UserError(
            f'{path} holds no weights; name a checkpoint that tools/train.py '
            'wrote'
        )
    if own and not list(known):
        raise UserError(
            f'{path} is of another network: none of its {len(given)} weights '
            f'is known, for instance {given[0]} where the config '
            f'has {own[0]}; name a checkpoint of this project'
        )
