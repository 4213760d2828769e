"""From a frame to the crops of its faces and back; boxes from landmarks.

Boxes are x y w h in pixels of the frame. Letters: F faces, K landmarks.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

from rednet_mm.errors import UserError
from rednet_mm.landmarks import SEVEN_OF_21, SEVEN_OF_68

BOX_RULES = ('extent', 'authors')

# The seven detected landmarks among K.
_SEVEN = {7: tuple(range(7)), 21: SEVEN_OF_21, 68: SEVEN_OF_68}


def as_image(frame: Any, number: int) -> np.ndarray:
    """A frame as (H, W, 3), BGR, uint8; H or W may be 0.

    Args:
        frame (np.ndarray): uint8, gray (H, W) or (H, W, 1), BGR, or BGR and
            a transparency that is left out.
        number (int): Of the frame, for the error.

    Raises:
        UserError: for what is not such an array.
    """
    array = np.asarray(frame)
    if array.size == 0:
        return np.zeros((0, 0, 3), np.uint8)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        channels = 0
    if channels == 1:
        return cv2.cvtColor(array, cv2.COLOR_GRAY2BGR)
    if channels == 3:
        return array
    if channels == 4:
        return cv2.cvtColor(array, cv2.COLOR_BGRA2BGR)
    raise UserError(
        f'frame {number} is no image but {array.dtype} of shape '
        f'{array.shape}; give uint8 of shape (H, W, 3), BGR, or gray (H, W)'
    )


@dataclass(frozen=True)
class Crops:
    """What the network is shown of a frame.

    Args:
        images (np.ndarray): Shape (F, H, W, 3), uint8, BGR.
        centers (np.ndarray): Of each crop in the frame, (F, 2).
        scales (np.ndarray): Frame pixels from the centre of a crop's first
            pixel to that of its last, in x and y, (F, 2).
    """

    images: np.ndarray
    centers: np.ndarray
    scales: np.ndarray

    @property
    def warps(self) -> np.ndarray:
        """Pixels of the frame to pixels of each crop, (F, 2, 3), float32."""
        size = np.array(self.images.shape[2:0:-1], float)  # W, H
        factor = (size - 1) / self.scales
        warps = np.zeros((len(factor), 2, 3), np.float32)
        warps[:, [0, 1], [0, 1]] = factor
        warps[:, :, 2] = (size - 1) / 2 - factor * self.centers
        return warps

    def to_frame(self, keypoints: np.ndarray) -> np.ndarray:
        """Landmarks (F, K, 2) in crop pixels as pixels of the frame."""
        size = np.array(self.images.shape[2:0:-1], np.float32)  # W, H
        share = keypoints / (size - 1) - np.float32(0.5)
        return share * self.scales[:, None] + self.centers[:, None]


class Cropper:
    """Cuts out faces as the data pipelines of training do.

    Args:
        input_size (tuple[int, int]): (W, H) of a crop.
        padding (float): How much larger than its box a crop is.
    """

    def __init__(self, input_size: tuple[int, int], padding: float) -> None:
        self.scale = GetBBoxCenterScale(padding)
        self.affine = TopdownAffine(tuple(input_size), use_udp=True)

    def __call__(self, frame: np.ndarray, boxes: np.ndarray) -> Crops:
        """The faces at ``boxes`` (F, 4), F > 0, of a frame (H, W, 3)."""
        corners = np.asarray(boxes, np.float32).copy()
        corners[:, 2:] += corners[:, :2]
        cuts = [
            self.affine(self.scale(dict(img=frame, bbox=one[None])))
            for one in corners
        ]
        return Crops(
            images=np.stack([each['img'] for each in cuts]),
            centers=np.stack([each['input_center'] for each in cuts]),
            scales=np.stack([each['input_scale'] for each in cuts]),
        )


def box_of(keypoints: np.ndarray) -> np.ndarray:
    """The square x y w h round landmarks (K, 2), as in the training data.

    The crop enlarges it, in tracking as in training.
    """
    low, high = keypoints.min(0), keypoints.max(0)
    side = (high - low).max()
    corner = (low + high - side) / 2
    return np.array([*corner, side, side], float)


def authors_box(keypoints: np.ndarray, padding: float) -> np.ndarray:
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


def grown(box: np.ndarray, margin: float) -> np.ndarray:
    """A box with ``margin`` times its sides, about its middle."""
    size = box[2:]
    return np.concatenate([box[:2] - (margin - 1) / 2 * size, margin * size])


def middle(box: np.ndarray) -> np.ndarray:
    """The middle (2,) of a box (4,)."""
    return box[:2] + box[2:] / 2


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """What two boxes (4,) share, over the smaller of them.

    Not over their union: a detector's idea of how large a face is differs.
    """
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / max(min(np.prod(one[2:]), np.prod(other[2:])), 1e-9))
