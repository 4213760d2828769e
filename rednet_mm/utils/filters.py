"""The One Euro filter, for landmarks that tremble.

Casiez, Roussel and Vogel, "1 Euro Filter: A Simple Speed-based Low-pass
Filter for Noisy Input in Interactive Systems", CHI 2012.
"""

import math
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np


@dataclass(frozen=True)
class OneEuroState:
    """What the filter remembers of a face between two frames.

    Args:
        time (float): Of the last frame, seconds.
        keypoints (np.ndarray): As they left the filter, (K, 2), pixels.
        velocity (np.ndarray): Smoothed, (K, 2), pixels a second.
    """

    time: float
    keypoints: np.ndarray
    velocity: np.ndarray


@dataclass(frozen=True)
class OneEuroFilter:
    """Smooth landmarks the more, the slower they move.

    It holds settings only; the state goes in and comes out, so one filter
    serves any number of faces and videos.

    Args:
        min_cutoff (float): Cutoff frequency of a landmark at rest, Hz;
            lower trembles less. Defaults to 1.0.
        beta (float): How much the cutoff grows with speed, Hz for each
            pixel a second; higher lags less. Defaults to 0.007.
        velocity_cutoff (float): Cutoff frequency of the velocity, Hz.
            Defaults to 1.0.
    """

    min_cutoff: float = 1.0
    beta: float = 0.007
    velocity_cutoff: float = 1.0

    def step(
        self,
        keypoints: np.ndarray,
        time: float,
        state: Optional[OneEuroState] = None,
    ) -> tuple[np.ndarray, OneEuroState]:
        """One frame.

        Args:
            keypoints (np.ndarray): Shape (K, 2), pixels.
            time (float): Seconds.
            state (OneEuroState, optional): From the frame before; None
                begins anew, and the landmarks pass as they are.

        Returns:
            tuple: The smoothed landmarks (K, 2), and the next state.

        Raises:
            ValueError: if the time is not later than that of the state.
        """
        if state is None:
            begin = np.asarray(keypoints, float)
            return begin, OneEuroState(time, begin, np.zeros_like(begin))
        elapsed = elapsed_time(state.time, time)
        velocity = _toward(
            state.velocity,
            (keypoints - state.keypoints) / elapsed,
            _weight(self.velocity_cutoff, elapsed),
        )
        # One cutoff for both coordinates, (K, 1): the filter then does not
        # depend on how the image is turned.
        speed = np.linalg.norm(velocity, axis=1, keepdims=True)
        cutoff = self.min_cutoff + self.beta * speed
        smooth = _toward(state.keypoints, keypoints, _weight(cutoff, elapsed))
        return smooth, OneEuroState(time, smooth, velocity)


def elapsed_time(before: float, now: float) -> float:
    """Seconds between two frames.

    Raises:
        ValueError: if the second is not later than the first.
    """
    if now <= before:
        raise ValueError(
            f'a frame at {now} s after one at {before} s; give frames in '
            'order of time'
        )
    return now - before


def _weight(
    cutoff: Union[float, np.ndarray], elapsed: float
) -> Union[float, np.ndarray]:
    """Share of the new value in a low pass (the paper's alpha)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * elapsed))


def _toward(
    old: np.ndarray, new: np.ndarray, weight: Union[float, np.ndarray]
) -> np.ndarray:
    return old + weight * (new - old)
