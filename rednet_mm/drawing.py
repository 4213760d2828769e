"""Landmarks on frames, frames on a sheet."""

from typing import Optional, Sequence

import cv2
import numpy as np

from rednet_mm.datasets.metainfo import FACE_7, FACE_21, FACE_68

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
    """Frames side by side on one picture.

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
