"""A system behind a One Euro filter: less jitter, more lag, no memory."""

from __future__ import annotations

import numpy as np
import pytest
from builders import face_shape
from made_up import random_faces, stills_of, videos_of

from rednet_mm.errors import UserError
from rednet_mm.evaluation import Protocol, evaluate, smoothed
from rednet_mm.one_euro import OneEuroFilter

PLAIN = Protocol()


def moving(frames: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A face on a sine of 10 pixels and 2 seconds, and noise upon it."""
    way = 10 * np.sin(np.pi * np.arange(frames) / 25)
    truth = face_shape(100) + np.stack([way, 0 * way], 1)[:, None]
    rng = np.random.default_rng(0)
    return truth + rng.normal(0, noise, truth.shape), truth


def test_noise_trembles_less_and_lags_more():
    records = videos_of(*moving(100, 1.0), [100], name='noisy')
    calm = smoothed(records, smooth=OneEuroFilter())
    assert calm.name == 'noisy + One Euro'
    before, after = (evaluate(each, PLAIN).figures for each in (records, calm))
    assert after['acceleration'] < before['acceleration'] / 3
    assert abs(before['lag']) < 0.1
    assert after['lag'] > 0.5
    # The records that were given are as they were.
    assert evaluate(records, PLAIN).figures == before


def test_the_shape_filter_trembles_less_and_does_not_lag():
    records = videos_of(*moving(100, 0.3), [100], name='noisy')
    calm = smoothed(records)
    assert calm.name == 'noisy + shape filter'
    before, after = (evaluate(each, PLAIN).figures for each in (records, calm))
    assert after['motion'] < 0.75 * before['motion']
    assert after['NME'] < before['NME']
    assert abs(after['lag']) < 0.1


def test_each_track_and_each_gap_begins_anew():
    prediction, truth = moving(10, 1.0)
    prediction[6] = np.nan
    records = videos_of(prediction, truth, [3, 7])
    found = smoothed(records, 50, OneEuroFilter(min_cutoff=0.1)).prediction
    # First frames of videos and the frame behind a miss pass as they are.
    for row in (0, 3, 7):
        np.testing.assert_array_equal(found[row], prediction[row])
    assert np.isnan(found[6]).all()
    # The second of a video by hand: the velocity (of cutoff 1 Hz) is
    # w (p1 - p0) 50 with w = 1 / (1 + 50 / 2 pi).
    weight = 1 / (1 + 50 / (2 * np.pi))
    velocity = weight * (prediction[1] - prediction[0]) * 50
    cutoff = 0.1 + 0.007 * np.linalg.norm(velocity, axis=1, keepdims=True)
    share = 1 / (1 + 50 / (2 * np.pi * cutoff))
    np.testing.assert_allclose(
        found[1], prediction[0] + share * (prediction[1] - prediction[0])
    )
    # A frame that is left out is a gap too.
    rows = np.array([0, 1, 3, 4, 6, 7])
    kept = smoothed(records.select(rows)).prediction
    for place, row in enumerate(rows):
        if row == 3:
            np.testing.assert_array_equal(kept[place], prediction[row])


def test_stills_are_refused():
    with pytest.raises(UserError, match='stills only'):
        smoothed(stills_of(*random_faces(3)))
    with pytest.raises(UserError, match='more than 0'):
        smoothed(videos_of(*moving(4, 0), [4]), fps=0)
