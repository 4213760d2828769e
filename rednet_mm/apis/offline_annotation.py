"""Annotation of a clean video when there is time: many looks at each face,
and a smoother that sees the frames behind as well as those before.

Letters: T frames, F faces, V views of a face, K keypoints.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import cv2
import numpy as np
from scipy.signal import savgol_filter

from rednet_mm.datasets.metainfo import FLIP_PAIRS_7, FLIP_PAIRS_68
from rednet_mm.shape_filter import place, turn_and_scale

from .crops import box_of
from .network import FaceNetwork
from .track_state import TrackState
from .tracker import LandmarkTracker

# Scale of the crop, its turn in degrees, and its shift as shares of its
# side. Each is taken as it is and in a mirror.
VIEWS = (
    (1.0, 0.0, 0.0, 0.0),
    (0.9, 8.0, 0.02, -0.02),
    (1.12, -8.0, -0.02, 0.02),
)

# Order of the polynomial that is fitted to the frames around each.
ORDER = 3

# Frames over which the motion of the head is smoothed.
MOTION_WINDOW = 5

# What the smoothing of motion may take for noise, share of the face's size.
MOTION_NOISE = 0.01

_FLIPS = {68: FLIP_PAIRS_68, 7: FLIP_PAIRS_7}


@dataclass(frozen=True)
class OfflineSettings:
    """When a frame is trusted, and how strongly it is smoothed.

    Args:
        window (int): Frames that decide on the keypoints of the one in the
            middle, odd. Defaults to 7.
        max_disagreement (float): Views of one face differ at most by so
            much: standard deviation, mean over the keypoints, as a share of
            the face's size. Defaults to 0.025.
        max_residual (float): What smoothing moves keypoints by at most, in
            the mean and in the same unit; more is doubt. Defaults to 0.015.
        max_jump (float): A face that moves farther from a frame to the next
            is cut there, same unit. Defaults to 0.3.
        min_size (float): Faces smaller than this, in pixels, are left out.
            Defaults to 32.
        edge (float): Share of the keypoints that may lie outside the image.
            Defaults to 0.05.
    """

    window: int = 7
    max_disagreement: float = 0.025
    max_residual: float = 0.015
    max_jump: float = 0.3
    min_size: float = 32.0
    edge: float = 0.05


@dataclass(frozen=True)
class SeenFace:
    """A face in one frame, before smoothing.

    Args:
        frame (int): 0-based number of the frame.
        face (int): Id of its track.
        keypoints (np.ndarray): Mean over the views, (K, 2), pixels.
        disagreement (float): Of the views, share of the face's size.
        inside (bool): Whether its keypoints are in the image.
    """

    frame: int
    face: int
    keypoints: np.ndarray
    disagreement: float
    inside: bool

    @property
    def size(self) -> float:
        """sqrt(w * h) of the extent of the keypoints, pixels."""
        return face_size(self.keypoints)


@dataclass(frozen=True)
class OfflineFace:
    """An annotated face: frame, track, keypoints (K, 2) in pixels."""

    frame: int
    face: int
    keypoints: np.ndarray


def face_size(keypoints: np.ndarray) -> float:
    """sqrt(w * h) of the extent of keypoints (K, 2)."""
    return float(np.sqrt(np.prod(np.ptp(keypoints, axis=0))))


def look_again(
    network: FaceNetwork[Any], frame: np.ndarray, keypoints: np.ndarray
) -> np.ndarray:
    """Find the keypoints of a face anew in several crops and mirrors.

    Crops are turned so that the eyes are level.

    Args:
        network (FaceNetwork): Finds keypoints in crops.
        frame (np.ndarray): (H, W, 3), BGR, uint8.
        keypoints (np.ndarray): About where they are, (K, 2).

    Returns:
        np.ndarray: (V, K, 2), pixels of the frame.
    """
    width, height = network.input_size
    box = box_of(keypoints)
    side = box[2] * network.padding
    center = box[:2] + box[2:] / 2
    pairs = _FLIPS.get(network.num_keypoints)
    level = _roll(keypoints)
    matrices, crops = [], []
    for scale, turn, x, y in VIEWS:
        matrix = _crop_to_frame(
            center + side * np.array([x, y]),
            side * scale,
            level + turn,
            (width, height),
        )
        crop = cv2.warpAffine(
            frame,
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        matrices.append(matrix)
        crops.append(crop)
        if pairs is not None:
            # To and fro: column x of the mirror is W - 1 - x of the crop.
            mirror = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1.0]])
            matrices.append(matrix @ mirror)
            crops.append(crop[:, ::-1])
    result, _ = network.run(
        np.ascontiguousarray(crops), [None] * len(crops)
    )
    found = np.asarray(result.keypoints, float)
    if pairs is not None:
        order = np.arange(network.num_keypoints)
        for one, other in pairs:
            order[[one, other]] = other, one
        found[1::2] = found[1::2][:, order]
    affine = np.stack(matrices)
    return (
        np.einsum('vij,vkj->vki', affine[:, :, :2], found)
        + affine[:, None, :, 2]
    )


def _roll(keypoints: np.ndarray) -> float:
    """Degrees by which the line through the eyes is turned, clockwise."""
    if len(keypoints) == 68:
        way = keypoints[42:48].mean(0) - keypoints[36:42].mean(0)
    elif len(keypoints) == 7:
        way = keypoints[2:4].mean(0) - keypoints[:2].mean(0)
    else:
        return 0.0
    return float(np.degrees(np.arctan2(way[1], way[0])))


def _crop_to_frame(
    center: np.ndarray, side: float, degrees: float, size: tuple[int, int]
) -> np.ndarray:
    """(2, 3): pixels of a turned square crop as pixels of the frame."""
    angle = np.radians(degrees)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    linear = turn * (side / (np.array(size) - 1))
    middle = (np.array(size) - 1) / 2
    return np.column_stack([linear, center - linear @ middle])


def look_through(
    tracker: LandmarkTracker[Any],
    frames: Iterable[np.ndarray],
) -> Iterator[list[SeenFace]]:
    """Follow the faces of a video and look at each several times.

    Args:
        tracker (LandmarkTracker): Without smoothing.
        frames (Iterable[np.ndarray]): (H, W, 3), BGR, uint8.

    Yields:
        list[SeenFace]: The faces of each frame.
    """
    state: TrackState[Any] = tracker.init_state()
    for number, frame in enumerate(frames):
        faces, state = tracker.step(frame, state)
        size = np.array(frame.shape[1::-1])
        seen = []
        for face in faces:
            views = look_again(tracker.network, frame, face.keypoints)
            keypoints = views.mean(0)
            off = ((keypoints < 0) | (keypoints > size - 1)).any(-1)
            spread = np.sqrt(((views - keypoints) ** 2).sum(-1).mean(0))
            seen.append(
                SeenFace(
                    number,
                    face.id,
                    keypoints,
                    float(spread.mean() / face_size(keypoints)),
                    bool(off.mean() <= OfflineSettings.edge),
                )
            )
        yield seen


def settle(
    faces: Sequence[SeenFace], settings: Optional[OfflineSettings] = None
) -> tuple[list[OfflineFace], dict[str, int]]:
    """Smooth tracks over time, both ways, and leave out what is doubtful.

    See :func:`smooth_track`.

    Args:
        faces (Sequence[SeenFace]): Of a whole video.
        settings (OfflineSettings, optional): Defaults to the usual ones.

    Returns:
        tuple: The faces that are trusted, by frame; and how many were left
        out, by reason.
    """
    settings = settings or OfflineSettings()
    left_out = dict.fromkeys(('small', 'outside', 'views', 'short', 'time'), 0)
    trusted: dict[int, list[SeenFace]] = {}
    for face in faces:
        why = _doubt(face, settings)
        if why:
            left_out[why] += 1
        else:
            trusted.setdefault(face.face, []).append(face)
    found = []
    for track in trusted.values():
        for run in _runs(track, settings):
            if len(run) < settings.window:
                left_out['short'] += len(run)
                continue
            raw = np.stack([face.keypoints for face in run])
            smooth = smooth_track(raw, settings.window)
            moved = np.linalg.norm(smooth - raw, axis=-1).mean(-1)
            sizes = np.array([face.size for face in run])
            for face, keypoints, share in zip(run, smooth, moved / sizes):
                if share > settings.max_residual:
                    left_out['time'] += 1
                else:
                    found.append(OfflineFace(face.frame, face.face, keypoints))
    found.sort(key=lambda face: (face.frame, face.face))
    return found, left_out


def smooth_track(keypoints: np.ndarray, window: int) -> np.ndarray:
    """Smooth the keypoints of a face, with the frames before and behind.

    By Savitzky and Golay: a cubic through the frames around each one. It
    does not lag, and follows what lasts for some frames, as a blink does.
    The shape is smoothed over the window, the motion of the head, which is
    faster and of which all keypoints tell, over fewer frames.

    Args:
        keypoints (np.ndarray): (T, K, 2), pixels, T at least the window.
        window (int): Frames, odd, at least 5.

    Returns:
        np.ndarray: (T, K, 2).
    """
    middles = keypoints.mean(1)  # (T, 2)
    centred = keypoints - middles[:, None]
    first = centred[len(centred) // 2]
    turns = np.array([turn_and_scale(first, each) for each in centred])
    shapes = np.stack(
        [place(each, 1 / turn) for each, turn in zip(centred, turns)]
    )
    shapes = savgol_filter(shapes, window, ORDER, axis=0)
    # x, y of the middle and, as lengths, those of turn and scale: (T, 4).
    size = face_size(first)
    motion = np.column_stack([middles, size * turns.real, size * turns.imag])
    change = savgol_filter(motion, MOTION_WINDOW, ORDER, axis=0) - motion
    # The head is faster than the filter where it would change much.
    far = np.linalg.norm(change, axis=1) / (MOTION_NOISE * size)
    motion += change * np.maximum(1 - far, 0)[:, None]
    return np.stack(
        [
            place(shape, complex(x, y) / size) + middle
            for shape, (*middle, x, y) in zip(shapes, motion)
        ]
    )


def _doubt(face: SeenFace, settings: OfflineSettings) -> Optional[str]:
    if not face.inside:
        return 'outside'
    if face.size < settings.min_size:
        return 'small'
    if face.disagreement > settings.max_disagreement:
        return 'views'
    return None


def _runs(
    track: Sequence[SeenFace], settings: OfflineSettings
) -> Iterator[list[SeenFace]]:
    """Parts of a track without gaps and cuts."""
    run = [track[0]]
    for last, face in zip(track, track[1:]):
        way = np.linalg.norm(face.keypoints - last.keypoints, axis=-1).mean()
        if face.frame != last.frame + 1 or way > settings.max_jump * face.size:
            yield run
            run = []
        run.append(face)
    yield run
