"""The one writer of the COCO-style JSON with video fields.

Letters: K keypoints. All coordinates are 0-based image pixels.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from data_converters.errors import DataError

VERSION = '1.0'

# Pixels; a mark beyond is none. JPEG ends at 65,535.
FARTHEST = 1e6

# The seven marks that are detected, out of 68 and out of AFLW's 21: outer
# and inner corner of the eye on the image's left, inner and outer corner of
# the other one, tip of the nose, corners of the mouth (section 4.2).
SEVEN_OF_68 = (36, 39, 42, 45, 30, 48, 54)
SEVEN_OF_21 = (6, 8, 9, 11, 14, 17, 19)

# Which of 68 keypoints are written, by how many.
CHOICES_OF_68 = {68: tuple(range(68)), 7: SEVEN_OF_68}

# AFLW's codes in the order of its feature_id, which starts at 1. L and R are
# the image's sides: LELC is the left corner of the eye on the left.
NAMES_21 = (
    'LBLC', 'LBC', 'LBRC', 'RBLC', 'RBC', 'RBRC',  # brows
    'LELC', 'LEC', 'LERC', 'RELC', 'REC', 'RERC',  # eyes
    'LE', 'LN', 'NC', 'RN', 'RE',  # ear, nose, ear
    'MLC', 'MC', 'MRC', 'CC',  # mouth, chin
)  # fmt: skip

_NAMES = {7: tuple(NAMES_21[mark] for mark in SEVEN_OF_21), 21: NAMES_21}

# Marks in a line by number of keypoints: first, last, whether it is closed.
_CHAINS = {
    7: (
        (0, 1, False),  # eye on the image's left
        (2, 3, False),  # eye on the image's right
        (5, 6, False),  # mouth
    ),
    21: (
        (0, 2, False),  # brow on the image's left
        (3, 5, False),  # brow on the image's right
        (6, 8, False),  # eye on the image's left
        (9, 11, False),  # eye on the image's right
        (13, 15, False),  # nose
        (17, 19, False),  # mouth
    ),
    # iBUG's mark-up
    68: (
        (0, 16, False),  # jaw
        (17, 21, False),  # brow on the image's left
        (22, 26, False),  # brow on the image's right
        (27, 30, False),  # bridge of the nose
        (31, 35, False),  # lower nose
        (36, 41, True),  # eye on the image's left
        (42, 47, True),  # eye on the image's right
        (48, 59, True),  # outer lip
        (60, 67, True),  # inner lip
    ),
}


def keypoint_names(num_keypoints: int) -> list[str]:
    """Names of the keypoints: AFLW's codes for 7 and 21, else ``kpt-0`` ..."""
    numbered = tuple(f'kpt-{mark}' for mark in range(num_keypoints))
    return list(_NAMES.get(num_keypoints, numbered))


def skeleton(num_keypoints: int) -> list[list[int]]:
    """Lines between the keypoints as 0-based pairs, for drawing.

    Args:
        num_keypoints: 7, 21 or 68; there are no lines between any others.
    """
    pairs = []
    for first, last, closed in _CHAINS.get(num_keypoints, ()):
        pairs += [[mark, mark + 1] for mark in range(first, last)]
        if closed:
            pairs.append([last, first])
    return pairs


def skeleton_68() -> list[list[int]]:
    """Lines between the 68 marks as 0-based pairs, for drawing."""
    return skeleton(68)


def face_box(
    keypoints: np.ndarray, name: str | PathLike
) -> tuple[float, float, float, float]:
    """Extent of the keypoints of one face.

    Args:
        keypoints: Visible keypoints of shape (K, 2) in pixels.
        name: The image or mark file, for the error's sentence.

    Returns:
        x, y of the upper left corner, width and height in pixels.

    Raises:
        DataError: There is no mark, a mark is not finite or beyond
            ``FARTHEST``, or the box has no area.
    """
    if not len(keypoints) or not np.isfinite(keypoints).all():
        raise DataError(
            f'{name}: has no keypoints or marks that are not finite; '
            'repair or remove it'
        )
    if np.abs(keypoints).max() > FARTHEST:
        raise DataError(
            f'{name}: has a mark further out than any image is large; '
            'repair or remove it'
        )
    x, y = keypoints.min(axis=0).tolist()
    right, bottom = keypoints.max(axis=0).tolist()
    if right <= x or bottom <= y:
        raise DataError(
            f'{name}: the box around the keypoints is empty; repair or '
            'remove it'
        )
    return x, y, right - x, bottom - y


class DatasetWriter:
    """Collects one JSON file: videos, subjects, images and faces.

    Ids start at 1 and follow the order of the calls, so the same calls
    give the same bytes.

    Args:
        source: What was converted, for example the source folder's name.
        converter: Name of the converter's module.
        protocol: Name of the protocol that made the splits.
        split: This file's side of the protocol.
        base: Coordinate base of the source's keypoints, 0 or 1. What is
            written is always 0-based.
        num_keypoints: K.
        info: What else the file should say of itself, for example how
            many faces were left out.
    """

    def __init__(
        self,
        source: str,
        converter: str,
        protocol: str,
        split: str,
        base: int,
        num_keypoints: int = 68,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        self.num_keypoints = num_keypoints
        self._info = {
            'source': source,
            'converter': converter,
            'version': VERSION,
            'protocol': protocol,
            'split': split,
            'base': base,
            **(info or {}),
        }
        self._videos: list[dict[str, Any]] = []
        self._subjects: dict[str, int] = {}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    @property
    def counts(self) -> dict[str, int]:
        """How many videos, images, annotations and subjects there are."""
        return {
            'videos': len(self._videos),
            'images': len(self._images),
            'annotations': len(self._annotations),
            'subjects': len(self._subjects),
        }

    def add_subject(self, name: str) -> int:
        """Return the id of a subject, a new one for a new name."""
        return self._subjects.setdefault(name, len(self._subjects) + 1)

    def add_video(
        self,
        name: str,
        *,
        split: str,
        category: int | None = None,
        subject_id: int | None = None,
        fps: float | None = None,
    ) -> int:
        """Add a video and return its id.

        Args:
            name: The video's folder name.
            split: The side of the protocol it is on.
            category: 300-VW's test category 1, 2 or 3.
            subject_id: From :meth:`add_subject`.
            fps: Frames per second, where the source tells.
        """
        video_id = len(self._videos) + 1
        self._videos.append(
            {
                'id': video_id,
                'name': name,
                'category': category,
                'subject_id': subject_id,
                'split': split,
                'fps': fps,
            }
        )
        return video_id

    def add_image(
        self,
        file_name: str,
        width: int,
        height: int,
        *,
        video_id: int | None = None,
        frame_id: int | None = None,
        group: str | None = None,
    ) -> int:
        """Add a still, or a frame of a video, and return its id.

        Args:
            file_name: Path relative to the converted data set's folder.
            width: Width in pixels.
            height: Height in pixels.
            video_id: From :meth:`add_video`; None for a still.
            frame_id: 0-based position in the video; None for a still.
            group: The part of a data set that it is from, if that matters.
        """
        image: dict[str, Any] = {
            'id': len(self._images) + 1,
            'file_name': file_name,
            'width': int(width),
            'height': int(height),
        }
        if video_id is not None:
            image.update(video_id=video_id, frame_id=frame_id)
        if group is not None:
            image['group'] = group
        self._images.append(image)
        return image['id']

    def add_face(
        self,
        image_id: int,
        keypoints: np.ndarray,
        *,
        visible: np.ndarray | None = None,
        subject_id: int | None = None,
        bbox_keypoints: np.ndarray | None = None,
        box_size: float | None = None,
        pose: Mapping[str, float] | None = None,
        face_id: int | None = None,
    ) -> int:
        """Add one face and return its annotation's id.

        ``center`` and ``scale`` (larger side over 200) are what MMPose's
        Face300VWDataset reads; ``box_size`` (root of the area) is what its
        AFLWDataset normalises with.

        Args:
            image_id: From :meth:`add_image`.
            keypoints: Keypoints of shape (K, 2) in 0-based image pixels.
            visible: Mask of shape (K,); None means that all are. A mark
                that is not visible is written as 0, 0, 0.
            subject_id: From :meth:`add_subject`.
            bbox_keypoints: Keypoints of shape (N, 2) of the source that are
                not among the K. The box is the extent of the visible ones of
                the K and of these.
            box_size: What errors are divided by, in pixels; None means the
                root of the box's area.
            pose: ``yaw``, ``pitch`` and ``roll`` in degrees.
            face_id: The face's number in the source.

        Raises:
            DataError: Not K keypoints, no visible mark, a visible mark that is
                not finite, or a box without area.
        """
        name = self._images[image_id - 1]['file_name']
        marks = np.asarray(keypoints, dtype=np.float64)
        if marks.shape != (self.num_keypoints, 2):
            raise DataError(
                f'{name}: has keypoints of shape {marks.shape} where '
                f'{(self.num_keypoints, 2)} is expected; repair or remove it'
            )
        if visible is None:
            mask = np.ones(self.num_keypoints, dtype=bool)
        else:
            mask = np.asarray(visible, dtype=bool)
        # Rounded first, so that the box is the extent of what is written.
        marks = np.round(marks, 3)
        inside = [marks[mask]]
        if bbox_keypoints is not None:
            inside.append(np.round(bbox_keypoints, 3))
        x, y, w, h = face_box(np.concatenate(inside), name)
        size = math.sqrt(w * h) if box_size is None else box_size

        flat: list[int | float] = []
        for (mark_x, mark_y), seen in zip(marks.tolist(), mask.tolist()):
            flat += [mark_x, mark_y, 2] if seen else [0.0, 0.0, 0]
        annotation: dict[str, Any] = {
            'id': len(self._annotations) + 1,
            'image_id': image_id,
            'category_id': 1,
            'bbox': [round(value, 3) for value in (x, y, w, h)],
            'area': round(w * h, 3),
            'iscrowd': 0,
            'keypoints': flat,
            'num_keypoints': int(mask.sum()),
            'center': [round(x + w / 2, 4), round(y + h / 2, 4)],
            'scale': round(max(w, h) / 200, 8),
            'box_size': round(size, 4),
        }
        if subject_id is not None:
            annotation['subject_id'] = subject_id
        if pose is not None:
            annotation.update(
                {name: round(angle, 4) for name, angle in pose.items()}
            )
        if face_id is not None:
            annotation['face_id'] = face_id
        self._annotations.append(annotation)
        return annotation['id']

    def save(self, path: str | PathLike) -> None:
        """Write the file complete or not at all."""
        save_all({Path(path): self})

    def _sections(self) -> dict[str, Any]:
        categories = [
            {
                'id': 1,
                'name': 'face',
                'supercategory': 'face',
                'keypoints': keypoint_names(self.num_keypoints),
                'skeleton': skeleton(self.num_keypoints),
            }
        ]
        subjects = [
            {'id': number, 'name': name}
            for name, number in self._subjects.items()
        ]
        return {
            'info': dict(self._info, counts=self.counts),
            'videos': self._videos,
            'subjects': subjects,
            'images': self._images,
            'annotations': self._annotations,
            'categories': categories,
        }

    def _write(self, path: Path) -> None:
        # One item a line: nothing as large as the file is held as text,
        # and a person can look into it with head and grep.
        with path.open('w', encoding='utf-8', newline='\n') as stream:
            opening = '{'
            for key, value in self._sections().items():
                stream.write(f'{opening}\n{json.dumps(key)}: ')
                opening = ','
                if not isinstance(value, list):
                    stream.write(json.dumps(value, allow_nan=False))
                    continue
                comma = ''
                stream.write('[')
                for item in value:
                    text = json.dumps(item, allow_nan=False)
                    stream.write(f'{comma}\n{text}')
                    comma = ','
                stream.write('\n]')
            stream.write('\n}\n')


def save_all(writers: Mapping[Path, DatasetWriter]) -> None:
    """Write several files, so that they appear together or not at all.

    Everything goes into temporary files beside the targets first, which
    then take the targets' names.

    Args:
        writers: The writer of each path. Missing folders are made.
    """
    temporary = {
        # The next run overwrites what a killed one leaves.
        path.with_name(f'.{path.name}.part'): path
        for path in writers
    }
    try:
        for part, path in temporary.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            writers[path]._write(part)
        for part, path in temporary.items():
            os.replace(part, path)
    finally:
        for part in temporary:
            part.unlink(missing_ok=True)
