"""Motion, acceleration and lag, by hand and on made-up trajectories."""

from __future__ import annotations

import numpy as np
import pytest
from builders import face_shape

from rednet_mm.evaluation.stability import stability


def steady(prediction, truth, tracks=None, frame_ids=None, visible=None):
    n, points = truth.shape[:2]
    return stability(
        prediction,
        truth,
        np.ones((n, points), bool) if visible is None else visible,
        np.full(n, 100.0),
        np.zeros(n, int) if tracks is None else np.array(tracks),
        np.arange(n) if frame_ids is None else np.array(frame_ids),
    )


def film(frames=200, period=40.0, amplitude=30.0, at=0.0):
    """A face that swings to and fro, ``at`` frames later; (T, 68, 2)."""
    times = np.arange(frames) - at
    x = amplitude * np.sin(2 * np.pi * times / period)
    y = amplitude * np.cos(2 * np.pi * times / (1.7 * period))
    return face_shape(100) + np.stack([x, y], 1)[:, None]


def test_by_hand():
    truth = np.zeros((4, 1, 2))
    truth[:, 0, 0] = [0, 10, 20, 30]
    prediction = truth + 0.0
    # Errors (truth - prediction) of 0, (3, 4), 0, 0.
    prediction[1, 0] -= (3, 4)
    found = steady(prediction, truth)
    # They change by 5, 5 and 0 pixels of a face of 100.
    assert found.motion[:3].tolist() == [5, 5, 0]
    assert np.isnan(found.motion[3])
    # Predictions: (0, 0), (7, -4), (20, 0), (30, 0): second differences
    # (0 - 14 + 20, 8) and (7 - 40 + 30, -4): 10 and 5 pixels.
    assert found.acceleration[1:3].tolist() == [10, 5]
    assert np.isnan(found.acceleration[[0, 3]]).all()
    assert found.true_acceleration[1:3].tolist() == [0, 0]


def test_flicker_by_hand():
    # Errors change by (3, 4) and 0 in the first pair, by (-3, -4) and
    # (0, 12) in the second: squares of 25, 0, 25 and 144 of faces of 100
    # pixels. In the authors' unit a face has 256 pixels, and 1 is 100:
    # 256 * sqrt(194 / 4) = 1782.8.
    truth = np.zeros((3, 2, 2))
    prediction = truth.copy()
    prediction[1, 0] = 3, 4
    prediction[2, 1] = 0, 12
    found = steady(prediction, truth)
    assert found.nmf[0] == pytest.approx(256 * np.sqrt(194 / 4))
    # A point that is not annotated, and a track of its own, do not count.
    visible = np.ones((3, 2), bool)
    visible[:, 1] = False
    assert steady(prediction, truth, visible=visible).nmf[0] == pytest.approx(
        256 * 5
    )
    apart = steady(prediction, truth, tracks=[0, 1, 1]).nmf
    assert np.isnan(apart[0])
    assert apart[1] == pytest.approx(256 * np.sqrt((25 + 144) / 2))


def test_only_consecutive_frames_of_one_track():
    rng = np.random.default_rng(0)
    truth, prediction = rng.uniform(0, 9, (2, 6, 3, 2))
    # Frames 0 1 | 3 of one face, 4 5 6 of another.
    found = steady(prediction, truth, [0, 0, 0, 1, 1, 1], [0, 1, 3, 4, 5, 6])
    there = [True, False, False, True, True, False]
    assert (~np.isnan(found.motion)).tolist() == there
    middle = [False, False, False, False, True, False]
    assert (~np.isnan(found.acceleration)).tolist() == middle


def test_points_that_are_not_annotated_do_not_count():
    truth = np.zeros((3, 2, 2))
    prediction = truth.copy()
    prediction[1, 0, 0] = 4
    prediction[:, 1] = [[0, 0], [70, 0], [0, 90]]
    visible = np.ones((3, 2), bool)
    visible[1, 1] = False
    found = steady(prediction, truth, visible=visible)
    # The second point is not there in frame 1: it is in no pair.
    assert found.motion[:2].tolist() == [4, 4]
    assert found.acceleration[1] == 8


@pytest.mark.parametrize('late', [1, 2, 3])
def test_a_delayed_signal_lags_and_does_not_jitter(late):
    truth = film()
    found = steady(film(at=late), truth)
    assert found.lag[0] == pytest.approx(late, rel=0.05)
    # It is as smooth as the truth.
    assert np.nanmean(found.acceleration) == pytest.approx(
        np.nanmean(found.true_acceleration), rel=0.05
    )


def test_one_that_comes_early_has_a_negative_lag():
    assert steady(film(at=-1), film()).lag[0] == pytest.approx(-1, rel=0.02)


def test_a_noisy_signal_jitters_and_does_not_lag():
    truth = film()
    noise = np.random.default_rng(0).normal(0, 1, truth.shape)
    found = steady(truth + noise, truth)
    assert abs(found.lag[0]) < 0.02
    # The second difference of white noise has 1 + 4 + 1 times its variance;
    # the length of such a vector is sqrt(6 pi / 2) on average.
    still = np.nanmean(found.acceleration)
    assert still > np.nanmean(found.true_acceleration) + 1
    at_rest = steady(face_shape(100) + noise, np.repeat(film(1), 200, 0))
    assert np.nanmean(at_rest.acceleration) == pytest.approx(
        (6 * np.pi / 2) ** 0.5, rel=0.02
    )
    # Likewise the first, with twice the variance.
    assert np.nanmean(at_rest.motion) == pytest.approx(np.pi**0.5, rel=0.02)


def test_both_at_once_are_told_apart():
    noise = np.random.default_rng(1).normal(0, 1, (200, 68, 2))
    found = steady(film(at=2) + noise, film())
    assert found.lag[0] == pytest.approx(2, rel=0.06)


def test_a_smoothing_filter_lags_and_calms():
    truth = film()
    noise = np.random.default_rng(0).normal(0, 1, truth.shape)
    smooth = np.empty_like(truth)
    smooth[0] = truth[0]
    for t in range(1, 200):
        smooth[t] = smooth[t - 1] / 2 + (truth[t] + noise[t]) / 2
    raw, filtered = steady(truth + noise, truth), steady(smooth, truth)
    # An exponential mean with weight a delays by (1 - a) / a: one frame.
    assert filtered.lag[0] == pytest.approx(1, rel=0.1)
    assert np.nanmean(filtered.acceleration) < np.nanmean(raw.acceleration) / 2


def test_an_offset_is_no_lag():
    off = np.random.default_rng(0).normal(0, 5, (1, 68, 2))
    found = steady(film(50) + off, film(50))
    assert found.lag[0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found.motion[:-1], 0, atol=1e-9)


def test_where_nothing_moves_no_lag_is_told():
    at_rest = np.repeat(film(1), 50, 0)
    jitter = np.random.default_rng(0).normal(0, 0.001, at_rest.shape)
    # Nor where it moves evenly: a delay and an offset look the same.
    even = at_rest + np.arange(50)[:, None, None]
    for truth in (at_rest, at_rest + jitter, even):
        assert np.isnan(steady(truth + 1, truth).lag).all()
    # Nor in three frames.
    assert np.isnan(steady(film(3, at=1), film(3)).lag).all()


def test_tracks_do_not_touch():
    noise = np.random.default_rng(0).normal(0, 1, (60, 68, 2))
    one = (film(60, at=1), film(60))
    two = (film(60, period=25, at=2) + noise, film(60, period=25))
    both = steady(
        np.concatenate([one[0], two[0]]),
        np.concatenate([one[1], two[1]]),
        [0] * 60 + [1] * 60,
        [*range(60)] * 2,
    )
    alone = steady(*two)
    np.testing.assert_allclose(both.lag, [steady(*one).lag[0], alone.lag[0]])
    np.testing.assert_allclose(both.motion[60:], alone.motion)
    # However long the parts are that are looked at in one go.
    many = stability(
        np.tile(two[0], (60, 1, 1)),
        np.tile(two[1], (60, 1, 1)),
        np.ones((3600, 68), bool),
        np.full(3600, 100.0),
        np.repeat(np.arange(60), 60),
        np.tile(np.arange(60), 60),
    )
    np.testing.assert_allclose(many.lag, np.full(60, alone.lag[0]))


def test_a_lost_frame_is_in_no_pair():
    truth = film(60)
    prediction = film(60, at=1)
    prediction[30] = np.nan
    found = steady(prediction, truth)
    assert np.flatnonzero(np.isnan(found.motion)).tolist() == [29, 30, 59]
    assert found.lag[0] == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize('scale, shift', [(3.0, 0.0), (1.0, 50.0)])
def test_scale_and_translation_change_nothing(scale, shift):
    noise = np.random.default_rng(0).normal(0, 1, (60, 68, 2))
    prediction, truth = film(60, at=1) + noise, film(60)
    args = np.ones((60, 68), bool), np.zeros(60, int), np.arange(60)
    seen, tracks, ids = args
    one = stability(prediction, truth, seen, np.full(60, 100.0), tracks, ids)
    two = stability(
        scale * prediction + shift,
        scale * truth + shift,
        seen,
        np.full(60, 100.0 * scale),
        tracks,
        ids,
    )
    for name in ('motion', 'acceleration', 'true_acceleration', 'lag'):
        np.testing.assert_allclose(
            getattr(one, name), getattr(two, name), rtol=1e-9, atol=1e-9
        )
