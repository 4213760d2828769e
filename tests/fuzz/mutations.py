"""Damaged and hostile content, made of good content by a source of chance.

Every function takes a ``random.Random``: hypothesis hands in one whose draws
it can make simpler, a long run one with a seed.
"""

from __future__ import annotations

import copy
import json
import re
from random import Random
from typing import Any

# Numbers as text that trip up what reads them.
NUMBERS = (
    '0', '-0', '-1', '1.5', 'nan', '-inf', '1e400', '1e308', '99999999999',
    '9' * 400, '9' * 5000, '0x10', '1_0', '\u0661', '\u00b2', '1,5', '',
)  # fmt: skip

# Names that lead out of a folder, or into trouble. The folders that the
# readers work in have a file `outside.jpg` beside them.
NAMES = (
    '../outside.jpg', 'images/../../outside.jpg', '/etc/passwd', '..', '.',
    '/', 'http://127.0.0.1:9/x.jpg', 'file:///etc/passwd', 's3://a/b.jpg',
    '..\\outside.jpg', 'a\0b.jpg', 'x' * 5000, '\ud800.jpg', 'link/x.jpg',
    'clip.avi#0', '../clip.avi#0', 'clip.avi#' + '9' * 5000, 'a\nb.jpg', '',
)  # fmt: skip

# Values that a JSON file may hold where another kind is expected.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**63, -(2**63) - 1, 10**400, 1e308,
    float('nan'), float('inf'), '', 'x', [], {}, [[]], [None], [1, [2]],
    {'id': 1}, ['x', 'y', 'z'], [[1, 2], [3]], *NAMES,
)  # fmt: skip

_WORDS = (
    *NUMBERS, *NAMES[:10], '\0', '\ufeff', '{', '}', '#', '"', "'", ',', ';',
    '\r', '\n', '\x0b', '\u2028', 'version:', 'n_points: 99999999999',
)  # fmt: skip

_BYTES = (b'\0', b'\xff', b'\x80', b'\x7f', b'\0' * 4, b'\xff' * 4)


def deep(levels: int = 100_000) -> str:
    """JSON of lists within lists, deeper than Python recurses."""
    return '[' * levels + ']' * levels


def damage_bytes(content: bytes, rng: Random, most: int = 4) -> bytes:
    """Bytes turned, cut out, doubled, cut off: what disks and lines do."""
    data = bytearray(content)
    for _ in range(rng.randint(1, most)):
        # Most formats have their numbers at the beginning.
        end = len(data) if rng.random() < 0.5 else min(len(data), 512)
        place = rng.randint(0, end)
        length = rng.choice((1, 1, 2, 4, 16, 256))
        kind = rng.randrange(6)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            piece = rng.choice(_BYTES)
            data[place : place + len(piece)] = piece
        elif kind == 2:
            data[place : place + length] = rng.randbytes(length)
        elif kind == 3:
            del data[place : place + length]
        elif kind == 4:
            data[place:place] = data[place : place + length]
        elif kind == 5 and rng.random() < 0.3:
            del data[place:]
    return bytes(data)


def damage_text(content: bytes, rng: Random) -> bytes:
    """Words and lines of a text replaced, left out or doubled."""
    text = content.decode('utf-8', 'surrogateescape')
    for _ in range(rng.randint(1, 3)):
        lines = text.split('\n')
        place = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind == 0:
            del lines[place]
        elif kind == 1:
            lines[place:place] = [lines[place]] * rng.choice((1, 2, 100))
        elif kind == 2:
            lines[place] = rng.choice(_WORDS)
        else:
            # Words and what is between them.
            parts = re.split(r'([\s,]+)', lines[place])
            part = rng.randrange(len(parts))
            word = rng.choice(_WORDS)
            parts[part] = word if kind < 5 else parts[part] + word
            lines[place] = ''.join(parts)
        text = '\n'.join(lines)
    if rng.random() < 0.05:
        return text.encode(
            rng.choice(('utf-16', 'utf-32', 'utf-8-sig')), 'replace'
        )
    data = text.encode('utf-8', 'surrogatepass')
    return damage_bytes(data, rng, 2) if rng.random() < 0.2 else data


def damage_tree(tree: Any, rng: Random) -> Any:
    """Values of a tree of dicts and lists replaced, left out, moved."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        holder, key = _place(tree, rng)
        if holder is None:
            return rng.choice(VALUES)
        kind = rng.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif kind == 2:
            other, where = _place(tree, rng)
            if other is not None:
                holder[key] = copy.deepcopy(other[where])
        else:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
    return tree


def _place(tree: Any, rng: Random) -> tuple[Any, Any]:
    """A holder in a tree and one of its keys; None, None at its root."""
    holder, key, here = None, None, tree
    while isinstance(here, (dict, list)) and here:
        if holder is not None and rng.random() < 0.2:
            break
        keys = list(here) if isinstance(here, dict) else range(len(here))
        holder, key = here, rng.choice(keys)
        here = holder[key]
    return holder, key


def damage_json(content: bytes, rng: Random) -> bytes:
    """A JSON file of other values, or damaged as text."""
    if rng.random() < 0.1:
        return damage_text(content, rng)
    text = json.dumps(damage_tree(json.loads(content), rng))
    if rng.random() < 0.02:
        # A key that is there twice, and one that is nested deep.
        text = text.replace('{', '{"id": 1, "deep": ' + deep() + ',', 1)
    return text.encode()
