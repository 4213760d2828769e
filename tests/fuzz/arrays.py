"""Dumps of predictions, good and damaged within their own form."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from made_up import random_faces, videos_of
from mutations import VALUES, damage_bytes, damage_tree

from rednet_mm.evaluation.dumps import write_npz

KINDS = ('f8', 'f4', 'i8', 'u1', '?', 'U5', 'S3', 'c16', 'M8[s]', 'O', 'V4')
SHAPES = ((), (0,), (1,), (3,), (6, 68, 2), (6, 2), (6, 0, 2), (2, 3, 4, 5))


def good_npz(root: Path) -> Path:
    """A dump of two videos."""
    path = root / 'lists' / 'a.npz'
    path.parent.mkdir()
    write_npz(videos_of(*random_faces(6), [3, 3]), str(path))
    return path


def samples(number: int = 3) -> list[dict[str, Any]]:
    """Frames as MMEngine dumps them."""
    prediction, truth = random_faces(number)
    return [
        dict(
            img_path=f'images/{n}.jpg',
            id=n,
            ori_shape=(48, 64),
            yaw=10.0 * n,
            gt_instances=dict(
                keypoints=truth[n][None].astype(np.float32),
                keypoints_visible=np.ones((1, 68), np.float32),
                bboxes=np.array([[0.0, 0, 50, 50]]),
            ),
            pred_instances=dict(
                keypoints=prediction[n][None],
                keypoint_scores=np.ones((1, 68)),
            ),
        )
        for n in range(number)
    ]


def good_pickle(root: Path) -> Path:
    """A dump of still images, as MMEngine writes it."""
    path = root / 'lists' / 'a.pkl'
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(samples()))
    return path


def _other_array(value: np.ndarray, rng: Random) -> np.ndarray:
    kind = rng.randrange(4)
    if kind == 0:
        return np.zeros(rng.choice(SHAPES), rng.choice(KINDS[:-2]))
    if kind == 1:
        return value[: rng.randint(0, len(value))] if value.ndim else value
    if kind == 2 and value.dtype.kind in 'fi':
        changed = value.copy()
        filling = (-1, 10**6) if value.dtype.kind == 'i' else (np.nan, np.inf)
        changed.flat[rng.randrange(changed.size)] = rng.choice(filling)
        return changed
    return value[..., None]


def damage_npz(content: bytes, rng: Random) -> bytes:
    """Other arrays, another line of JSON, or a header that lies."""
    if rng.random() < 0.3:
        return damage_bytes(content, rng)
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    for _ in range(rng.randint(1, 2)):
        name = rng.choice(list(arrays))
        if name == 'about':
            about = damage_tree(json.loads(str(arrays['about'])), rng)
            arrays['about'] = np.array(json.dumps(about).replace('\0', ''))
        elif rng.random() < 0.1:
            del arrays[name]
            break
        else:
            arrays[name] = _other_array(arrays[name], rng)
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    if rng.random() < 0.2:
        return lying_npz(target.getvalue(), rng.choice(list(arrays)))
    return target.getvalue()


def lying_npz(content: bytes, name: str, number: int = 10**10) -> bytes:
    """A dump one of whose arrays says to be ``number`` doubles long."""
    source, target = io.BytesIO(content), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w') as new:
        for each in old.namelist():
            new.writestr(each, old.read(each))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header,
            {'descr': '<f8', 'fortran_order': False, 'shape': (number,)},
        )
        new.writestr(f'{name}.npy', header.getvalue() + b'\0' * 8)
    return target.getvalue()


def bomb(megabytes: int) -> bytes:
    """An .npz of zeros, a thousandth as large as what it unpacks to."""
    target, header = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header,
        {'descr': '<f8', 'fortran_order': False, 'shape': (megabytes << 17,)},
    )
    with (
        zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as new,
        new.open('prediction.npy', 'w', force_zip64=True) as stream,
    ):
        stream.write(header.getvalue())
        # Not as one array, which would take the memory here.
        for _ in range(megabytes):
            stream.write(bytes(1 << 20))
    return target.getvalue()


def damage_pickle(content: bytes, rng: Random) -> bytes:
    """Other values, types and arrays in frames, or bytes turned."""
    if rng.random() < 0.4:
        return damage_bytes(content, rng)
    frames = damage_tree(pickle.loads(content), rng)
    if isinstance(frames, list) and frames and rng.random() < 0.5:
        frame = rng.choice(frames)
        if isinstance(frame, dict):
            inner = frame.get(rng.choice(('gt_instances', 'pred_instances')))
            if isinstance(inner, dict) and inner:
                key = rng.choice(list(inner))
                value = inner[key]
                inner[key] = (
                    _other_array(value, rng)
                    if isinstance(value, np.ndarray) and value.size
                    else rng.choice(VALUES)
                )
    return pickle.dumps(frames, protocol=rng.choice((2, 3, 4, 5)))


# Small pickles that ask for much: a place in the memo that takes 64 GB, the
# set of a billion numbers, 10 GB of zeros, a text that says to be 4 GB long.
GREEDY_PICKLES = (
    b'\x80\x02Nr\xff\xff\xff\xff.',
    b'cbuiltins\nset\n(cbuiltins\nrange\n(I1000000000\ntRtR.',
    b'cbuiltins\nbytearray\n(I10000000000\ntR.',
    b'\x80\x04X\xf0\xff\xff\xffabc.',
    b'\x80\x04\x8e\x00\x00\x00\x00\x00\x00\x00\x7fabc.',
    b'p99999999\n.',
    b'N' + b'p4000000000\n.',
)
