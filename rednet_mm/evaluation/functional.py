"""Metrics of facial landmark papers on arrays (paper section 5.1).

Letters: N frames, K landmarks.
"""

from typing import Optional, Sequence

import numpy as np

from rednet_mm.utils.errors import UserError

# Points of 68 (0-based) whose centres are the ends of each norm.
NORMS_68 = {
    'outer_eyes': ((36,), (45,)),
    'pupils': (tuple(range(36, 42)), tuple(range(42, 48))),
    # By the corners alone, so that AFLW's points will do.
    'eye_mouth': ((36, 39, 42, 45), (48, 54)),
}


def norm_lengths(
    truth: np.ndarray, norm: str, visible: Optional[np.ndarray] = None
) -> np.ndarray:
    """What errors are divided by, in pixels, one number a frame.

    Args:
        truth (np.ndarray): True landmarks, shape (N, 68, 2); for ``'box'``
            of any number.
        norm (str): ``'outer_eyes'``: distance of the outer eye corners (36,
            45); ``'pupils'``: distance of the centres of the six keypoints of
            either eye; ``'eye_mouth'``: distance of the centres of the four
            eye corners and of the two mouth corners; ``'box'``: sqrt(w * h)
            of the keypoints' extent.
        visible (np.ndarray, optional): As the keypoints, true where a point is
            annotated. None: all are.

    Returns:
        np.ndarray: Shape (N,). Not finite where a point that the norm needs
        is not annotated.

    Raises:
        UserError: for another norm, or one of other than 68 points.
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
    if truth.shape[1] != 68:
        raise UserError(
            f'norm {norm!r} needs 68 points, {truth.shape[1]} are annotated; '
            "choose norm 'box' or 'box_size'"
        )
    left, right = NORMS_68[norm]
    keypoints = np.where(seen, truth, np.nan)
    ends = [keypoints[:, list(points)].mean(1) for points in (left, right)]
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

    The mean over the annotated points of the distance to the ground truth,
    over the length of the norm. A frame without an annotated point, or whose
    norm is zero or hangs on a point that is not annotated, has no error: NaN.
    One whose prediction is not finite has an infinite error.

    Args:
        prediction (np.ndarray): Shape (N, K, 2), pixels.
        truth (np.ndarray): Shape (N, 68, 2), pixels.
        visible (np.ndarray): Shape (N, 68), true where a point is annotated.
        norm (str): As for :func:`norm_lengths`.
        points (Sequence[int], optional): Which K of the 68 are predicted.
            None: all.
        lengths (np.ndarray, optional): What errors are divided by, in
            pixels, shape (N,), where it does not come from the keypoints; the
            norm is not read then.

    Returns:
        np.ndarray: Shape (N,).
    """
    length = norm_lengths(truth, norm, visible) if lengths is None else lengths
    if points is not None:
        truth, visible = truth[:, list(points)], visible[:, list(points)]
    distance = np.linalg.norm(prediction - truth, axis=-1)
    return mean_errors(distance, visible, length)


def mean_errors(
    distance: np.ndarray, visible: np.ndarray, length: np.ndarray
) -> np.ndarray:
    """What :func:`frame_errors` gives, of distances that are there.

    Args:
        distance (np.ndarray): Of each point from the ground truth, pixels, (N,
            K).
        visible (np.ndarray): Shape (N, K), true where a point is annotated.
        length (np.ndarray): What errors are divided by, pixels, (N,).

    Returns:
        np.ndarray: Shape (N,), percent.
    """
    visible = visible.astype(bool)
    count = visible.sum(1)
    valid = (count > 0) & (length > 0)
    total = np.where(visible, distance, 0).sum(1)
    errors = np.full(len(distance), np.nan)
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


def cumulative_curve(
    errors: np.ndarray, limit: float = 10.0, points: int = 201
) -> tuple[np.ndarray, np.ndarray]:
    """The cumulative error distribution (CED).

    Args:
        errors (np.ndarray): Shape (N,), percent; NaN is left out.
        limit (float): Where the curve ends, percent.
        points (int): Of the curve.

    Returns:
        tuple: Thresholds in percent and, in percent, the share of frames
        whose error is not larger; both (points,).
    """
    thresholds = np.linspace(0, limit, points)
    known = np.sort(errors[~np.isnan(errors)])
    below = np.searchsorted(known, thresholds, side='right')
    return thresholds, 100 * below / max(len(known), 1)
