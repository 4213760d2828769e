"""Figures of facial landmark papers on arrays (paper section 5.1).

Letters: N frames, K landmarks.
"""

from typing import Optional, Sequence

import numpy as np

from rednet_mm.errors import UserError

# Points of 68 (0-based) whose centres are the ends of each norm.
NORMS_68 = {
    'outer_eyes': ((36,), (45,)),
    'pupils': (tuple(range(36, 42)), tuple(range(42, 48))),
}


def norm_lengths(
    truth: np.ndarray, norm: str, visible: Optional[np.ndarray] = None
) -> np.ndarray:
    """What errors are divided by, in pixels, one number a frame.

    Args:
        truth (np.ndarray): True landmarks, shape (N, 68, 2).
        norm (str): ``'outer_eyes'``: distance of the outer eye corners (36,
            45); ``'pupils'``: distance of the centres of the six marks of
            either eye; ``'box'``: sqrt(w * h) of the marks' extent.
        visible (np.ndarray, optional): Shape (N, 68), true where a point is
            annotated. None: all are.

    Returns:
        np.ndarray: Shape (N,). Not finite where a point that the norm needs
        is not annotated.

    Raises:
        UserError: for another norm.
    """
    seen = np.ones(truth.shape[:2], bool) if visible is None else visible
    seen = seen.astype(bool)[..., None]
    if norm == 'box':
        low = np.where(seen, truth, np.inf).min(1)
        high = np.where(seen, truth, -np.inf).max(1)
        return np.sqrt(np.prod(high - low, axis=-1))
    if norm not in NORMS_68:
        known = ', '.join([*NORMS_68, 'box'])
        raise UserError(f'norm {norm!r} is not one of {known}')
    left, right = NORMS_68[norm]
    marks = np.where(seen, truth, np.nan)
    ends = [marks[:, list(points)].mean(1) for points in (left, right)]
    return np.linalg.norm(ends[0] - ends[1], axis=-1)


def frame_errors(
    prediction: np.ndarray,
    truth: np.ndarray,
    visible: np.ndarray,
    norm: str = 'outer_eyes',
    points: Optional[Sequence[int]] = None,
    lengths: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Normalised mean error of each frame, in percent.

    The mean over the annotated points of the distance to the truth, over the
    length of the norm. A frame without an annotated point, or whose norm is
    zero or hangs on a point that is not annotated, has no error: NaN. One
    whose prediction is not finite has an infinite error.

    Args:
        prediction (np.ndarray): Shape (N, K, 2), pixels.
        truth (np.ndarray): Shape (N, 68, 2), pixels.
        visible (np.ndarray): Shape (N, 68), true where a point is annotated.
        norm (str): As for :func:`norm_lengths`.
        points (Sequence[int], optional): Which K of the 68 are predicted.
            None: all.
        lengths (np.ndarray, optional): What errors are divided by, in
            pixels, shape (N,), where it does not come from the marks; the
            norm is not read then.

    Returns:
        np.ndarray: Shape (N,).
    """
    length = norm_lengths(truth, norm, visible) if lengths is None else lengths
    if points is not None:
        truth, visible = truth[:, list(points)], visible[:, list(points)]
    distance = np.linalg.norm(prediction - truth, axis=-1)
    visible = visible.astype(bool)
    count = visible.sum(1)
    valid = (count > 0) & (length > 0)
    total = np.where(visible, distance, 0).sum(1)
    errors = np.full(len(truth), np.nan)
    errors[valid] = 100 * total[valid] / count[valid] / length[valid]
    # A prediction that is not a number is as wrong as can be, not unmeasured.
    errors[valid & ~np.isfinite(total)] = np.inf
    return errors


def failure_rate(errors: np.ndarray, threshold: float = 10.0) -> float:
    """Share of frames with a larger error than ``threshold``, both in %."""
    return float(100 * np.mean(errors > threshold))


def area_under_curve(errors: np.ndarray, limit: float = 8.0) -> float:
    """Area under the cumulative error curve up to ``limit``, in %.

    The curve is a staircase; its area from 0 to the limit, over the limit, is
    exactly the mean of max(0, 1 - error / limit).
    """
    return float(100 * np.mean(np.clip(1 - errors / limit, 0, None)))
