"""Ways in which a checkpoint may be spoilt, drawn at random."""

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# Puts a spoilt copy of a checkpoint into a file.
Damage = Callable[[random.Random, dict, Path], None]


def _saved(whole: Any) -> bytearray:
    stream = io.BytesIO()
    torch.save(whole, stream)
    return bytearray(stream.getvalue())


def cut(rng: random.Random, whole: dict, path: Path) -> None:
    content = _saved(whole)
    path.write_bytes(content[: rng.randrange(len(content))])


def turn_bits(rng: random.Random, whole: dict, path: Path) -> None:
    content = _saved(whole)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def turn_in_pickle(rng: random.Random, whole: dict, path: Path) -> None:
    # Without checksums and with all names and shapes in one place.
    torch.save(whole, path, _use_new_zipfile_serialization=False)
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 2, 8))):
        content[rng.randrange(min(len(content), 20_000))] = rng.randrange(256)
    path.write_bytes(content)


def blank_block(rng: random.Random, whole: dict, path: Path) -> None:
    content, size = _saved(whole), 4096
    # A block that is zero already is no damage.
    blocks = [
        start
        for start in range(0, len(content), size)
        if any(content[start : start + size])
    ]
    start = rng.choice(blocks)
    content[start : start + size] = bytes(len(content[start : start + size]))
    path.write_bytes(content)


def _weights(whole: dict) -> dict[str, Tensor]:
    """Copies of what can be spoilt: counters are not read."""
    return {
        name: value.clone()
        for name, value in whole['state_dict'].items()
        if not name.endswith('num_batches_tracked')
    }


def _with(whole: dict, weights: Any, path: Path) -> None:
    torch.save(dict(whole, state_dict=weights), path)


def rename_all(rng: random.Random, whole: dict, path: Path) -> None:
    prefix = rng.choice(('net.', 'model.', 'pose.backbone.', '_'))
    renamed = {prefix + key: v for key, v in _weights(whole).items()}
    _with(whole, renamed, path)


def rename_some(rng: random.Random, whole: dict, path: Path) -> None:
    weights = _weights(whole)
    # The neck may be missing where a training starts from an earlier stage.
    names = [name for name in weights if not name.startswith('neck.')]
    for name in rng.sample(names, rng.choice((1, 2, 20))):
        weights[f'{name}_'] = weights.pop(name)
    _with(whole, weights, path)


def no_numbers(rng: random.Random, whole: dict, path: Path) -> None:
    weights = _weights(whole)
    for name in rng.sample(sorted(weights), rng.choice((1, 2, 20))):
        flat = weights[name].view(-1)
        value = rng.choice((float('nan'), float('inf'), -float('inf')))
        flat[rng.randrange(len(flat))] = value
    _with(whole, weights, path)


def reshape(rng: random.Random, whole: dict, path: Path) -> None:
    weights = _weights(whole)
    # Of running statistics the last size counts, of a stem all but the
    # second; the response map's own kinds of convolution have all.
    names = [
        name
        for name, value in weights.items()
        if value.dim() == 4 and 'conv1' not in name
    ]
    name = rng.choice(names)
    value = weights[name]
    weights[name] = rng.choice(
        (value[1:], value.flatten(), value[None], torch.cat([value, value]))
    ).clone()
    _with(whole, weights, path)


def odd_tensors(rng: random.Random, whole: dict, path: Path) -> None:
    weights = _weights(whole)
    name = rng.choice([n for n, v in weights.items() if v.dim() == 4])
    value = weights[name]
    weights[name] = rng.choice(
        (
            value.to_sparse(),
            value.to('meta'),
            torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
            torch.full_like(value, float('nan'), dtype=torch.float16),
        )
    )
    _with(whole, weights, path)


def no_tensors(rng: random.Random, whole: dict, path: Path) -> None:
    weights: dict = dict(_weights(whole))
    odd = rng.choice(
        (
            [1.0, 2.0],
            7,
            None,
            dict.fromkeys(weights, 'heavy'),
            dict(enumerate(weights.values())),
            {},
            torch.ones(3),
        )
    )
    _with(whole, odd, path)


def no_dictionary(rng: random.Random, whole: dict, path: Path) -> None:
    odd: tuple = ([1, 2], (), None, 3, 'text', torch.ones(2), {})
    torch.save(rng.choice(odd), path)


def no_checkpoint(rng: random.Random, whole: dict, path: Path) -> None:
    content = rng.choice(
        (
            b'',
            b'PK\x03\x04',
            b'PK\x03\x04' + rng.randbytes(500),
            b'PK\x05\x06' + bytes(18),
            b'\x80\x02' + rng.randbytes(100),
            b'\x1f\x8b' + rng.randbytes(100),
            b'\x89PNG\r\n\x1a\n' + rng.randbytes(100),
            json.dumps(dict(state_dict={})).encode(),
            b'<html>404 not found</html>',
            rng.randbytes(rng.randrange(1, 5000)),
            bytes(4096),
        )
    )
    path.write_bytes(content)


DAMAGES: dict[str, Damage] = {
    'cut short': cut,
    'bits turned': turn_bits,
    'a block of zeros': blank_block,
    'bytes turned, form of torch 1.5': turn_in_pickle,
    'all weights renamed': rename_all,
    'some weights renamed': rename_some,
    'NaN or infinite weights': no_numbers,
    'other shapes': reshape,
    'sparse, quantised, empty tensors': odd_tensors,
    'no tensors': no_tensors,
    'no dictionary': no_dictionary,
    'no checkpoint': no_checkpoint,
}
