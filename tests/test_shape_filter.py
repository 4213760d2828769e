"""The shape filter: smooths expression, lets the head's motion pass."""

from __future__ import annotations

import numpy as np
import pytest
from builders import face_shape

from rednet_mm.shape_filter import FPS, ShapeFilter, similar

FACE = face_shape(100)


def moved(face: np.ndarray, degrees: float, scale: float, way) -> np.ndarray:
    angle = np.radians(degrees)
    turn = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    return scale * face @ np.array(turn) + way


def run(shape_filter: ShapeFilter, track, fps: float = FPS) -> np.ndarray:
    state, out = None, []
    for number, keypoints in enumerate(track):
        smooth, state = shape_filter.step(keypoints, number / fps, state)
        out.append(smooth)
    return np.stack(out)


def test_a_similarity_is_found():
    target = moved(FACE, 25, 1.3, (7, -9))
    np.testing.assert_allclose(similar(FACE, target), target)
    # Half of turn and scale, all of the way of the middle.
    half = moved(FACE - FACE.mean(0), 12.5, 1.3**0.5, target.mean(0))
    np.testing.assert_allclose(similar(FACE, target, 0.5), half)
    # One point has neither.
    np.testing.assert_allclose(similar(FACE[:1], target[:1]), target[:1])


def test_motion_of_the_head_passes_unfiltered():
    track = [
        moved(FACE, 3 * t, 1.02**t, (5 * t, 40 * np.sin(t))) for t in range(30)
    ]
    np.testing.assert_allclose(run(ShapeFilter(), track), track, atol=1e-9)


def test_small_changes_of_shape_by_hand():
    """A square, two of whose corners go apart by d, two together.

    The change has no part of a similarity: the middle stays, and turn and
    scale are those of the least squares, sum of z* (z + dz) / sum |z|^2. With
    corners (+-1, +-1) and dx = +d, -d, -d, +d for the corners (1, 1),
    (-1, 1), (1, -1), (-1, -1) the sum of x dx is d + d - d - d = 0 and that
    of y dx is d - d + d - d = 0: factor 1. The width is 2, and with a
    threshold of 0.5 a change of d = 0.25 is a quarter of threshold * width
    = 1: the share is 0.2 + 0.8 / 4 = 0.4.
    """
    square = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]], float)
    # The extent grows to 2 + 2 d; so the threshold is put to 1 / 2.5.
    change = np.array([[1, 0], [-1, 0], [-1, 0], [1, 0]]) * 0.25
    shape_filter = ShapeFilter(min_share=0.2, threshold=0.5)
    _, state = shape_filter.step(square, 1.0)
    smooth, state = shape_filter.step(square + change, 1 + 1 / FPS, state)
    width = np.sqrt(2.5 * 2)
    share = 0.2 + 0.8 * 0.25 / (0.5 * width)
    np.testing.assert_allclose(smooth, square + share * change)
    np.testing.assert_allclose(state.keypoints, smooth)


def test_a_large_change_passes_wholly():
    other = FACE.copy()
    other[60:68, 1] += 20
    smooth = run(ShapeFilter(threshold=0.03), [FACE, other])
    # Points that moved by more than the threshold are where they should be.
    np.testing.assert_allclose(smooth[1, 60:68], other[60:68])
    assert np.abs(smooth[1] - other).max() < 0.03 * 100


def test_noise_trembles_less():
    rng = np.random.default_rng(0)
    track = FACE + rng.normal(0, 0.3, (200, 68, 2))
    smooth = run(ShapeFilter(), track)
    before, after = (
        np.linalg.norm(np.diff(each, axis=0), axis=-1).mean()
        for each in (track, smooth)
    )
    assert after < 0.65 * before


def test_half_steps_leave_what_a_whole_one_leaves():
    # Without a threshold the share does not depend on what remains.
    shape_filter = ShapeFilter(min_share=0.3, threshold=1e9)
    other = FACE.copy()
    other[30:40] += (2, -1)
    _, state = shape_filter.step(FACE, 0.0)
    whole, _ = shape_filter.step(other, 0.04, state)
    _, half = shape_filter.step(other, 0.02, state)
    twice, _ = shape_filter.step(other, 0.04, half)
    np.testing.assert_allclose(twice, whole, atol=0.02)
    # And a longer pause forgets more.
    later, _ = shape_filter.step(other, 0.4, state)
    assert np.abs(later - other).max() < 0.1 * np.abs(whole - other).max()


def test_frames_come_in_order_and_the_first_passes():
    shape_filter = ShapeFilter()
    smooth, state = shape_filter.step(FACE, 3.0)
    np.testing.assert_array_equal(smooth, FACE)
    with pytest.raises(ValueError, match='in order of time'):
        shape_filter.step(FACE, 3.0, state)
