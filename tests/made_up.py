"""Made-up systems on made-up data, for the tests of this folder."""

from __future__ import annotations

import numpy as np
from builders import face_shape

from rednet_mm.evaluation.records import records_from_rows


def rows_of(prediction, truth, visible=None, **fields):
    """Rows of N faces, (N, K, 2); every field may be a list of N."""
    rows = []
    for n in range(len(truth)):
        row = dict(
            points=tuple(range(truth.shape[1])),
            prediction=prediction[n],
            truth=truth[n],
            visible=np.ones(truth.shape[1], bool)
            if visible is None
            else visible[n].astype(bool),
            box=np.array([0, 0, 10, 10.0]),
            scores=None,
            path=f'data/v/{n:04d}.jpg',
            face='0',
            track=('v', 0),
            video='v',
            frame_id=n,
            category=None,
            group=None,
            yaw=None,
            box_size=None,
            reinit=False,
        )
        for key, value in fields.items():
            row[key] = value[n] if isinstance(value, list) else value
        rows.append(row)
    return rows


def stills_of(prediction, truth, name='still', **fields):
    """Records of N still images."""
    return records_from_rows(
        rows_of(prediction, truth, track=None, video=None, **fields), name
    )


def videos_of(prediction, truth, lengths, name='videos', **fields):
    """Records of videos of these lengths, N frames in all."""
    places = [(v, f) for v, n in enumerate(lengths) for f in range(n)]
    return records_from_rows(
        rows_of(
            prediction,
            truth,
            path=[f'data/{v:02d}/{f:04d}.jpg' for v, f in places],
            track=[(v, 0) for v, _ in places],
            video=[v for v, _ in places],
            frame_id=[f for _, f in places],
            **fields,
        ),
        name,
    )


def random_faces(n, seed=0, spread=4.0):
    """Truth (n, 68, 2) of various size and place, and a prediction."""
    rng = np.random.default_rng(seed)
    truth = face_shape(100) * rng.uniform(0.5, 2, (n, 1, 1))
    truth = truth + rng.uniform(-50, 50, (n, 1, 2))
    off = rng.normal(0, 1, truth.shape) * rng.uniform(0, spread, (n, 1, 1))
    return truth + off, truth
