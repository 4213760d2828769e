"""Dumped predictions as MMEngine writes them, read without running code.

A pickle may name any function and have it called. Here a file is given
numpy's arrays, torch's tensors as numbers, and plain values; whatever else
it asks for, it is refused.
"""

import io
import mmap
import pickle
import pickletools
from collections import OrderedDict
from typing import Any, BinaryIO

import numpy as np
from numpy.core import multiarray

from rednet_mm.utils.errors import UserError

# What pickle.load raises over a file that is cut short or damaged.
UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    ImportError,
    OverflowError,
    RecursionError,
)

# Of a range, which an array would be made of.
_MOST_NUMBERS = 1 << 20

# How far it is from each opcode to the next.
_STEPS_OF = {
    op.code: 1 + (op.arg.n if op.arg else 0)
    for op in pickletools.opcodes
    if op.arg is None or op.arg.n >= 0
}
# 0 where that depends, or where there is something to look at.
_STEPS = [
    0 if chr(code) in 'r\x95.' else _STEPS_OF.get(chr(code), 0)
    for code in range(256)
]
# Lines of an argument that is text.
_LINES = {
    op.code: 2 if op.code in 'ci' else 1
    for op in pickletools.opcodes
    if op.arg and op.arg.n == pickletools.UP_TO_NEWLINE
}
_PUT, _LONG_BINPUT, _FRAME, _STOP = b'pr\x95.'

# Bytes of a length that stands behind an opcode.
_BYTES_OF = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_LENGTH_BYTES = {
    ord(op.code): _BYTES_OF[op.arg.n]
    for op in pickletools.opcodes
    if op.arg and op.arg.n in _BYTES_OF
}


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
            flat.set_(storage)
            # Within the storage: set_ would make it as large as it is said.
            flat = flat.as_strided(size, stride, offset)
        except (RuntimeError, *UNREADABLE) as error:
            # torch's own words are long, and tell how to run the code.
            raise UserError(
                'a tensor in the file is damaged or holds more than numbers'
            ) from error
        return np.asarray(flat.numpy(), dtype)


def _bytes(storage: bytes) -> bytes:
    return storage


# These take what pickle gives them and no more: a set of range(10**9) would
# be made of some thirty bytes.


def _make_set(items: list) -> set:
    return set(_listed(items))


def _make_frozenset(items: list) -> frozenset:
    return frozenset(_listed(items))


def _listed(items: Any) -> list:
    if not isinstance(items, list):
        raise pickle.UnpicklingError('a set is not made of a list')
    return items


def _make_bytes() -> bytes:
    return b''


def _make_bytearray(content: bytes = b'') -> bytearray:
    if not isinstance(content, bytes):
        raise pickle.UnpicklingError('a bytearray is not made of bytes')
    return bytearray(content)


def _make_range(*limits: int) -> range:
    made = range(*limits)
    if len(made) > _MOST_NUMBERS:
        raise pickle.UnpicklingError('a range is too long')
    return made


class _Array(np.ndarray):
    """An array as large as its bytes, and not of objects."""

    def __setstate__(self, state: Any) -> None:
        dtype, data = state[2], state[-1]
        if dtype.hasobject or not isinstance(data, (bytes, str)):
            raise pickle.UnpicklingError('an array is not of numbers')
        super().__setstate__(state)


# numpy's stubs do not name the two.
_NUMPYS = vars(multiarray)

# Stands for numpy.ndarray, which would make an array of any size.
_NDARRAY = object()


def _reconstruct(kind: object, shape: tuple, code: bytes) -> np.ndarray:
    if kind is not _NDARRAY or shape != (0,):
        raise pickle.UnpicklingError('an array is not as numpy writes it')
    return _NUMPYS['_reconstruct'](_Array, shape, code)


def _scalar(dtype: np.dtype, data: bytes) -> np.generic:
    return _NUMPYS['scalar'](dtype, data)


def _encode(text: str, codec: str) -> bytes:
    """Bytes in pickles of protocol 2; for no other codec than theirs."""
    if codec != 'latin1':
        raise pickle.UnpicklingError(f'refused the codec {codec!r}')
    return text.encode('latin1')


_NUMPY = {
    (module, name): make
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray')
    for name, make in (('_reconstruct', _reconstruct), ('scalar', _scalar))
}
ALLOWED: dict[tuple[str, str], Any] = {
    **_NUMPY,
    ('numpy', 'ndarray'): _NDARRAY,
    ('numpy', 'dtype'): np.dtype,
    ('collections', 'OrderedDict'): OrderedDict,
    ('_codecs', 'encode'): _encode,
    ('torch._utils', '_rebuild_tensor_v2'): _Tensor,
    ('torch.storage', '_load_from_bytes'): _bytes,
    **{
        (module, name): make
        for module in ('builtins', '__builtin__')
        for name, make in (
            ('set', _make_set),
            ('frozenset', _make_frozenset),
            ('slice', slice),
            ('range', _make_range),
            ('xrange', _make_range),
            ('complex', complex),
            ('bytes', _make_bytes),
            ('bytearray', _make_bytearray),
        )
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


def _check_sizes(stream: BinaryIO) -> None:
    """Refuse a pickle that makes room for more than it holds.

    Python makes room for a text as long as it is said to be before it looks
    whether it is there, and for as many objects as the number of the last one
    that is kept says: 64 GB for ten bytes.

    Raises:
        pickle.UnpicklingError: if it does.
        EOFError: if it is cut short.
    """
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place, code = 0, None
        while code != _STOP:
            # Past the end is an IndexError.
            code = data[place]
            step = _STEPS[code]
            while step:
                place += step
                code = data[place]
                step = _STEPS[code]
            place += 1 + _argument(code, data, place + 1)


def _argument(code: int, data: mmap.mmap, place: int) -> int:
    """Bytes of an opcode's argument at a place, of those without ``_STEPS``.

    Raises:
        pickle.UnpicklingError: if it is no opcode, or asks for too much.
    """
    end = len(data)
    if code == _STOP:
        return 0
    if code in _LENGTH_BYTES:
        size = _LENGTH_BYTES[code]
        length = int.from_bytes(data[place : place + size], 'little') + size
    elif code in (_LONG_BINPUT, _FRAME):
        length = 4 if code == _LONG_BINPUT else 8
        said = int.from_bytes(data[place : place + length], 'little')
        # A frame may be as long as the file; each object that is kept took
        # an opcode.
        if said > (place if code == _LONG_BINPUT else end):
            raise pickle.UnpicklingError('it makes room for nothing')
    elif chr(code) in _LINES:
        length = 0
        for _ in range(_LINES[chr(code)]):
            length = data.find(b'\n', place + length) + 1 - place
            if length <= 0:
                raise EOFError('it is cut short')
        if code == _PUT and int(data[place : place + length]) > place:
            raise pickle.UnpicklingError('it makes room for nothing')
    else:
        raise pickle.UnpicklingError('it is damaged')
    if place + length > end:
        raise EOFError('it is cut short')
    return length


def load_pickle(path: str) -> Any:
    """What is in a pickle of arrays and plain values.

    Args:
        path (str): The file.

    Raises:
        UserError: if it is damaged, or asks for anything else.
    """
    try:
        with open(path, 'rb') as stream:
            _check_sizes(stream)
            return _Reader(stream).load()
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f'{path} is not a whole file of predictions, or holds more than '
            f'numbers ({reason}); make it anew with tools/test.py --dump'
        ) from error
