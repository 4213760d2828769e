"""A filter that smooths the shape of a face and lets its motion pass.

The head moves much and smoothly, the network's errors are small and new in
each frame. So the last output is moved as the face moves (the similarity that
fits it best to the new keypoints, least squares), and only what then remains,
expression and noise, is smoothed: little of it where it is small, all of it
where it is large.
"""

from dataclasses import dataclass
from typing import Any, Optional, Protocol

import numpy as np

from rednet_mm.utils.filters import elapsed_time

# Frames a second at which the settings are given.
FPS = 25.0


class KeypointFilter(Protocol):
    """What smooths keypoints over time, its state in the caller's hands."""

    def step(
        self, keypoints: np.ndarray, time: float, state: Any = None
    ) -> tuple[np.ndarray, Any]:
        """See :meth:`ShapeFilter.step`."""


@dataclass(frozen=True)
class ShapeFilterState:
    """What the filter remembers of a face between two frames.

    Args:
        time (float): Of the last frame, seconds.
        keypoints (np.ndarray): As they left the filter, (K, 2), pixels.
    """

    time: float
    keypoints: np.ndarray


@dataclass(frozen=True)
class ShapeFilter:
    """Smooth the shape of a face, not its motion.

    It holds settings only; the state goes in and comes out, so one filter
    serves any number of faces and videos.

    Args:
        min_share (float): Share of what remains that is taken on where next
            to nothing remains, in 1/25 s; lower is smoother. Defaults to
            0.4.
        threshold (float): What remains is taken on wholly from here, face
            widths (sqrt(w * h) of the keypoints' extent); higher is
            smoother. Defaults to 0.07.
    """

    min_share: float = 0.4
    threshold: float = 0.07

    def step(
        self,
        keypoints: np.ndarray,
        time: float,
        state: Optional[ShapeFilterState] = None,
    ) -> tuple[np.ndarray, ShapeFilterState]:
        """One frame.

        Args:
            keypoints (np.ndarray): Shape (K, 2), pixels.
            time (float): Seconds.
            state (ShapeFilterState, optional): From the frame before; None
                begins anew, and the keypoints pass as they are.

        Returns:
            tuple: The smoothed keypoints (K, 2), and the next state.

        Raises:
            ValueError: if the time is not later than that of the state.
        """
        keypoints = np.asarray(keypoints, float)
        if state is None:
            return keypoints, ShapeFilterState(time, keypoints)
        elapsed = elapsed_time(state.time, time)
        moved = similar(state.keypoints, keypoints)
        rest = keypoints - moved
        width = np.sqrt(np.prod(np.ptp(keypoints, axis=0)))
        far = np.linalg.norm(rest, axis=1, keepdims=True) / max(
            self.threshold * width, 1e-9
        )
        share = self.min_share + (1 - self.min_share) * np.minimum(far, 1)
        # What is left after several short steps is what one long one leaves.
        share = 1 - (1 - share) ** (elapsed * FPS)
        smooth = moved + share * rest
        return smooth, ShapeFilterState(time, smooth)


def similar(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Points moved, turned and scaled as near to others as can be.

    Args:
        points (np.ndarray): (K, 2).
        target (np.ndarray): (K, 2).

    Returns:
        np.ndarray: (K, 2), nearest by least squares.
    """
    factor = turn_and_scale(points, target)
    return place(points - points.mean(0), factor) + target.mean(0)


def turn_and_scale(points: np.ndarray, target: np.ndarray) -> complex:
    """What points (K, 2) about their mean are multiplied by to fit others.

    As complex numbers x + iy, by least squares; 1 where points are one.
    """
    one, other = (
        (each - each.mean(0)) @ np.array([1, 1j]) for each in (points, target)
    )
    size = (np.abs(one) ** 2).sum()
    return complex(np.vdot(one, other) / size) if size else 1 + 0j


def place(points: np.ndarray, factor: complex) -> np.ndarray:
    """Points (K, 2) about the origin, turned and scaled by a factor."""
    x, y = factor.real, factor.imag
    return points @ np.array([[x, y], [-y, x]])
