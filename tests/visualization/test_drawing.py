"""Images of faces and of many frames."""

from __future__ import annotations

import numpy as np
import pytest
from builders import face_shape

from rednet_mm.apis import (
    FrameSample,
    TrackedFace,
    Trajectories,
    contact_sheet,
    draw_face,
    draw_maps,
)
from rednet_mm.tracking.boxes import bbox_from_keypoints


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
    face = TrackedFace(7, bbox_from_keypoints(marks), marks, np.ones(68))
    draw_face(frame, face)
    columns, rows = np.round(marks).astype(int).T
    assert (frame[rows, columns].max(1) > 60).all()
    # Lips are red, BGR: red is last.
    blue, _, red = frame[rows[51], columns[51]].astype(int)
    assert red > blue
    # Between eye and jaw nothing is drawn.
    assert not frame[rows[36] + 10, columns[36]].any()


def test_maps_lie_where_the_crop_was():
    # A response at map pixel (x 2, y 1) of 5 x 5 over a crop from (10, 20)
    # to (50, 60): ten frame pixels a map pixel, so at (30, 30).
    maps = np.zeros((2, 5, 5), np.float32)
    maps[1, 1, 2] = 1
    face = TrackedFace(
        0,
        np.zeros(4),
        np.zeros((68, 2)),
        np.ones(68),
        maps=maps,
        crop=np.array([10.0, 20, 40, 40]),
    )
    image = np.full((80, 96, 3), 100, np.uint8)
    draw_maps(image, face)
    changed = (image != 100).any(-1)
    assert changed[30, 30]
    rows, columns = np.nonzero(changed)
    assert (rows.min() > 20) and (rows.max() < 40)
    assert (columns.min() > 20) and (columns.max() < 40)
    # Without maps there is nothing to draw.
    plain = np.full((80, 96, 3), 100, np.uint8)
    draw_maps(plain, TrackedFace(0, np.zeros(4), np.zeros((68, 2)), maps))
    assert (plain == 100).all()


def test_trajectories_are_as_long_as_a_trail():
    trails = Trajectories()
    for number in range(120):
        marks = np.full((68, 2), 10.0) + (number, 0)
        image = np.zeros((20, 160, 3), np.uint8)
        trails.draw(image, [TrackedFace(3, marks[0], marks, np.ones(68))])
    columns = np.flatnonzero(image.any((0, 2)))
    # The last is at 129, the one 49 frames before at 80.
    assert abs(columns.min() - 80) <= 1
    assert abs(columns.max() - 129) <= 1
    # One that is gone for as long is forgotten.
    for _ in range(60):
        trails.draw(image, [])
    image = np.zeros((20, 160, 3), np.uint8)
    trails.draw(image, [TrackedFace(3, marks[0], marks, np.ones(68))])
    assert np.count_nonzero(image.any((0, 2))) <= 3


@pytest.mark.parametrize('count', [1, 5, 16, 17, 500])
def test_sample_is_even_and_small(count):
    sample = FrameSample(4)
    for number in range(count):
        sample.add(np.full((1, 1), number, np.int64))
        assert len(sample._kept) < 16
    numbers = [int(each[0, 0]) for each in sample.frames()]
    assert len(numbers) == min(count, 4)
    assert numbers[0] == 0
    gaps = np.diff(numbers)
    # Even, but for the step of what is kept (at most a fourth of a gap).
    assert count < 5 or gaps.max() <= 2 * gaps.min()
    assert numbers[-1] >= count * 3 // 4 - 1
