"""How steadily landmarks follow a face through a video.

Letters: N rows of records, P measured points. Only rows of one track with
consecutive frame numbers are taken together.
"""

from dataclasses import dataclass

import numpy as np

# Below this speed, as a share of the face's size a frame, nothing moves and
# there is nothing to lag behind; in pixels of a face of 200 it is 0.2.
LEAST_SPEED = 1e-3

# Rows that are looked at in one go, or one track where that is longer.
PART = 2048

# The face's side in the unit of normalised mean flicker, pixels.
FLICKER_SIDE = 256

# Frames of a track without which its lag is not told.
LEAST_FRAMES = 5


@dataclass(frozen=True)
class Stability:
    """Steadiness of N rows, NaN where it is not defined.

    Attributes:
        motion (np.ndarray): (N,), error of motion from this row's frame to
            the next one, percent of the face's size.
        acceleration (np.ndarray): (N,), of the predictions, same unit.
        true_acceleration (np.ndarray): (N,), of the truth, same unit.
        lag (np.ndarray): (number of tracks,), frames, positive where the
            predictions come late.
        nmf (np.ndarray): (number of tracks,), normalised mean flicker.
    """

    motion: np.ndarray
    acceleration: np.ndarray
    true_acceleration: np.ndarray
    lag: np.ndarray
    nmf: np.ndarray


def stability(
    prediction: np.ndarray,
    truth: np.ndarray,
    visible: np.ndarray,
    sizes: np.ndarray,
    tracks: np.ndarray,
    frame_ids: np.ndarray,
) -> Stability:
    """Error of motion, acceleration and lag.

    * Error of motion: 100 * |d_t - d_{t+1}| / s, with d = truth -
      prediction and s the face's size in frame t; mean over the points.
    * Acceleration: 100 * |p_{t-1} - 2 p_t + p_{t+1}| / s likewise.
    * Lag of a track: predictions that come L frames late are off by -L times
      the velocity, so L is minus the slope of the regression of the error
      p_t - g_t on the true velocity (g_{t+1} - g_{t-1}) / 2, all points and
      both coordinates in one, each with an intercept of its own (a point
      that is always a little off is not late). NaN for a track that hardly
      moves, or moves evenly: there a lag cannot be told from an offset.
    * Normalised mean flicker (NMF) of a track, in the scale of its authors'
      code (video_NMJ of polo5/LDEQ_RwR): 100 * |d_t - d_{t+1}| for a face of
      256 pixels, root mean square over points and frames; s is that of
      frame t+1. Micaelli et al., "Recurrence without Recurrence: Stable
      Video Landmark Detection with Deep Equilibrium Models", CVPR 2023.

    Args:
        prediction (np.ndarray): (N, P, 2), pixels.
        truth (np.ndarray): (N, P, 2), pixels.
        visible (np.ndarray): (N, P), true where annotated.
        sizes (np.ndarray): (N,), sqrt(w * h) of the face, pixels.
        tracks (np.ndarray): (N,), numbers from 0.
        frame_ids (np.ndarray): (N,).
    """
    order = np.lexsort((frame_ids, tracks))
    motion, acceleration, true_acceleration = np.full((3, len(tracks)), np.nan)
    lag, nmf = np.full((2, int(tracks.max()) + 1), np.nan)
    found = Stability(motion, acceleration, true_acceleration, lag, nmf)
    for rows in _parts(order, tracks):
        follows = np.diff(frame_ids[rows]) == 1
        follows &= np.diff(tracks[rows]) == 0
        _fill(
            found,
            rows,
            follows,
            prediction[rows],
            truth[rows],
            visible[rows],
            sizes[rows],
            tracks[rows],
        )
    return found


def _parts(order: np.ndarray, tracks: np.ndarray) -> list[np.ndarray]:
    """Sorted rows in parts of whole tracks, so that memory stays small."""
    starts = np.flatnonzero(np.diff(tracks[order], prepend=-1))
    # The first track that begins in each stretch of so many rows.
    _, first = np.unique(starts // PART, return_index=True)
    return np.split(order, starts[first][1:])


def _fill(
    found: Stability,
    rows: np.ndarray,
    follows: np.ndarray,
    prediction: np.ndarray,
    truth: np.ndarray,
    visible: np.ndarray,
    sizes: np.ndarray,
    tracks: np.ndarray,
) -> None:
    """What is found of n rows of whole tracks, in order.

    Args:
        found (Stability): Is filled.
        rows (np.ndarray): (n,), where they are in it.
        follows (np.ndarray): (n - 1,), whether the next row is the next
            frame of the same track.
        prediction (np.ndarray): (n, P, 2).
        truth (np.ndarray): (n, P, 2).
        visible (np.ndarray): (n, P).
        sizes (np.ndarray): (n,).
        tracks (np.ndarray): (n,).
    """
    first = np.flatnonzero(follows)
    middle = np.flatnonzero(follows[1:] & follows[:-1]) + 1
    error = prediction - truth
    change = error[first + 1] - error[first]
    both = visible[first] & visible[first + 1]
    found.motion[rows[first]] = _relative(change, both, sizes[first])
    moved, flicker = _flicker(change, both, sizes[first + 1], tracks[first])
    found.nmf[moved] = flicker
    seen = visible[middle - 1] & visible[middle] & visible[middle + 1]
    for out, marks in (
        (found.acceleration, prediction),
        (found.true_acceleration, truth),
    ):
        second = marks[middle - 1] - 2 * marks[middle] + marks[middle + 1]
        out[rows[middle]] = _relative(second, seen, sizes[middle])
    velocity = (truth[middle + 1] - truth[middle - 1]) / 2
    told, lags = _lags(
        error[middle], velocity, seen, sizes[middle], tracks[middle]
    )
    found.lag[told] = lags


def _relative(
    vectors: np.ndarray, seen: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Mean length of vectors (n, P, 2) over seen points, % of the size."""
    lengths = np.where(seen, np.linalg.norm(vectors, axis=-1), 0)
    with np.errstate(invalid='ignore', divide='ignore'):
        mean = 100 * lengths.sum(1) / seen.sum(1) / sizes
    mean[~np.isfinite(mean)] = np.nan
    return mean


def _flicker(
    change: np.ndarray,
    seen: np.ndarray,
    sizes: np.ndarray,
    tracks: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Tracks and their NMF, from changes of the error (n, P, 2) by track."""
    square = (change**2).sum(-1) / (sizes[:, None] / FLICKER_SIDE) ** 2
    known = seen & np.isfinite(square)
    told, places = np.unique(tracks, return_inverse=True)
    total = np.bincount(places, np.where(known, square, 0).sum(1))
    count = np.bincount(places, known.sum(1))
    return told, 100 * np.sqrt(total / np.where(count > 0, count, np.nan))


def _lags(
    error: np.ndarray,
    velocity: np.ndarray,
    seen: np.ndarray,
    sizes: np.ndarray,
    tracks: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Tracks that move and their lags, from rows (n, P, 2) by track."""
    if not len(tracks):
        return np.empty(0, int), np.empty(0)
    known = (seen & np.isfinite(error).all(-1))[..., None]
    error, velocity = np.where(known, error, 0), np.where(known, velocity, 0)
    starts = np.flatnonzero(np.diff(tracks, prepend=-1))

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts)

    frames = np.diff(np.append(starts, len(tracks)))
    count = np.maximum(total(known.astype(float)), 1)  # (tracks, P, 1)
    mean = total(velocity) / count
    # Centred before it is squared: velocities are small differences.
    velocity = np.where(known, velocity - np.repeat(mean, frames, 0), 0)
    shared = total(error * velocity).sum((1, 2))
    energy = total(velocity**2).sum((1, 2))
    seen_points = total(known.astype(float)).sum((1, 2))
    known_size = np.isfinite(sizes)
    size = total(np.where(known_size, sizes, 0)) / np.maximum(
        total(known_size.astype(int)), 1
    )
    with np.errstate(invalid='ignore', divide='ignore'):
        speed = np.sqrt(energy / seen_points) / size
        found = -shared / energy
    enough = total(known.any((1, 2)).astype(int)) >= LEAST_FRAMES
    told = enough & (speed > LEAST_SPEED)
    return tracks[starts[told]], found[told]
