"""What passes in front of faces: hands, microphones, cups, pieces of photos.

An occluder is drawn once, as a small image with transparency, and then put
into each frame by one warp.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Optional

import cv2
import numpy as np

SHAPES = ('hand', 'microphone', 'cup', 'patch')

# Pixels a side of a sprite; edges fade over about _FEATHER of them.
SPRITE = 128
_FEATHER = 2.0

# Skin tones, BGR: Fitzpatrick's six types, by eye.
_SKIN = np.array(
    [
        (198, 214, 241),
        (160, 188, 228),
        (125, 160, 208),
        (88, 124, 180),
        (56, 84, 134),
        (40, 56, 88),
    ],
    float,
)


class PhotoPatches:
    """Pieces of the photos of a data set, away from their faces.

    Args:
        images (Sequence[tuple[str, Sequence[float]]]): Path of each image
            and the xywh bbox of its face.
        keep (int): Pieces that are kept in memory. Defaults to 32.
    """

    def __init__(
        self, images: Sequence[tuple[str, Sequence[float]]], keep: int = 32
    ) -> None:
        self.images = list(images)
        self.keep = keep
        self._cut = lru_cache(keep)(self._read)

    def __call__(self, seed: int) -> Optional[np.ndarray]:
        """A piece (SPRITE, SPRITE, 3), BGR; None if it cannot be read."""
        return self._cut(seed)

    def _read(self, seed: int) -> Optional[np.ndarray]:
        rng = np.random.default_rng(seed)
        path, bbox = self.images[int(rng.integers(len(self.images)))]
        image = cv2.imread(path)
        if image is None:
            return None
        height, width = image.shape[:2]
        side = int(max(8, min(max(bbox[2:]) * 0.6, height, width)))
        corners = rng.uniform(0, 1, (8, 2)) * (width - side, height - side)
        # The one that shows least of the face.
        face = np.array([bbox[:2], np.add(bbox[:2], bbox[2:])], float)
        low = np.maximum(corners, face[0])
        high = np.minimum(corners + side, face[1])
        shown = np.clip(high - low, 0, None).prod(1)
        x, y = corners[int(shown.argmin())].astype(int)
        piece = image[y : y + side, x : x + side]
        return cv2.resize(
            piece, (SPRITE, SPRITE), interpolation=cv2.INTER_AREA
        )

    def __getstate__(self) -> dict:
        return {'images': self.images, 'keep': self.keep}

    def __setstate__(self, state: dict) -> None:
        self.__init__(**state)  # type: ignore[misc]


def sprite(
    shape: str, seed: int, patches: Optional[PhotoPatches] = None
) -> np.ndarray:
    """Draw an occluder.

    Args:
        shape (str): One of ``SHAPES``.
        seed (int): Of its outline and texture.
        patches (PhotoPatches, optional): Where the textures of cups and
            pieces come from. Defaults to None: drawn noise.

    Returns:
        np.ndarray: (SPRITE, SPRITE, 4) float32 in [0, 255]: BGR and opacity.
    """
    rng = np.random.default_rng([seed, SHAPES.index(shape)])
    outline = np.zeros((SPRITE, SPRITE), np.uint8)
    if shape == 'hand':
        colour = _hand(outline, rng)
    elif shape == 'microphone':
        colour = _microphone(outline, rng)
    else:
        (_cup if shape == 'cup' else _blob)(outline, rng)
        piece = patches(seed) if patches is not None else None
        base = rng.uniform(20, 235, 3)
        colour = piece if piece is not None else base + _noise(rng, 60)
    opacity = cv2.GaussianBlur(
        outline, (0, 0), _FEATHER * rng.uniform(0.5, 1.5)
    )
    # Light from one side.
    angle = rng.uniform(0, 2 * np.pi)
    ys, xs = np.mgrid[-1 : 1 : SPRITE * 1j, -1 : 1 : SPRITE * 1j]
    light = 1 + 0.25 * (xs * np.cos(angle) + ys * np.sin(angle))
    lit = np.clip(np.asarray(colour, float) * light[..., None], 0, 255)
    return np.dstack([lit, opacity]).astype(np.float32)


def paste(
    image: np.ndarray,
    drawn: np.ndarray,
    position: np.ndarray,
    size: float,
    angle: float,
) -> np.ndarray:
    """A copy of an image with an occluder upon it.

    Args:
        image (np.ndarray): (H, W, 3), uint8.
        drawn (np.ndarray): From :func:`sprite`.
        position (np.ndarray): Of its centre, (2,), pixels.
        size (float): Its side, pixels.
        angle (float): Degrees.
    """
    middle = (SPRITE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle, size / SPRITE)
    matrix[:, 2] += np.asarray(position) - middle
    # Where it can be, turned by any angle.
    reach = size * 0.75 + 2
    low = np.floor(np.maximum(position - reach, 0)).astype(int)
    high = np.ceil(np.minimum(position + reach, image.shape[1::-1])).astype(
        int
    )
    if (high <= low).any():
        return image
    matrix[:, 2] -= low
    shown = cv2.warpAffine(
        drawn, matrix, (high - low).tolist(), flags=cv2.INTER_LINEAR
    )
    image = image.copy()
    part = image[low[1] : high[1], low[0] : high[0]]
    opacity = shown[..., 3:] / 255
    part[:] = np.rint(part * (1 - opacity) + shown[..., :3] * opacity)
    return image


def _noise(rng: Any, height: float) -> np.ndarray:
    """Cloudy noise of about that standard deviation, (SPRITE, SPRITE, 1)."""
    total = np.zeros((SPRITE, SPRITE))
    for cells in (4, 16, 64):
        grid = rng.normal(0, 1, (cells, cells)).astype(np.float32)
        total += cv2.resize(
            grid, (SPRITE, SPRITE), interpolation=cv2.INTER_CUBIC
        )
    return height * (total / total.std())[..., None]


def _skin(rng: Any) -> np.ndarray:
    place = rng.uniform(0, len(_SKIN) - 1)
    low = int(min(place, len(_SKIN) - 2))
    share = place - low
    tone = (1 - share) * _SKIN[low] + share * _SKIN[low + 1]
    return tone * rng.uniform(0.7, 1.1)


def _hand(outline: np.ndarray, rng: Any) -> np.ndarray:
    """A palm and five fingers; its colour (SPRITE, SPRITE, 3)."""
    colour = _skin(rng) * (1 + _noise(rng, 0.06))
    palm = (64, 88)
    cv2.line(outline, palm, (64, 127), 255, 38, cv2.LINE_AA)
    cv2.ellipse(outline, palm, (27, 30), 0, 0, 360, 255, -1, cv2.LINE_AA)
    spread = rng.uniform(0.3, 1.0)
    for finger in range(4):
        turn = spread * (finger - 1.5) * 0.35
        root = np.array([44 + 13 * finger, 72.0])
        length = rng.uniform(30, 58)
        tip = root + length * np.array([np.sin(turn), -np.cos(turn)])
        ends = [tuple(np.round(end).astype(int).tolist()) for end in (root, tip)]
        cv2.line(outline, *ends, 255, 12, cv2.LINE_AA)
        # The gap beside a finger lies in shadow.
        shade = np.zeros_like(outline)
        cv2.line(shade, *ends, 255, 12, cv2.LINE_AA)
        edge = cv2.morphologyEx(
            shade, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
        )
        colour = colour * (1 - 0.3 * (edge / 255.0)[..., None])
    thumb = (64 + int(rng.choice([-1, 1])) * 46, 66)
    cv2.line(outline, palm, thumb, 255, 13, cv2.LINE_AA)
    return colour


def _microphone(outline: np.ndarray, rng: Any) -> np.ndarray:
    """A ball with a mesh on a rod; its colour (SPRITE, SPRITE, 3)."""
    head, rod = int(rng.integers(18, 34)), int(rng.integers(8, 20))
    cv2.circle(outline, (64, 36), head, 255, -1, cv2.LINE_AA)
    cv2.line(outline, (64, 36), (64, 127), 255, rod, cv2.LINE_AA)
    ys, xs = np.mgrid[:SPRITE, :SPRITE]
    step = int(rng.integers(3, 7))
    mesh = ((xs % step == 0) | (ys % step == 0)) & (ys < 36 + head)
    gray = rng.uniform(15, 110) + 30 * mesh
    return gray[..., None] * rng.uniform(0.9, 1.1, 3) + _noise(rng, 6)


def _cup(outline: np.ndarray, rng: Any) -> None:
    top, foot = rng.uniform(30, 48), rng.uniform(20, 36)
    corners = [(-top, -50), (top, -50), (foot, 50), (-foot, 50)]
    points = np.round(np.array(corners) + 64).astype(np.int32)
    cv2.fillConvexPoly(outline, points, 255, cv2.LINE_AA)
    if rng.uniform() < 0.5:
        cv2.circle(outline, (64 + int(top), 58), 18, 255, 7, cv2.LINE_AA)


def _blob(outline: np.ndarray, rng: Any) -> None:
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radii = np.full(48, 40.0)
    for wave in (2, 3, 5):
        radii += rng.uniform(0, 8) * np.cos(
            wave * angles + rng.uniform(0, 2 * np.pi)
        )
    points = 64 + radii[:, None] * np.stack(
        [np.cos(angles), np.sin(angles)], 1
    )
    cv2.fillPoly(outline, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA)
