"""The One Euro filter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rednet_mm.utils.filters import OneEuroFilter

FPS = 25


def run(one_euro: OneEuroFilter, track: np.ndarray) -> np.ndarray:
    """Filter a track (T, K, 2) at 25 frames a second."""
    state, out = None, []
    for number, keypoints in enumerate(track):
        smooth, state = one_euro.step(keypoints, number / FPS, state)
        out.append(smooth)
    return np.stack(out)


def test_the_first_value_passes():
    first = np.array([[3.0, 4.0], [-5.0, 6.0]])
    smooth, state = OneEuroFilter().step(first, 7.5)
    np.testing.assert_array_equal(smooth, first)
    np.testing.assert_array_equal(state.velocity, 0)
    assert state.time == 7.5


def test_a_constant_stays():
    track = np.broadcast_to(np.array([[3.0, 4.0], [-5.0, 6.0]]), (30, 2, 2))
    np.testing.assert_allclose(run(OneEuroFilter(), track), track)


def test_second_value_by_hand():
    """Cutoffs 1 Hz at rest, beta 0.5, a step of (3, 4) in 0.5 s.

    alpha of the velocity: 1 / (1 + 1 / (2 pi 0.5)) = pi / (pi + 1). The
    velocity is (6, 8), smoothed pi / (pi + 1) times that, of length
    10 pi / (pi + 1); so the cutoff is c = 1 + 5 pi / (pi + 1), and alpha of
    the place is pi c / (pi c + 1).
    """
    one_euro = OneEuroFilter(min_cutoff=1.0, beta=0.5, velocity_cutoff=1.0)
    _, state = one_euro.step(np.zeros((1, 2)), 2.0)
    smooth, state = one_euro.step(np.array([[3.0, 4.0]]), 2.5, state)
    share = math.pi / (math.pi + 1)
    np.testing.assert_allclose(state.velocity, [[6 * share, 8 * share]])
    c = 1 + 5 * share
    alpha = math.pi * c / (math.pi * c + 1)
    np.testing.assert_allclose(smooth, [[3 * alpha, 4 * alpha]])


def test_a_step_converges_without_overshoot():
    track = np.zeros((200, 1, 2))
    track[5:] = 10.0
    smooth = run(OneEuroFilter(beta=0.0), track)
    assert (np.diff(smooth[:, 0, 0]) >= 0).all()
    # At 1 Hz and 25 frames a second alpha is 1 / (1 + 25 / (2 pi)) = 0.201;
    # 195 steps leave 0.799 ** 195 of the way.
    np.testing.assert_allclose(smooth[-1], 10.0, atol=1e-9)
    assert 10 - smooth[5, 0, 0] == pytest.approx(10 * 0.7992, abs=0.001)


def test_higher_beta_lags_less():
    # 100 pixels a second to the right.
    track = np.zeros((100, 1, 2))
    track[:, 0, 0] = 100 * np.arange(100) / FPS
    lags = [
        (track - run(OneEuroFilter(beta=beta), track))[-1, 0, 0]
        for beta in (0.0, 0.01, 0.1)
    ]
    assert lags[0] > 1.5 * lags[1] > 3 * lags[2] > 0


def test_noise_is_less():
    noise = np.random.default_rng(0).normal(size=(500, 4, 2))
    smooth = run(OneEuroFilter(), noise)
    assert smooth[50:].std() < 0.5 * noise.std()


def test_landmarks_do_not_touch_each_other():
    track = np.random.default_rng(0).normal(size=(20, 3, 2)).cumsum(0)
    together = run(OneEuroFilter(beta=0.5), track)
    for place in range(3):
        alone = run(OneEuroFilter(beta=0.5), track[:, place : place + 1])
        np.testing.assert_allclose(together[:, place : place + 1], alone)


def test_unequal_steps_in_time():
    """Half the time twice does nearly what the whole time does once.

    At 1 Hz alpha is 0.1116 for 0.02 s and 0.0591 for 0.01 s; and
    1 - (1 - 0.0591) ** 2 = 0.1147.
    """
    one_euro = OneEuroFilter(beta=0.0)
    ten = np.full((1, 2), 10.0)
    _, begin = one_euro.step(np.zeros((1, 2)), 0.0)
    once, _ = one_euro.step(ten, 0.02, begin)
    _, half = one_euro.step(ten, 0.01, begin)
    twice, _ = one_euro.step(ten, 0.02, half)
    np.testing.assert_allclose(once, 1.116, atol=0.001)
    np.testing.assert_allclose(twice, 1.147, atol=0.001)


def test_time_must_grow():
    one_euro = OneEuroFilter()
    _, state = one_euro.step(np.zeros((1, 2)), 1.0)
    with pytest.raises(ValueError, match='in order of time'):
        one_euro.step(np.zeros((1, 2)), 1.0, state)
