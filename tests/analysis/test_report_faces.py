"""The mean face, and the worst frames that are drawn."""

from __future__ import annotations

import numpy as np
from builders import face_shape

from rednet_mm.analysis.report import mean_face, worst_frames


def turned(points, degrees):
    angle = np.deg2rad(degrees)
    matrix = [
        [np.cos(angle), -np.sin(angle)],
        [np.sin(angle), np.cos(angle)],
    ]
    return points @ np.transpose(matrix)


def test_mean_face_forgets_turn_size_and_place():
    face = face_shape(64).astype(float)
    eyes = np.linalg.norm(face[45] - face[36])
    truth = np.stack([face, 3 * turned(face, 30) + (50, -20)])
    seen = np.ones((2, 68), bool)
    mean = mean_face.mean_face(truth, seen, np.array([eyes, 3 * eyes]))
    np.testing.assert_allclose(
        mean[[36, 45]], [[-0.5, 0], [0.5, 0]], atol=1e-9
    )
    # The eyes of the model face are level.
    middle = (face[36] + face[45]) / 2
    np.testing.assert_allclose(mean, (face - middle) / eyes, atol=1e-9)


def test_mean_face_leaves_out_what_is_not_annotated():
    face = face_shape(64).astype(float)
    truth = np.stack([face, face + 1000, face])
    seen = np.ones((3, 68), bool)
    # The second face has no eye corner, nobody has a chin, and the third
    # face's nose is somewhere.
    seen[1, 36] = False
    seen[:, 8] = False
    seen[2, 30] = False
    truth[2, 30] = -9999
    mean = mean_face.mean_face(truth, seen, np.ones(3))
    assert np.isnan(mean[8]).all()
    np.testing.assert_allclose(mean[30], face[30] - face[[36, 45]].mean(0))


def test_worst_rows_one_a_track():
    #                  track 0          track 1     track 2
    errors = np.array([9, 8, 1, np.inf, 3, 5, 2, np.nan, 7])
    tracks = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    assert worst_frames.worst_rows(errors, tracks, 5).tolist() == [0, 8, 5]
    assert worst_frames.worst_rows(errors, tracks, 2).tolist() == [0, 8]
