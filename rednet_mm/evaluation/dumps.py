"""Dumped predictions: enough to measure without model or data.

``.npz`` is arrays and a line of JSON, and small; ``.pkl`` is the list of
frames that MMEngine's own ``DumpResults`` writes, without response maps.
"""

import dataclasses
import json
import math
import os.path as osp
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.fileio import dump
from mmengine.logging import print_log
from mmpose.registry import METRICS

from rednet_mm.utils.errors import UserError
from rednet_mm.utils.io import atomic_write
from rednet_mm.utils.untrusted import short

from .records import LandmarkRecords, check_records, records_from_samples
from .safe_pickle import UNREADABLE, load_pickle

SUFFIXES = ('.npz', '.pkl', '.pickle')

# Version of the arrays of an .npz.
FORM = 1

# An .npz unpacks to so many bytes, or so many times its size: coordinates do
# not shrink to a tenth, and zeros to a thousandth.
_PLENTY, _MOST_TIMES = 1 << 28, 100

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

# What is kept of a data sample, beside its instances.
KEPT = (
    'id',
    'img_id',
    'img_path',
    'ori_shape',
    'track',
    'video_id',
    'frame_id',
    'subject_label',
    'category',
    'group',
    'yaw',
    'box_size',
    'reinit',
)
KEPT_OF_INSTANCES = dict(
    gt_instances=('keypoints', 'keypoints_visible', 'bboxes'),
    pred_instances=('keypoints', 'keypoint_scores'),
)


@METRICS.register_module()
class DumpPredictions(BaseMetric):
    """Write predictions, ground truth and provenance into one file.

    Args:
        out_file_path (str): A file that ends in ``.npz``, ``.pkl`` or
            ``.pickle``; it appears complete or not at all.
        provenance (dict, optional): Strings: what the predictions come from.
        collect_device (str): As in MMEngine.
        collect_dir (str, optional): As in MMEngine.
    """

    def __init__(
        self,
        out_file_path: str,
        provenance: Optional[Mapping[str, str]] = None,
        collect_device: str = 'cpu',
        collect_dir: Optional[str] = None,
    ) -> None:
        super().__init__(
            collect_device=collect_device, collect_dir=collect_dir
        )
        self.out_file_path = out_file_path
        self.provenance = dict(provenance or {})

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what evaluation needs of each frame, as numpy arrays."""
        self.results.extend(map(_kept, data_samples))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Write the frames in order; there are no metrics."""
        write_dump(results, self.out_file_path, self.provenance)
        print_log(
            f'{len(results)} predictions written to {self.out_file_path}',
            'current',
        )
        return {}


def _kept(sample: Mapping[str, Any]) -> dict[str, Any]:
    frame = {key: sample[key] for key in KEPT if key in sample}
    for name, keys in KEPT_OF_INSTANCES.items():
        frame[name] = {
            key: _array(sample[name][key])
            for key in keys
            if key in sample[name]
        }
    return frame


def _array(values: Any) -> np.ndarray:
    """Values as numpy, wherever they are."""
    return np.asarray(values.cpu() if hasattr(values, 'cpu') else values)


def _natural(part: Any) -> tuple:
    """Numbers by their size and before words."""
    return (0, part, '') if isinstance(part, int) else (1, 0, str(part))


def _place(frame: Mapping[str, Any]) -> tuple:
    """Where a frame stands in a dump: by video, and in it by time."""
    return (
        tuple(map(_natural, frame.get('track') or ())),
        frame.get('frame_id') or 0,
        str(frame.get('img_path', '')),
        _natural(frame.get('id', '')),
    )


def write_dump(
    frames: Sequence[dict[str, Any]],
    path: str,
    provenance: Mapping[str, str],
) -> None:
    """Write frames, in whatever order they come, complete or not at all.

    Args:
        frames (Sequence[dict]): See ``KEPT`` and ``KEPT_OF_INSTANCES``.
        path (str): Ends in one of ``SUFFIXES``.
        provenance (Mapping[str, str]): Stored with them.
    """
    frames = sorted(frames, key=_place)
    with atomic_write(path) as part:
        if part.suffix == '.npz':
            records = records_from_samples(frames, _stem(path), provenance)
            write_npz(records, str(part))
            return
        frames = [dict(each, provenance=dict(provenance)) for each in frames]
        # Protocol 2, MMEngine's, would hold every array twice when it is read.
        dump(frames, str(part), protocol=4)


def _stem(path: str) -> str:
    return osp.splitext(osp.basename(path))[0]


def write_npz(records: LandmarkRecords, path: str) -> None:
    """Arrays of records, and the rest as JSON, in one compressed file."""
    arrays, rest = {}, {}
    for field in dataclasses.fields(records):
        value = getattr(records, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = value
        elif value is not None:
            rest[field.name] = value
    about = json.dumps(dict(rest, form=FORM))
    np.savez_compressed(path, about=np.array(about), **arrays)


def _check_members(path: str) -> None:
    """Refuse an archive that unpacks to far more than it is.

    numpy makes room for an array as large as its header says before it looks
    whether the numbers are there.

    Raises:
        ValueError: if it does.
    """
    with zipfile.ZipFile(path) as stored:
        members = stored.infolist()
        unpacked = sum(each.file_size for each in members)
        if unpacked > max(_PLENTY, _MOST_TIMES * osp.getsize(path)):
            raise ValueError('it unpacks to far more than it is')
        for each in members:
            with stored.open(each) as stream:
                read_header = _HEADERS[np.lib.format.read_magic(stream)]
                shape, _, dtype = read_header(stream)
            if math.prod(shape) * dtype.itemsize > each.file_size:
                raise ValueError('an array in it is not whole')


def read_npz(path: str) -> LandmarkRecords:
    """What :func:`write_npz` wrote; arrays of objects are refused.

    Raises:
        UserError: if the file is damaged or something else.
    """
    try:
        _check_members(path)
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about = json.loads(str(arrays.pop('about')))
        if about.pop('form') != FORM:
            raise UserError(
                f'{path} was written by another version; dump it anew'
            )
        about['keys'] = tuple(map(tuple, about['keys']))
        for name in ('points', 'track_names', 'image_paths'):
            about[name] = tuple(about[name])
        arrays.setdefault('scores', None)
        records = LandmarkRecords(**about, **arrays)
        check_records(records)
        return records
    except UserError:
        raise
    except (
        *UNREADABLE,
        OSError,
        NotImplementedError,
        SyntaxError,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UserError(
            f'{path} is not a whole file of predictions '
            f'({type(error).__name__}); make it anew with tools/test.py --dump'
        ) from error


def read_dump(path: str, name: Optional[str] = None) -> LandmarkRecords:
    """Records of a dump of ours or of MMEngine's ``DumpResults``.

    Args:
        path (str): A file that ends in one of ``SUFFIXES``.
        name (str, optional): Of the system; the file's name if None.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it is damaged, asks to run code, or is something else.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(
            f'{path} does not exist; make it with tools/test.py --dump'
        )
    if not path.lower().endswith(SUFFIXES):
        raise UserError(
            f'{path} is not a dump; name a file that ends in '
            + ' or '.join(SUFFIXES)
        )
    name = name or _stem(path)
    if path.lower().endswith('.npz'):
        return dataclasses.replace(read_npz(path), name=name)
    frames = load_pickle(path)
    about = frames[0].get('provenance') if _is_frames(frames) else None
    about = about if isinstance(about, dict) else {}
    try:
        records = records_from_samples(_consumed(frames), name, about)
        check_records(records)
        return records
    except UserError as error:
        raise UserError(f'{path}: {short(error, 500)}') from error
    except UNREADABLE as error:
        raise UserError(
            f'{path} holds no predictions with their truth '
            f'({type(error).__name__}: {short(error)}); make it with '
            'tools/test.py --dump'
        ) from error


def _consumed(frames: list) -> Iterator[Any]:
    """Elements of a list, which lets go of them."""
    for place, frame in enumerate(frames):
        frames[place] = None
        yield frame


def _is_frames(content: Any) -> bool:
    return bool(
        isinstance(content, list) and content and isinstance(content[0], dict)
    )
