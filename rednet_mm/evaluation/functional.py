"""Figures of facial landmark papers on arrays (paper section 5.1).

Letters: N frames, K landmarks.
"""

import numpy as np

# Points of 68 (0-based) whose centres are the ends of each norm.
NORMS_68 = {
    'outer_eyes': ((36,), (45,)),
    'pupils': (tuple(range(36, 42)), tuple(range(42, 48))),
}


def norm_lengths(truth: np.ndarray, norm: str) -> np.ndarray:
    """What errors are divided by, in pixels, one number a frame.

    Args:
        truth (np.ndarray): True landmarks, shape (N, 68, 2).
        norm (str): ``'outer_eyes'``: distance of the outer eye corners (36,
            45); ``'pupils'``: distance of the centres of the six marks of
            either eye; ``'box'``: sqrt(w * h) of the marks' extent.

    Returns:
        np.ndarray: Shape (N,).

    Raises:
        ValueError: for another norm.
    """
    if norm == 'box':
        return np.sqrt(np.prod(truth.max(1) - truth.min(1), axis=-1))
    if norm not in NORMS_68:
        known = ', '.join([*NORMS_68, 'box'])
        raise ValueError(f'norm {norm!r} is not one of {known}')
    left, right = NORMS_68[norm]
    ends = [truth[:, list(points)].mean(1) for points in (left, right)]
    return np.linalg.norm(ends[0] - ends[1], axis=-1)


def frame_errors(
    prediction: np.ndarray,
    truth: np.ndarray,
    visible: np.ndarray,
    norm: str = 'outer_eyes',
) -> np.ndarray:
    """Normalised mean error of each frame, in percent.

    The mean over the annotated points of the distance to the truth, over the
    length of the norm. A frame without an annotated point, or whose norm is
    zero, has no error: NaN.

    Args:
        prediction (np.ndarray): Shape (N, K, 2), pixels.
        truth (np.ndarray): Shape (N, K, 2), pixels.
        visible (np.ndarray): Shape (N, K), true where a point is annotated.
        norm (str): As for :func:`norm_lengths`.

    Returns:
        np.ndarray: Shape (N,).
    """
    distance = np.linalg.norm(prediction - truth, axis=-1)
    visible = visible.astype(bool)
    count = visible.sum(1)
    length = norm_lengths(truth, norm)
    valid = (count > 0) & (length > 0)
    total = np.where(visible, distance, 0).sum(1)
    errors = np.full(len(truth), np.nan)
    errors[valid] = 100 * total[valid] / count[valid] / length[valid]
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
