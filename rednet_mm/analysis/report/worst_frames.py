"""The worst frames of a system, drawn.

Letters: N frames, K predicted landmarks.
"""

from typing import Any, Optional, Sequence

import cv2
import numpy as np

from rednet_mm.datasets import LoadVideoFrame
from rednet_mm.evaluation.records import LandmarkRecords
from rednet_mm.visualization.drawing import SCHEMES, draw_keypoints

# RGB; blue and orange stay apart for every eye, and on skin.
TRUTH, PREDICTION = (70, 200, 255), (255, 130, 40)

# An image's side, pixels; how much wider it is than face and landmarks.
SIDE, MARGIN = 320, 1.3


def worst_rows(
    errors: np.ndarray, tracks: np.ndarray, count: int
) -> np.ndarray:
    """The frames with the largest finite errors, one of each track.

    Args:
        errors (np.ndarray): Shape (N,).
        tracks (np.ndarray): The track of each frame, shape (N,).
        count (int): How many at the most.

    Returns:
        np.ndarray: Rows, the worst first.
    """
    rows = np.flatnonzero(np.isfinite(errors))
    rows = rows[np.argsort(-errors[rows], kind='stable')]
    _, first = np.unique(tracks[rows], return_index=True)
    return rows[np.sort(first)[:count]]


def one_colour(metainfo: dict, colour: Sequence[int]) -> dict[str, Any]:
    """A scheme whose points and lines all have one colour, RGB."""
    return {
        part: {
            i: {**each, 'color': list(colour)}
            for i, each in metainfo[part].items()
        }
        for part in ('keypoint_info', 'skeleton_info')
    }


def draw_row(
    records: LandmarkRecords, row: int, load: LoadVideoFrame
) -> Optional[np.ndarray]:
    """A frame's face with its predicted and true landmarks.

    Args:
        records (LandmarkRecords): Of a system.
        row (int): The frame.
        load (LoadVideoFrame): Reads the frame; it keeps videos open.

    Returns:
        np.ndarray or None: Shape (SIDE, SIDE, 3), BGR; None where the image
        cannot be read.
    """
    loaded = load(dict(img_path=records.image_paths[row]))
    if loaded is None:
        return None
    seen = records.visible[row]
    places = np.full(records.truth[row].shape, np.nan)
    places[list(records.points)] = records.prediction[row]
    given = np.isfinite(places).all(-1)
    truth = np.where(seen[:, None], records.truth[row], np.nan)
    matrix = _crop(np.concatenate([truth[seen], places[given]]))
    picture = cv2.warpAffine(
        loaded['img'], matrix, (SIDE, SIDE), flags=cv2.INTER_AREA
    )
    for keypoints, shown, colour in (
        (truth, seen, TRUTH),
        (places, given, PREDICTION),
    ):
        draw_keypoints(
            picture,
            np.nan_to_num(keypoints) @ matrix[:, :2].T + matrix[:, 2],
            shown,
            one_colour(SCHEMES[len(keypoints)], colour),
        )
    return picture


def _crop(points: np.ndarray) -> np.ndarray:
    """The matrix (2, 3) that takes a square round points to the image."""
    low, high = points.min(0), points.max(0)
    scale = SIDE / max(MARGIN * (high - low).max(), 1.0)
    shift = SIDE / 2 - scale * (low + high) / 2
    return np.column_stack([scale * np.eye(2), shift])
