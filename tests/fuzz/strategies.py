"""What hypothesis makes of each kind of file, and inputs that are hard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from arrays import GREEDY_PICKLES, bomb, lying_npz
from hypothesis import strategies as st
from mutations import NAMES, NUMBERS, VALUES, damage_tree, deep
from readers import Reader

_NUMBERS = st.one_of(
    st.floats().map(str), st.integers().map(str), st.sampled_from(NUMBERS)
)
_CELLS = st.one_of(_NUMBERS, st.text(max_size=8), st.sampled_from(NAMES))
_LINES = st.lists(st.lists(_CELLS, max_size=6), max_size=80)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _as_text(lines: list[list[str]], sign: str) -> bytes:
    text = '\n'.join(sign.join(cells) for cells in lines)
    return text.encode('utf-8', 'surrogatepass')


def _free(reader: Reader, good: bytes) -> st.SearchStrategy[bytes]:
    """Content that need not be like what is good."""
    if reader.kind == 'json':
        return _JSON.map(lambda tree: json.dumps(tree).encode())
    if reader.kind == 'binary':
        return st.builds(
            lambda head, rest: good[:head] + rest,
            st.integers(0, min(len(good), 300)),
            st.binary(max_size=300),
        )
    sign = ',' if reader.kind == 'csv' else ' '
    head = good.splitlines(keepends=True)[0] if reader.kind == 'csv' else b''
    return _LINES.map(lambda lines: head + _as_text(lines, sign))


def contents(reader: Reader, good: bytes) -> st.SearchStrategy[bytes]:
    """Content for a reader: good content damaged, or what may come."""
    damaged = st.randoms(use_true_random=False).map(
        lambda rng: reader.damage(good, rng)
    )
    return st.one_of(damaged, damaged, _free(reader, good))


def hard_cases(reader: Reader, good: bytes, megabytes: int) -> Iterator[bytes]:
    """Content that is known to trip up readers.

    Args:
        reader: Which of them.
        good: Its good content.
        megabytes: Size of the large ones.
    """
    yield from (b'', b'\0', b'\n', b'\xef\xbb\xbf', b'\xff\xfe', b'{', b'[]')
    yield from (b'\xef\xbb\xbf' + good, good[: len(good) // 2], good + good)
    yield b'\0' * (megabytes << 20)
    yield b'#EXTM3U\n#EXTINF:10,\n../outside.mp4\n#EXT-X-ENDLIST\n'
    yield b'ffconcat version 1.0\nfile ../outside.mp4\n'
    if reader.kind in ('text', 'csv', 'json'):
        yield from _hard_texts(good, megabytes)
    if reader.kind == 'json':
        yield from _hard_trees(good)
    if reader.name == 'npz':
        yield bomb(10 * megabytes)
        for number in (10**6, 10**10, 10**18):
            yield lying_npz(good, 'prediction', number)
    if reader.name == 'pickle':
        yield from GREEDY_PICKLES
    if reader.kind == 'binary':
        yield from _absurd_sizes(good)


def _hard_texts(good: bytes, megabytes: int) -> Iterator[bytes]:
    text = good.decode()
    for coding in ('utf-16', 'utf-32', 'utf-7'):
        yield text.encode(coding)
    yield text.replace('\n', '\r').encode()
    yield text.replace('\n', '\r\n').encode()
    yield good.replace(b'\n', b'\0\n')
    yield b'9' * (megabytes << 20)
    yield good + b'x,' * (megabytes << 19)
    yield good + b'\n' * (megabytes << 20)
    yield b'"' + good * (1 + (megabytes << 18) // len(good))
    for number in NUMBERS:
        yield text.replace('1', number).encode()
        yield text.replace('68', number, 1).encode()


def _hard_trees(good: bytes) -> Iterator[bytes]:
    yield deep().encode()
    yield deep(900).encode()
    yield b'{"images": [], "annotations": [], "info": ' + deep(900).encode()
    yield from (json.dumps(value).encode() for value in VALUES)
    tree = json.loads(good)
    for seed in range(200):
        yield json.dumps(damage_tree(tree, Random(seed))).encode()
    text = good.decode()
    for name in NAMES:
        for old in ('images/all_1.jpg', 'frames/001/000002.jpg'):
            if old in text:
                yield text.replace(old, json.dumps(name)[1:-1]).encode()


def _absurd_sizes(good: bytes) -> Iterator[bytes]:
    """Width and height in the header, whatever its form, made huge.

    The good images and videos are 64 wide and 48 high.
    """
    for order in ('little', 'big'):
        for length in (2, 4):
            for side in (0, 1, 30_000, 65_500, 2**31 - 1, 2**32 - 1):
                if side >= 1 << (8 * length):
                    continue
                changed = good
                for old in (64, 48):
                    changed = changed.replace(
                        old.to_bytes(length, order),
                        side.to_bytes(length, order),
                        2,
                    )
                yield changed
