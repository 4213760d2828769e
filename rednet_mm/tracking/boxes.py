"""Boxes of faces: from the landmarks of the frame before, their overlap.

Boxes are x y w h in pixels of the frame. Letters: K landmarks.
"""

import numpy as np

from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import SEVEN_OF_21, SEVEN_OF_68

BOX_RULES = ('extent', 'authors')

# The seven detected landmarks among K.
_SEVEN = {7: tuple(range(7)), 21: SEVEN_OF_21, 68: SEVEN_OF_68}


def bbox_from_keypoints(keypoints: np.ndarray) -> np.ndarray:
    """The square x y w h round landmarks (K, 2), as in the training data.

    The crop enlarges it, in tracking as in training.
    """
    low, high = keypoints.min(0), keypoints.max(0)
    side = (high - low).max()
    corner = (low + high - side) / 2
    return np.array([*corner, side, side], float)


def authors_bbox(keypoints: np.ndarray, padding: float) -> np.ndarray:
    """The box whose crop is the one of the authors' tracker.

    That crop's centre lies between eye centre and mouth centre, and its side
    is three times their distance.

    Args:
        keypoints (np.ndarray): Shape (K, 2), 7, 21 or 68 landmarks.
        padding (float): How much larger than the box its crop is.

    Raises:
        UserError: for other landmarks.
    """
    if len(keypoints) not in _SEVEN:
        raise UserError(
            "box_rule='authors' knows eyes and mouth among 7, 21 or 68 "
            f"landmarks, not among {len(keypoints)}; use 'extent'"
        )
    seven = keypoints[list(_SEVEN[len(keypoints)])]
    eyes, mouth = seven[:4].mean(0), seven[5:].mean(0)
    side = 3 * np.linalg.norm(eyes - mouth) / padding
    return np.array([*(eyes + mouth - side) / 2, side, side], float)


def enlarge_bbox(box: np.ndarray, margin: float) -> np.ndarray:
    """A box with ``margin`` times its sides, about its middle."""
    size = box[2:]
    return np.concatenate([box[:2] - (margin - 1) / 2 * size, margin * size])


def bbox_center(box: np.ndarray) -> np.ndarray:
    """The middle (2,) of a box (4,)."""
    return box[:2] + box[2:] / 2


def bbox_overlap(one: np.ndarray, other: np.ndarray) -> float:
    """What two boxes (4,) share, over the smaller of them.

    Not over their union: a detector's idea of how large a face is differs.
    """
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / max(min(np.prod(one[2:]), np.prod(other[2:])), 1e-9))
