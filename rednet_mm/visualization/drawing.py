"""Landmarks on frames, frames on a sheet."""

from collections import deque
from typing import Optional, Sequence

import cv2
import numpy as np

from rednet_mm.datasets.metainfo import FACE_7, FACE_21, FACE_68
from rednet_mm.tracking.track_state import TrackedFace

# Coordinates are drawn in 1/16 of a pixel.
_SHIFT = 4

# Schemes by number of landmarks.
SCHEMES = {7: FACE_7, 21: FACE_21, 68: FACE_68}


def draw_keypoints(
    frame: np.ndarray,
    keypoints: np.ndarray,
    visible: Optional[np.ndarray] = None,
    metainfo: Optional[dict] = None,
    thickness: int = 1,
) -> None:
    """Draw the connected parts of a face, each in its colour.

    A landmark to which no line leads is a dot.

    Args:
        frame (np.ndarray): Shape (H, W, 3), BGR, uint8; drawn upon.
        keypoints (np.ndarray): Shape (K, 2), pixels of the frame.
        visible (np.ndarray, optional): Shape (K,); where it is 0 the
            landmark and its lines are left out. Defaults to all.
        metainfo (dict, optional): MMPose's metainfo of the landmarks.
            Defaults to that of 7, 21 or 68 of them; others are gray dots.
        thickness (int): Of the lines, pixels. Defaults to 1.
    """
    if metainfo is None:
        metainfo = SCHEMES.get(len(keypoints), {})
    points = np.round(np.asarray(keypoints) * 2**_SHIFT).astype(np.int32)
    alone = np.full(len(points), True)
    if visible is not None:
        alone &= np.asarray(visible) > 0
    shown = alone.copy()
    info = metainfo.get('keypoint_info', {})
    place = {each['name']: i for i, each in info.items()}
    for line in metainfo.get('skeleton_info', {}).values():
        one, two = (place[name] for name in line['link'])
        if shown[one] and shown[two]:
            cv2.line(
                frame,
                points[one].tolist(),
                points[two].tolist(),
                line['color'][::-1],
                thickness,
                cv2.LINE_AA,
                _SHIFT,
            )
            alone[[one, two]] = False
    for i in np.flatnonzero(alone):
        colour = info[i]['color'] if i in info else (200, 200, 200)
        cv2.circle(
            frame,
            points[i].tolist(),
            (1 + thickness) << _SHIFT,
            tuple(colour[::-1]),
            -1,
            cv2.LINE_AA,
            _SHIFT,
        )


def contact_sheet(
    frames: Sequence[np.ndarray], columns: int = 4, width: int = 240
) -> np.ndarray:
    """Frames side by side on one image.

    Args:
        frames (Sequence[np.ndarray]): Frames (H, W, 3); the first gives the
            shape of all.
        columns (int): Frames in a row. Defaults to 4.
        width (int): Width of a frame on the sheet, pixels. Defaults to 240.

    Returns:
        np.ndarray: The sheet, (H', W', 3), uint8.
    """
    height = round(width * frames[0].shape[0] / frames[0].shape[1])
    tiles = [
        cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA)
        for each in frames
    ]
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [
        np.hstack(tiles[start : start + columns])
        for start in range(0, len(tiles), columns)
    ]
    return np.vstack(rows)


# Frames of a trajectory that are drawn.
TRAIL = 50


def draw_face(frame: np.ndarray, face: TrackedFace) -> None:
    """Draw box, id and the connected parts of a face onto a frame.

    Args:
        frame (np.ndarray): Shape (H, W, 3), BGR, uint8; drawn upon.
        face (TrackedFace): With 7, 21 or 68 landmarks.
    """
    x, y, w, h = (int(round(value)) for value in face.box)
    thickness = max(1, round(min(frame.shape[:2]) / 400))
    cv2.rectangle(frame, (x, y), (x + w, y + h), (200, 200, 200), thickness)
    cv2.putText(
        frame,
        str(face.id),
        (x + 2, y - 3),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.4 * thickness,
        (200, 200, 200),
        thickness,
        cv2.LINE_AA,
    )
    draw_keypoints(frame, face.keypoints, thickness=thickness)


def draw_maps(frame: np.ndarray, face: TrackedFace) -> None:
    """Lay the strongest response at each place over a frame, as heat.

    Args:
        frame (np.ndarray): Shape (H, W, 3), BGR, uint8; drawn upon.
        face (TrackedFace): With maps; without them nothing is drawn.
    """
    if face.maps is None or face.crop is None:
        return
    heat = (face.maps.max(0).clip(0, 1) * 255).astype(np.uint8)  # (h, w)
    x, y, w, h = face.crop
    # The centres of the corner pixels of map and crop are the same places.
    across, down = w / (heat.shape[1] - 1), h / (heat.shape[0] - 1)
    place = np.array([[across, 0, x], [0, down, y]], np.float32)
    heat = cv2.warpAffine(heat, place, frame.shape[1::-1])
    share = heat[..., None] / 255
    colours = cv2.applyColorMap(heat, cv2.COLORMAP_JET)
    frame[:] = (share * colours + (1 - share) * frame).astype(np.uint8)


class Trajectories:
    """Where the middles of faces were in the last frames."""

    def __init__(self) -> None:
        self._trails: dict[int, deque[np.ndarray]] = {}
        self._seen: dict[int, int] = {}
        self._number = 0

    def draw(self, frame: np.ndarray, faces: Sequence[TrackedFace]) -> None:
        """Go on by one frame, and draw the lines of its faces onto it.

        Args:
            frame (np.ndarray): Shape (H, W, 3), BGR, uint8; drawn upon.
            faces (Sequence[TrackedFace]): Those of the frame.
        """
        self._number += 1
        for face in faces:
            trail = self._trails.setdefault(face.id, deque(maxlen=TRAIL))
            trail.append(face.keypoints.mean(0))
            self._seen[face.id] = self._number
            points = np.round(np.array(trail) * 2**_SHIFT).astype(np.int32)
            cv2.polylines(
                frame, [points], False, (0, 200, 255), 1, cv2.LINE_AA, _SHIFT
            )
        for id_, when in list(self._seen.items()):
            if self._number - when >= TRAIL:
                del self._seen[id_], self._trails[id_]


class FrameSample:
    """A few frames of a video, evenly over it, however long it is.

    Args:
        count (int): How many, at most.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._every = 1
        self._kept: list[np.ndarray] = []
        self._number = 0

    def add(self, frame: np.ndarray) -> None:
        """See the next frame; a copy is kept of some."""
        if self._number % self._every == 0:
            self._kept.append(frame.copy())
        self._number += 1
        if len(self._kept) >= 4 * self.count:
            self._every *= 2
            self._kept = self._kept[::2]

    def frames(self) -> list[np.ndarray]:
        """The frames, in order."""
        number = min(self.count, len(self._kept))
        places = np.linspace(0, len(self._kept) - 1, number).round()
        return [self._kept[int(place)] for place in places]
