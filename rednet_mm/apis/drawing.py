"""Landmarks on frames, frames on a sheet."""

from typing import Sequence

import cv2
import numpy as np

from rednet_mm.datasets.metainfo import PARTS_68

from .tracker import TrackedFace

# Coordinates are drawn in 1/16 of a pixel.
_SHIFT = 4


def draw_face(frame: np.ndarray, face: TrackedFace) -> None:
    """Draw box, id and the connected parts of a face onto a frame.

    Args:
        frame (np.ndarray): Shape (H, W, 3), BGR, uint8; drawn upon.
        face (TrackedFace): With 68 landmarks.
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
    points = np.round(face.keypoints * 2**_SHIFT).astype(np.int32)
    for _, first, last, closed, (red, green, blue) in PARTS_68:
        cv2.polylines(
            frame,
            [points[first : last + 1]],
            closed,
            (blue, green, red),
            thickness,
            cv2.LINE_AA,
            _SHIFT,
        )


def contact_sheet(
    frames: Sequence[np.ndarray], columns: int = 4, width: int = 240
) -> np.ndarray:
    """Frames side by side on one picture.

    Args:
        frames (Sequence[np.ndarray]): Frames (H, W, 3) of one size.
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
