"""Followed faces on the frames of a film."""

import cv2
import numpy as np

from rednet_mm.drawing import draw_keypoints

from .tracker import TrackedFace


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
