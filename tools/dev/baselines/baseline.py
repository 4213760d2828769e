"""What another system has to do, and which box it is given.

Boxes are x y w h in pixels of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class BoxOffset:
    """Where a system's own detector puts its box, against the keypoints.

    Measured on 400 faces of 300-W's training part, drawn at random: medians
    over the faces that the detector found (docs/baselines.md).

    Args:
        down: Of its middle from the middle of the keypoints' extent, in longer
            sides of that extent; negative is up.
        side: Its side, in the same unit.
    """

    down: float
    side: float

    def box(self, extent: np.ndarray) -> np.ndarray:
        """The box that the detector would give for an extent of keypoints."""
        longer = max(extent[2:])
        middle = extent[:2] + extent[2:] / 2 + [0, self.down * longer]
        side = self.side * longer
        return np.array([*(middle - side / 2), side, side])


class Baseline(Protocol):
    """A system that finds the 68 landmarks of faces.

    Attributes:
        name: For tables.
        version: Of the package and the weights.
        weights: Their file.
        habit: Of its own detector.
    """

    name: str
    version: str
    weights: Path
    habit: BoxOffset

    def landmarks(
        self, image: np.ndarray, box: np.ndarray
    ) -> np.ndarray | None:
        """Landmarks of the face in a box.

        Args:
            image: Shape (H, W, 3), uint8, RGB.
            box: Shape (4,).

        Returns:
            Shape (68, 2), x and y in pixels of the image, 0 being the
            centre of its first pixel; None where it sees no face.
        """

    def all_landmarks(self, image: np.ndarray) -> list[np.ndarray]:
        """Landmarks, (68, 2) each, of the faces its own detector finds."""
