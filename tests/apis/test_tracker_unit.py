"""Boxes from landmarks and pictures of faces, without a network."""

from __future__ import annotations

import numpy as np
import pytest
from builders import face_shape

from rednet_mm.apis import TrackedFace, contact_sheet, draw_face
from rednet_mm.apis.tracker import box_of, whole_frame


def test_box_of_by_hand():
    # Extent x 10 to 30, y 5 to 45: the larger side is 40, the middle
    # (20, 25), so the square begins at (0, 5).
    marks = np.array([[10.0, 20], [30, 5], [20, 45]])
    assert box_of(marks).tolist() == [0, 5, 40, 40]
    # Wider than high: extent 40 x 20 round (30, 10).
    wide = np.array([[10.0, 0], [50, 20]])
    assert box_of(wide).tolist() == [10, -10, 40, 40]


def test_box_moves_and_grows_with_the_face():
    marks = face_shape(64)
    x, y, w, h = box_of(marks)
    assert w == h > 0
    np.testing.assert_allclose(
        box_of(2 * marks + (5, -3)), [2 * x + 5, 2 * y - 3, 2 * w, 2 * h]
    )


def test_whole_frame_is_one_box():
    assert whole_frame(np.zeros((48, 64, 3))).tolist() == [[0, 0, 64, 48]]


@pytest.mark.parametrize(
    # Frames of 64 x 48 at a width of 32 are 24 high.
    ('count', 'columns', 'shape'),
    [
        (1, 1, (24, 32, 3)),
        (3, 3, (24, 96, 3)),
        (5, 4, (48, 128, 3)),
        (2, 4, (24, 128, 3)),
    ],
)
def test_contact_sheet_shape(count, columns, shape):
    frames = [np.full((48, 64, 3), 40 + i, np.uint8) for i in range(count)]
    sheet = contact_sheet(frames, columns, width=32)
    assert sheet.shape == shape
    assert sheet.dtype == np.uint8
    # Frame i in row i // columns, column i % columns; the rest is black.
    tiles = sheet[::24, ::32, 0].ravel()
    assert tiles[:count].tolist() == [40 + i for i in range(count)]
    assert not tiles[count:].any()


def test_draw_face_draws_on_the_marks():
    frame = np.zeros((96, 96, 3), np.uint8)
    marks = face_shape(96)
    face = TrackedFace(7, box_of(marks), marks, np.ones(68))
    draw_face(frame, face)
    columns, rows = np.round(marks).astype(int).T
    assert (frame[rows, columns].max(1) > 60).all()
    # Lips are red, BGR: red is last.
    blue, _, red = frame[rows[51], columns[51]].astype(int)
    assert red > blue
    # Between eye and jaw nothing is drawn.
    assert not frame[rows[36] + 10, columns[36]].any()
