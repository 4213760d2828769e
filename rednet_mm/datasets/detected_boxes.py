"""A detector's boxes in place of those of the annotations."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmpose.structures.bbox import bbox_overlaps
from scipy.optimize import linear_sum_assignment

from rednet_mm.utils.errors import UserError

# Share of their union from which a box is that of a face. Detectors differ in
# how much of a head is a face; a false alarm elsewhere shares nothing.
MATCH = 0.2


def match_boxes(
    boxes: Sequence[dict[str, Any]],
    faces: Sequence[dict[str, Any]],
    bbox_file: str,
) -> Iterator[dict[str, Any]]:
    """Say of each box which annotated face it is of.

    Args:
        boxes (Sequence[dict]): MMPose's fields of each box: ``img_id``,
            ``id``, ``bbox`` (1, 4) x1 y1 x2 y2, ``bbox_score`` (1,).
        faces (Sequence[dict]): Those of each annotated face.
        bbox_file (str): Where the boxes are from, for errors.

    Yields:
        dict: The face in that box, the boxes of an image matched so that
        their overlap is largest in all. A box that lies on no face is a
        track of its own, without any visible keypoint.

    Raises:
        UserError: if a box is empty or not finite.
    """
    in_image: dict[int, list[dict[str, Any]]] = {}
    for box in boxes:
        low, high = np.split(box['bbox'][0], 2)
        if not np.isfinite(box['bbox']).all() or (high <= low).any():
            raise UserError(
                f'{bbox_file}: a box of image {box["img_id"]} is empty or '
                'not finite; give x y w h'
            )
        in_image.setdefault(box['img_id'], []).append(box)
    known: dict[int, list[dict[str, Any]]] = {}
    for face in faces:
        known.setdefault(face['img_id'], []).append(face)
    for image, found in in_image.items():
        yield from _matched(found, known.get(image, []))


def _matched(
    boxes: list[dict[str, Any]], faces: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The boxes of one image."""
    rest = {box['id']: box for box in boxes}
    if faces:
        corners = [
            torch.from_numpy(np.concatenate([each['bbox'] for each in many]))
            for many in (boxes, faces)
        ]
        shares = bbox_overlaps(*corners).numpy()
        for place, face in zip(*linear_sum_assignment(-shares)):
            if shares[place, face] >= MATCH:
                box = rest.pop(boxes[place]['id'])
                taken = {k: box[k] for k in ('id', 'bbox', 'bbox_score')}
                # Centre and scale come from the box.
                yield {
                    key: value
                    for key, value in {**faces[face], **taken}.items()
                    if key not in ('bbox_center', 'bbox_scale')
                }
    for box in rest.values():
        yield dict(
            box,
            keypoints_visible=np.zeros_like(box['keypoints_visible']),
            # Not the number of any face.
            track=(0, -1 - box['id']),
            frame_id=0,
        )
