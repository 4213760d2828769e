"""Rows of an ablation: several trainings of each, with intervals.

Two things are left to chance, and a metric's interval has both: which videos
(still images) were tested, and which of all possible trainings these
are. The first is told by the bootstrap of :mod:`.comparison`, on the same
draws for all rows, of the mean over a row's trainings; the second by the
spread of the trainings, of each row for itself, since trainings of one seed
and different networks have nothing in common. Variances are added, and
Student's t with Welch's and Satterthwaite's degrees of freedom makes them an
interval: three trainings tell little about their spread, which the quantiles
of a bootstrap over three would not show.

Letters: n trainings of a row, S samples of the bootstrap, C clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from rednet_mm.evaluation.protocol import Protocol
from rednet_mm.evaluation.records import LandmarkRecords

from .bootstrap import COVERAGE
from .comparison import Comparison, compare
from .tables import Interval


@dataclass(frozen=True)
class SeedComparison:
    """Rows of several trainings on the same frames.

    Attributes:
        comparison (Comparison): All trainings, row by row.
        places (dict[str, tuple[int]]): Those of each row.
    """

    comparison: Comparison
    places: dict[str, tuple[int, ...]]

    def metric(self, row: str, metric: str, group: str = '') -> Interval:
        """A row's mean over its trainings, with its interval.

        Args:
            row (str): Its name.
            metric (str): A name of ``Summary.metrics``.
            group (str): ``''``: over all frames.
        """
        return self._interval({row: 1}, metric, group)

    def difference(
        self, row: str, other: str, metric: str, group: str = ''
    ) -> Interval:
        """A row's metric less another row's, with its interval."""
        return self._interval({row: 1, other: -1}, metric, group)

    def _interval(
        self, signs: Mapping[str, int], metric: str, group: str
    ) -> Interval:
        boot = self.comparison.bootstrap[group]
        values, draws = [], []
        for row, sign in signs.items():
            places = self.places[row]
            own = [self._value(place, metric, group) for place in places]
            values.append(sign * np.array(own))  # (n,)
            drawn = [boot.metrics[place][metric] for place in places]
            draws.append(sign * np.mean(drawn, 0))  # (S,)
        return welch(values, np.sum(draws, 0), boot.clusters)

    def _value(self, place: int, metric: str, group: str) -> float:
        return self.comparison.metric(place, metric, group).value


def welch(
    values: Sequence[np.ndarray],
    draws: Sequence[float] | np.ndarray = (),
    clusters: int = 0,
) -> Interval:
    """The sum of the means of independent samples, with its interval.

    Args:
        values (Sequence[np.ndarray]): Samples, (n,) each; of one value
            nothing is known about its spread, and it counts as certain.
        draws (np.ndarray): (S,), that sum in each bootstrap sample.
        clusters (int): C of the bootstrap.

    Returns:
        Interval: Its ends are NaN where nothing is known about spread.
    """
    total = float(sum(each.mean() for each in values))
    parts = [
        (float(each.var(ddof=1)) / len(each), len(each) - 1)
        for each in values
        if len(each) > 1
    ]
    known = np.asarray(draws)[np.isfinite(draws)]
    if clusters > 1 and len(known):
        parts.append((float(known.var()), clusters - 1))
    variance = sum(part for part, _ in parts)
    if not np.isfinite(total) or not variance > 0:
        return Interval(total, float('nan'), float('nan'))
    freedom = variance**2 / sum(part**2 / n for part, n in parts)
    reach = stats.t.ppf(0.5 + COVERAGE / 200, freedom) * variance**0.5
    return Interval(total, float(total - reach), float(total + reach))


def compare_seeds(
    rows: Mapping[str, Sequence[LandmarkRecords]], protocol: Protocol
) -> SeedComparison:
    """Rows of trainings on the frames that all of them have.

    Args:
        rows (Mapping[str, Sequence[LandmarkRecords]]): Predictions of each
            row's trainings.
        protocol (Protocol): How they are measured.
    """
    places: dict[str, tuple[int, ...]] = {}
    systems: list[LandmarkRecords] = []
    for row, trainings in rows.items():
        first = len(systems)
        systems += trainings
        places[row] = tuple(range(first, len(systems)))
    return SeedComparison(compare(systems, protocol), places)


def interval_note(numbers: Sequence[int]) -> str:
    """What intervals of rows with so many trainings mean, in a sentence."""
    unit = 'which images (of videos: which videos) were tested'
    if max(numbers) < 2:
        return (
            f'{COVERAGE} % intervals of {unit}, by the bootstrap; one '
            'training of a row says nothing about others'
        )
    return (
        f'{COVERAGE} % intervals of {unit} (bootstrap, the same draws for '
        'all rows) and of the trainings (their spread), together by '
        "Student's t with Welch's degrees of freedom"
    )
