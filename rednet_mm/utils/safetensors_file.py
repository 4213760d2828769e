"""Weights in safetensors files: tensors and words, nothing that could run.

A file holds the tensors of a network by name and, as one JSON text in its
metadata, what MMEngine keeps under ``meta``. It is read wherever a checkpoint
is: the suffix tells.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from mmpose.datasets.datasets.utils import parse_pose_metainfo
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from .errors import UserError
from .io import atomic_write

SUFFIX = '.safetensors'

# The one key of a file's metadata that is ours.
META = 'meta'


def read_safetensors(path: Union[str, Path]) -> dict[str, Any]:
    """A safetensors file in the form of a checkpoint.

    Args:
        path (str | Path): The file.

    Returns:
        dict: ``state_dict``, tensors by name on the CPU; ``meta``, empty
        where the file is of another program; in it ``dataset_meta`` as
        MMPose wants it where the file has ``metainfo``.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it is cut short or damaged.
    """
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'{path} does not exist; name a file of weights'
        )
    try:
        with safe_open(path, 'pt') as file:
            words = file.metadata() or {}
        weights = load_file(path)
        meta = json.loads(words.get(META, '{}'))
    except (SafetensorError, ValueError) as error:
        raise UserError(
            f'{path} is not a whole safetensors file ({error}); use another '
            'copy of it'
        ) from error
    if 'metainfo' in meta:
        meta['dataset_meta'] = parse_pose_metainfo(_numbered(meta['metainfo']))
    return dict(state_dict=weights, meta=meta)


def write_safetensors(
    path: Union[str, Path],
    weights: Mapping[str, Tensor],
    meta: Mapping[str, Any],
) -> None:
    """Write weights so that they are there complete or not at all.

    Args:
        path (str | Path): The file. One that is there is replaced.
        weights (Mapping[str, Tensor]): Tensors by name.
        meta (Mapping[str, Any]): What JSON can hold; under ``metainfo``
            MMPose's metainfo of the landmarks.
    """
    own = {name: value.contiguous() for name, value in weights.items()}
    with atomic_write(path) as part:
        save_file(own, part, {'format': 'pt', META: json.dumps(dict(meta))})


def _numbered(metainfo: dict[str, Any]) -> dict[str, Any]:
    """JSON has words for keys, MMPose wants the numbers they were."""
    return {
        name: {int(key): each for key, each in value.items()}
        if name in ('keypoint_info', 'skeleton_info')
        else value
        for name, value in metainfo.items()
    }
