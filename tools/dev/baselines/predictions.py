"""One of the other methods over a converted data set."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from data_converters.checks import read_dataset
from data_converters.errors import DataError
from data_converters.frames import read_frames, split_frame_name
from data_converters.untrusted import leaves_folder, short

from .baseline import Baseline

BOXES = {
    'habit': "the keypoints' extent, moved and scaled to where the system's "
    'own '
    'detector puts its box',
    'extent': "the keypoints' extent as it stands",
    'detector': "the system's own detector, on the whole image",
}


def predict(
    baseline: Baseline, annotations: Path, boxes: str, limit: int | None = None
) -> dict[str, Any]:
    """Predictions for every face of a data set.

    Args:
        baseline: The system.
        annotations: The JSON file of a converter.
        boxes: One of ``BOXES``.
        limit: How many images, the first ones; None means all.

    Returns:
        What tools/evaluate.py reads: ``name``, ``about`` and ``frames``, a
        frame having ``file_name``, ``keypoints`` (68 pairs, or None where
        nothing was found), ``ms``, and with boxes from the keypoints ``id`` of
        the annotation. Of the detector, each face is a frame.

    Raises:
        DataError: The file or one of its images cannot be read.
    """
    content = read_dataset(annotations)
    faces: dict[Any, list[dict]] = defaultdict(list)
    for face in content['annotations']:
        faces[face['image_id']].append(face)
    images = [each for each in content['images'] if each['id'] in faces]
    names = {each['file_name']: each['id'] for each in images[:limit]}
    root = annotations.resolve().parents[1]
    frames: list[dict[str, Any]] = []
    for name, image in tqdm(
        _read_images(root, names), total=len(names), desc=baseline.name
    ):
        if boxes == 'detector':
            frames += _by_detector(baseline, image, name)
            continue
        for face in faces[names[name]]:
            box = np.array(face['bbox'], float)
            box = baseline.habit.box(box) if boxes == 'habit' else box
            found, ms = _timed(baseline.landmarks, image, box)
            frames.append(_frame(name, found, ms, id=face['id']))
    return {
        'name': baseline.name,
        'about': {
            'version': baseline.version,
            'megabytes': round(baseline.weights.stat().st_size / 1e6, 1),
            'boxes': BOXES[boxes],
            'data': annotations.name,
        },
        'frames': frames,
    }


def _by_detector(
    baseline: Baseline, image: np.ndarray, name: str
) -> list[dict]:
    found, ms = _timed(baseline.all_landmarks, image)
    if not found:
        return [_frame(name, None, ms)]
    return [_frame(name, each, ms / len(found)) for each in found]


def _timed(work: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    """What it gives, and how many milliseconds it took."""
    begin = time.perf_counter()
    result = work(*given)
    return result, 1000 * (time.perf_counter() - begin)


def _frame(
    name: str, marks: np.ndarray | None, ms: float, **more: int
) -> dict[str, Any]:
    keypoints = None if marks is None else np.round(marks, 3).tolist()
    return {
        'file_name': name,
        'keypoints': keypoints,
        'ms': round(ms, 3),
        **more,
    }


def _read_images(
    root: Path, names: Mapping[str, Any]
) -> Iterator[tuple[str, np.ndarray]]:
    """All images, RGB; each video is decoded once.

    Raises:
        DataError: One of them cannot be read, or lies elsewhere.
    """
    for name in names:
        if leaves_folder(name):
            raise DataError(
                f"{root}: {short(name)!r} leads out of the data set's folder; "
                'convert the data again'
            )
    videos: dict[str, dict[int, str]] = defaultdict(dict)
    for name in names:
        place = split_frame_name(name)
        if place is not None:
            videos[place[0]][place[1]] = name
            continue
        image = cv2.imread(str(root / name))
        if image is None:
            raise _unreadable(root / name)
        yield name, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    for video, wanted in videos.items():
        left = dict(wanted)
        for number, image in read_frames(root / video, wanted):
            yield left.pop(number), cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        if left:
            raise _unreadable(root / next(iter(left.values())))


def _unreadable(path: Path) -> DataError:
    return DataError(
        f'{path}: cannot be read; convert the data again, or look at it with '
        'tools/dataset/check_dataset.py'
    )
