"""Films of white squares, a network and a detector that know nothing else."""

from __future__ import annotations

import cv2
import numpy as np

from rednet_mm.apis import FaceResult

SIZE = (96, 128)  # H, W


class SquareNetwork:
    """Takes the bounding box of what is white for a face.

    Seven landmarks: its corners, twice the middle of its upper side, and the
    middle of its lower side. What it remembers of a face is how often it saw
    it, as an array of one number.
    """

    input_size = (64, 64)
    num_keypoints = 7
    padding = 1.5

    def __init__(self, **settings):
        self.settings = settings
        self.batches: list[int] = []
        self.memories: list[list[int]] = []

    def run(self, crops, states, warps=None):
        self.batches.append(len(crops))
        self.memories.append([0 if s is None else int(s[0]) for s in states])
        found = [self.one(crop[..., 1] > 127) for crop in crops]
        scores = np.array([score for _, score in found], np.float32)
        result = FaceResult(
            keypoints=np.array([marks for marks, _ in found], np.float32),
            scores=np.repeat(scores[:, None], 7, 1),
            spreads=np.repeat(1 + 9 * (1 - scores[:, None]), 7, 1),
        )
        return result, [np.array([n + 1]) for n in self.memories[-1]]

    @staticmethod
    def one(white):
        if not white.any():
            return np.full((7, 2), 31.5), 0.0
        (y0, y1), (x0, x1) = (
            np.flatnonzero(white.any(a))[[0, -1]] for a in (1, 0)
        )
        middle = (x0 + x1) / 2
        marks = [(x0, y0), (x1, y0), (x0, y1), (x1, y1)]
        return np.array(
            [*marks, (middle, y0), (middle, y0), (middle, y1)]
        ), 1.0


def frame(*places, side=16, size=SIZE):
    """Squares with these upper left corners (x, y) on black."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y in places:
        image[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)] = 255
    return image


def squares(image):
    """The detector of white squares: boxes x y w h, (F, 4)."""
    gray = image if image.ndim == 2 else image[..., 1]
    found = cv2.connectedComponentsWithStats((gray > 127).astype(np.uint8))
    return found[2][1:, :4].astype(float)


def box(x, y, side=16):
    """The box of a square."""
    return np.array([[x, y, side, side]], float)
