"""The 68 keypoints of iBUG on the 468 vertices of MediaPipe's FaceMesh.

The vertices are those of the named contours of
``mediapipe.solutions.face_mesh_connections``. Contours are written from the
image's left to its right, or from top to bottom. Where iBUG spaces marks
evenly along a contour (jaw, bridge of the nose) the same is done here; else
keypoints are vertices.
"""

from __future__ import annotations

import numpy as np

# FACEMESH_FACE_OVAL below the temples: to the chin (152) and up again.
JAW = (
    127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152,
    377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356,
)  # fmt: skip
# FACEMESH_NOSE, between the eyes to the tip.
BRIDGE = (168, 6, 197, 195, 5, 4)

# FACEMESH_RIGHT_EYEBROW and LEFT (the person's), upper lines.
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
# FACEMESH_NOSE: wings, and below the tip.
NOSTRILS = (98, 97, 2, 326, 327)
# FACEMESH_RIGHT_EYE and LEFT: corner, upper lid, corner, lower lid.
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
# FACEMESH_LIPS, outer and inner: corner, upper lip, corner, lower lip.
OUTER_LIP = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
INNER_LIP = (78, 82, 13, 312, 308, 317, 14, 87)

VERTICES = 468


def keypoints_of_mesh(mesh: np.ndarray) -> np.ndarray:
    """iBUG's keypoints on a mesh.

    Args:
        mesh: Vertices of shape (468, 2), pixels.

    Returns:
        Keypoints of shape (68, 2), pixels.
    """
    return np.concatenate(
        [
            evenly_along(mesh[list(JAW)], 17),
            mesh[list(BROWS)],
            evenly_along(mesh[list(BRIDGE)], 4),
            mesh[list(NOSTRILS + EYES + OUTER_LIP + INNER_LIP)],
        ]
    )


def evenly_along(line: np.ndarray, count: int) -> np.ndarray:
    """Points at equal distances along a line, its ends among them.

    Args:
        line: Corners of shape (N, 2).
        count: How many points.

    Returns:
        Points of shape (count, 2).
    """
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    way = np.concatenate([[0], np.cumsum(steps)])
    places = np.linspace(0, way[-1], count)
    return np.stack([np.interp(places, way, axis) for axis in line.T], 1)
