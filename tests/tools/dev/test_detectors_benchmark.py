"""How tools/dev/benchmarks/detectors.py counts; by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(
    0, str(Path(__file__).parents[3] / 'tools' / 'dev' / 'benchmarks')
)
import detectors as benchmark

pytestmark = pytest.mark.slow

SQUARE = np.array([10.0, 10.0, 40.0, 40.0])
ELSEWHERE = np.array([200.0, 10.0, 40.0, 40.0])


def boxes(*rows: np.ndarray) -> np.ndarray:
    return np.array(rows).reshape(-1, 4)


def test_calibration_is_the_one_that_makes_squares_of_the_boxes():
    """Boxes 50 wide round (30, 20); squares 40 wide round (30, 30)."""
    found = np.array([[5.0, -5.0, 50.0, 50.0, 0.9]])
    calibration, right = benchmark.calibrate([found] * 3, [SQUARE] * 3)
    assert calibration.scale == pytest.approx(40 / 50)
    assert calibration.down == pytest.approx(10 / 50)
    assert right == pytest.approx(0)
    np.testing.assert_allclose(calibration(found[:, :4]), [SQUARE])


def test_marked_faces():
    """One hit of overlap 1, one miss; one find that is no marked face."""
    found = [boxes(SQUARE, ELSEWHERE), boxes()]
    assert benchmark.marked(found, [SQUARE] * 2) == (0.5, 1.0, 1)


def test_a_face_is_where_two_judges_agree():
    # Shifted by 4 of 40: 36 / 44 = 0.82 of the union.
    near = SQUARE + [4, 0, 0, 0]
    judges = [boxes(SQUARE, ELSEWHERE), boxes(near), boxes()]
    np.testing.assert_array_equal(benchmark.agreed(judges), [SQUARE])
    assert len(benchmark.agreed([boxes(SQUARE), boxes(), boxes()])) == 0


def test_in_video():
    """Two faces, one of them found twice, and one find that is none."""
    lower = ELSEWHERE + [0, 200, 0, 0]
    near = SQUARE + [4, 0, 0, 0]
    counts = benchmark.in_video(
        [boxes(SQUARE, near, lower), boxes()],
        [boxes(SQUARE, ELSEWHERE), boxes()],
    )
    assert counts == (2, 1, 1)
