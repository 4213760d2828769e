"""Bootstrap over clusters: what chance alone may do to a value.

Clusters (videos, or still images) are drawn with replacement: frames
of a video resemble each other and are no independent sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rednet_mm.evaluation.sums import RowSums

# Per cent that an interval covers.
COVERAGE = 95

# Samples whose weights are in memory at a time: CHUNK * C numbers.
CHUNK = 64


@dataclass(frozen=True)
class Bootstrap:
    """Metrics of resampled clusters.

    Attributes:
        clusters (int): C.
        metrics (tuple[dict[str, np.ndarray]]): Of each system, (S,) each.
    """

    clusters: int
    metrics: tuple[dict[str, np.ndarray], ...]

    def interval(self, system: int, metric: str) -> tuple[float, float]:
        """The middle 95 % of a metric; NaN for fewer than two clusters."""
        return self._interval(self.metrics[system][metric])

    def difference(self, system: int, metric: str) -> tuple[float, float]:
        """The same of a system's metric less the first system's."""
        first, other = self.metrics[0][metric], self.metrics[system][metric]
        with np.errstate(invalid='ignore'):
            return self._interval(other - first)

    def _interval(self, values: np.ndarray) -> tuple[float, float]:
        values = values[np.isfinite(values)]
        if self.clusters < 2 or not len(values):
            return float('nan'), float('nan')
        rest = (100 - COVERAGE) / 2
        low, high = np.percentile(values, [rest, 100 - rest])
        return float(low), float(high)


def compare_sums(
    parts: Mapping[str, Sequence[tuple[RowSums, dict[str, np.ndarray]]]],
    samples: int,
    seed: int,
) -> dict[str, Bootstrap]:
    """Bootstrap each part (group of frames) of all systems.

    Args:
        parts (Mapping): For each part, of each system, what makes metrics of
            sums and the sums of the C clusters, (C,) each.
        samples (int): S.
        seed (int): The same for every part and system.
    """
    found = {}
    for name, systems in parts.items():
        # (C, F): all sums of all systems side by side.
        columns = np.stack(
            [value for _, sums in systems for value in sums.values()], 1
        )
        drawn = _resampled(columns, samples, seed)
        metrics, start = [], 0
        for maker, sums in systems:
            own = drawn[:, start : start + len(sums)].T
            metrics.append(maker.metrics(dict(zip(sums, own))))
            start += len(sums)
        found[name] = Bootstrap(len(columns), tuple(metrics))
    return found


def _resampled(columns: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Sums (S, F) of clusters drawn with replacement from (C, F)."""
    rng = np.random.default_rng(seed)
    number = len(columns)
    parts = []
    for start in range(0, samples, CHUNK):
        size = min(CHUNK, samples - start)
        draws = rng.integers(number, size=(size, number))
        draws += number * np.arange(size)[:, None]
        weights = np.bincount(draws.ravel(), minlength=size * number)
        parts.append(weights.reshape(size, number) @ columns)
    return np.concatenate(parts)
