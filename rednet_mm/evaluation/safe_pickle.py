"""Dumped predictions as MMEngine writes them, read without running code.

A pickle may name any function and have it called. Here a file is given
numpy's arrays, torch's tensors as numbers, and plain values; whatever else
it asks for, it is refused.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.core import multiarray

from rednet_mm.errors import UserError

# What pickle.load raises over a file that is cut short or damaged.
UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    ImportError,
)


class _Tensor:
    """A tensor that nobody has asked for yet: bytes and a shape.

    torch would unpickle the bytes, with whatever is in them, to rebuild the
    storage; they are looked at when the numbers are wanted, as weights alone.
    """

    def __init__(self, storage: bytes, *layout: Any) -> None:
        self.storage = storage
        self.layout = layout

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        import torch

        try:
            storage = torch.load(
                io.BytesIO(self.storage), map_location='cpu', weights_only=True
            )
            offset, size, stride = self.layout[:3]
            flat = torch.tensor([], dtype=storage.dtype)
            flat.set_(storage, offset, size, stride)
        except (RuntimeError, *UNREADABLE) as error:
            # torch's own words are long, and tell how to run the code.
            raise UserError(
                'a tensor in the file is damaged or holds more than numbers'
            ) from error
        return np.asarray(flat.numpy(), dtype)


def _bytes(storage: bytes) -> bytes:
    return storage


def _encode(text: str, codec: str) -> bytes:
    """Bytes in pickles of protocol 2; for no other codec than theirs."""
    if codec != 'latin1':
        raise pickle.UnpicklingError(f'refused the codec {codec!r}')
    return text.encode('latin1')


_NUMPY = {
    (module, name): getattr(multiarray, name)
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray')
    for name in ('_reconstruct', 'scalar')
}
ALLOWED: dict[tuple[str, str], Any] = {
    **_NUMPY,
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('collections', 'OrderedDict'): OrderedDict,
    ('_codecs', 'encode'): _encode,
    ('torch._utils', '_rebuild_tensor_v2'): _Tensor,
    ('torch.storage', '_load_from_bytes'): _bytes,
    **{
        (module, kind.__name__): kind
        for module in ('builtins', '__builtin__')
        for kind in (set, frozenset, slice, range, complex, bytes, bytearray)
    },
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """What is on the list.

        Raises:
            pickle.UnpicklingError: for anything else.
        """
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'it asks for {module}.{name}'
            ) from None


def load_pickle(path: str) -> Any:
    """What is in a pickle of arrays and plain values.

    Args:
        path (str): The file.

    Raises:
        UserError: if it is damaged, or asks for anything else.
    """
    try:
        with open(path, 'rb') as stream:
            return _Reader(stream).load()
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f'{path} is not a whole file of predictions, or holds more than '
            f'numbers ({reason}); make it anew with tools/test.py --dump'
        ) from error
