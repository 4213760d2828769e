"""Several trainings of a row: means and intervals."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import random_faces, stills_of

from rednet_mm.analysis.seeds import compare_seeds, interval_note, welch
from rednet_mm.evaluation import Protocol, evaluate


def test_one_sample_by_students_t():
    # Mean 2, variance 1 of three: t of 2 degrees and 97.5 % is 4.3027, and
    # the standard error sqrt(1 / 3) = 0.57735: 2.4841.
    found = welch([np.array([1.0, 2.0, 3.0])])
    np.testing.assert_allclose(found, [2, 2 - 2.4841, 2 + 2.4841], atol=1e-4)


def test_two_samples_by_welch():
    # Equal variances and sizes: 4 degrees of freedom, t 2.7764; the standard
    # error is sqrt(1 / 3 + 1 / 3) = 0.81650: 2.2669.
    found = welch([np.array([4.0, 5.0, 6.0]), -np.array([1.0, 2.0, 3.0])])
    np.testing.assert_allclose(found, [3, 3 - 2.2669, 3 + 2.2669], atol=1e-4)


def test_images_and_trainings_are_added():
    # The bootstrap's variance 1 / 3 of 3 clusters (2 degrees) is like the
    # other sample of before: one row of variance 1 / 3 and 2 degrees.
    draws = np.array([1.0, -1.0]) / np.sqrt(3)
    found = welch([np.array([1.0, 2.0, 3.0])], draws, 3)
    np.testing.assert_allclose(found, [2, 2 - 2.2669, 2 + 2.2669], atol=1e-4)
    # Draws in which a group was empty say nothing.
    again = welch([np.array([1.0, 2.0, 3.0])], [*draws, np.nan], 3)
    np.testing.assert_allclose(again, found)


def test_what_is_not_known():
    for found in (
        welch([np.array([2.0])]),
        welch([np.array([2.0])], [1.0, 3.0], 1),
        welch([np.array([np.nan, 2.0])], [1.0, 3.0], 5),
    ):
        assert np.isnan([found.low, found.high]).all()
    assert 'says nothing about others' in interval_note([1, 1])
    assert "Student's t" in interval_note([1, 3])


@pytest.fixture(scope='module')
def rows():
    """Two rows of three trainings; the errors of the second are doubled."""
    _, truth = random_faces(40)
    rng = np.random.default_rng(1)
    trainings = {'good': [], 'bad': []}
    for seed in range(3):
        off = rng.normal(0, 1 + 0.1 * seed, truth.shape)
        for row, factor in (('good', 1), ('bad', 2)):
            trainings[row].append(
                stills_of(truth + factor * off, truth, f'{row} {seed}')
            )
    return trainings


def test_a_rows_figure_is_the_mean_of_its_trainings(rows):
    found = compare_seeds(rows, Protocol())
    alone = {
        row: np.mean([evaluate(r, Protocol()).metrics['NME'] for r in own])
        for row, own in rows.items()
    }
    for row in rows:
        value, low, high = found.metric(row, 'NME')
        assert value == pytest.approx(alone[row])
        assert low < value < high
    value, low, high = found.difference('good', 'bad', 'NME')
    # Twice the error: the difference is as large as the better row's error.
    assert value == pytest.approx(-alone['good'])
    assert low < value < high


def test_one_training_has_the_intervals_of_the_bootstrap(rows):
    found = compare_seeds({r: own[:1] for r, own in rows.items()}, Protocol())
    boot = found.comparison.metric(0, 'NME')
    own = found.metric('good', 'NME')
    # 40 images: t of 39 degrees is 2.02 where the normal has 1.96; the
    # bootstrap's quantiles need not be symmetric.
    width = (own.high - own.low) / (boot.high - boot.low)
    assert 0.95 < width < 1.1


def test_pairs_are_told_apart_better_than_systems(rows):
    found = compare_seeds({r: own[:1] for r, own in rows.items()}, Protocol())
    paired = found.difference('good', 'bad', 'NME')
    good, bad = (found.metric(row, 'NME') for row in ('good', 'bad'))
    alone = np.hypot(good.high - good.low, bad.high - bad.low)
    assert paired.high - paired.low < 0.7 * alone
