"""Systems side by side, with what chance alone may do to their figures.

The bootstrap draws clusters (videos, or images of stills) with replacement:
frames of a video resemble each other and are no independent sample. All
systems are measured on the same draws, so a difference is that of pairs.

Letters: S samples, C clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rednet_mm.landmarks import COMPONENTS

from .protocol import Protocol
from .sums import RowSums
from .tables import Cell, Interval, Table

if TYPE_CHECKING:
    from .summary import Summary

# Per cent that an interval covers.
COVERAGE = 95

# Samples whose weights are in memory at a time: CHUNK * C numbers.
CHUNK = 64

# The figures of the tables and their heads.
ACCURACY = {
    'NME': 'NME (%)',
    'NME_std': 'std (%)',
    'failure_rate': 'failure > {} (%)',
    'AUC': 'AUC up to {} (%)',
    'NME_video': 'video mean (%)',
}
STEADINESS = {
    'motion': 'error of motion (%)',
    'acceleration': 'acceleration (%)',
    'true_acceleration': 'of the truth (%)',
    'lag': 'lag (frames)',
    'nmf': 'NMF',
}
COUNTS = ('frames', 'missing', 'unmeasured', 'reinits')


def head_of(figure: str) -> str:
    """What a table calls a figure."""
    name, _, limit = figure.partition('@')
    return {**ACCURACY, **STEADINESS}.get(name, name).format(limit)


@dataclass(frozen=True)
class Bootstrap:
    """Figures of resampled clusters.

    Attributes:
        clusters (int): C.
        figures (tuple[dict[str, np.ndarray]]): Of each system, (S,) each.
    """

    clusters: int
    figures: tuple[dict[str, np.ndarray], ...]

    def interval(self, system: int, figure: str) -> tuple[float, float]:
        """The middle 95 % of a figure; NaN for fewer than two clusters."""
        return self._interval(self.figures[system][figure])

    def difference(self, system: int, figure: str) -> tuple[float, float]:
        """The same of a system's figure less the first system's."""
        first, other = self.figures[0][figure], self.figures[system][figure]
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
        parts (Mapping): For each part, of each system, what makes figures of
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
        figures, start = [], 0
        for maker, sums in systems:
            own = drawn[:, start : start + len(sums)].T
            figures.append(maker.figures(dict(zip(sums, own))))
            start += len(sums)
        found[name] = Bootstrap(len(columns), tuple(figures))
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


@dataclass(frozen=True)
class Comparison:
    """Several systems on the same frames.

    Attributes:
        summaries (tuple[Summary]): Of each system.
        protocol (Protocol): How they were measured.
        left_out (tuple[int]): Rows of each system that others do not have.
        samples (int): Of the bootstrap.
        seed (int): Of the bootstrap.
        bootstrap (dict[str, Bootstrap]): Of each group; ``''`` is all.
    """

    summaries: tuple[Summary, ...]
    protocol: Protocol
    left_out: tuple[int, ...]
    samples: int
    seed: int
    bootstrap: dict[str, Bootstrap]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the systems."""
        return tuple(each.name for each in self.summaries)

    def figure(self, system: int, figure: str, group: str = '') -> Interval:
        """A figure of a system with its interval.

        Args:
            system (int): Its place.
            figure (str): A name of ``Summary.figures``.
            group (str): ``''``: over all frames.
        """
        summary = self.summaries[system]
        figures = summary.groups[group] if group else summary.figures
        return Interval(
            figures[figure], *self.bootstrap[group].interval(system, figure)
        )

    def difference(
        self, system: int, figure: str, group: str = ''
    ) -> Interval:
        """A system's figure less that of the first, with its interval."""
        own, first = (
            self.figure(place, figure, group).value for place in (system, 0)
        )
        return Interval(
            own - first, *self.bootstrap[group].difference(system, figure)
        )

    def tables(
        self, videos: bool = True, landmarks: bool = False
    ) -> list[Table]:
        """All tables, the main one first; which depends on the data.

        Args:
            videos (bool): Whether there is one with a row for each video.
            landmarks (bool): The same of each landmark.
        """
        accuracy = self._figures_like(ACCURACY)
        tables = [self._systems('Error of landmarks', accuracy)]
        steadiness = self._figures_like(STEADINESS)
        if steadiness:
            tables.append(self._systems('Stability over time', steadiness))
        if len(self.summaries) > 1:
            tables.append(self._differences([*accuracy, *steadiness]))
        if self.protocol.grouping:
            tables.append(self._groups(accuracy))
        if videos and self.summaries[0].records.is_video:
            tables.append(self._videos())
        tables += [self._others(), *self._parts()]
        if landmarks:
            tables.append(self._landmarks())
        return [*tables, self._provenance()]

    def _figures_like(self, heads: Mapping[str, str]) -> list[str]:
        """Figures of these kinds that any system has."""
        return [
            name
            for name in self.summaries[0].figures
            if name.partition('@')[0] in heads
            and not all(
                np.isnan(each.figures[name]) for each in self.summaries
            )
            and (name != 'NME_video' or self.summaries[0].records.is_video)
        ]

    def _table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        note: str = '',
    ) -> Table:
        return Table(
            title,
            self.protocol.sentence(),
            tuple(columns),
            tuple(tuple(row) for row in rows),
            note,
        )

    def _note(self) -> str:
        """How sure the figures are, and of how many frames."""
        unit = 'videos' if self.summaries[0].records.is_video else 'images'
        clusters = self.bootstrap[''].clusters
        note = (
            f'In brackets: {COVERAGE} % bootstrap intervals over {clusters} '
            f'{unit} ({self.samples} samples, seed {self.seed}).'
        )
        if clusters < 10:
            note += f' So few {unit} tell little; read them with care.'
        if any(self.left_out):
            note += (
                ' Frames that not all systems have are left out: '
                + ', '.join(
                    f'{number} of {name}'
                    for name, number in zip(self.names, self.left_out)
                )
                + '.'
            )
        return note

    def _systems(self, title: str, figures: Sequence[str]) -> Table:
        counts = [
            name
            for name in COUNTS
            if name in ('frames', 'missing')
            or any(each.figures[name] for each in self.summaries)
        ]
        rows: list[list[Cell]] = [
            [
                name,
                *(int(self.summaries[i].figures[c]) for c in counts),
                *(self.figure(i, figure) for figure in figures),
            ]
            for i, name in enumerate(self.names)
        ]
        heads = ['system', *counts, *map(head_of, figures)]
        return self._table(title, heads, rows, self._note())

    def _differences(self, figures: Sequence[str]) -> Table:
        rows: list[list[Cell]] = []
        for place, name in enumerate(self.names[1:], 1):
            for figure in figures:
                if figure == 'true_acceleration':
                    continue
                found = self.difference(place, figure)
                rows.append([name, head_of(figure), found, _verdict(found)])
        return self._table(
            f'Differences to {self.names[0]}',
            ['system', 'figure', 'difference', 'known to differ'],
            rows,
            self._note() + ' A difference is known where its interval '
            'excludes 0.',
        )

    def _groups(self, figures: Sequence[str]) -> Table:
        rows: list[list[Cell]] = [
            [
                f'{group}: {name}',
                int(self.summaries[i].groups[group]['frames']),
                int(self.summaries[i].groups[group]['missing']),
                *(self.figure(i, figure, group) for figure in figures),
            ]
            for group in self.summaries[0].groups
            for i, name in enumerate(self.names)
        ]
        heads = ['group: system', 'frames', 'missing', *map(head_of, figures)]
        return self._table('By group', heads, rows, self._note())

    def _videos(self) -> Table:
        first = self.summaries[0]
        rows: list[list[Cell]] = []
        for track, name in enumerate(first.records.track_names):
            if not first.tracks['frames'][track]:
                continue
            cells: list[Cell] = [name, int(first.tracks['frames'][track])]
            for each in self.summaries:
                cells.append(int(each.tracks['missing'][track]))
                cells += [
                    float(each.tracks[figure][track])
                    for figure in ('NME_frame', 'motion', 'lag')
                ]
            rows.append(cells)
        heads = ['video', 'frames']
        for name in self.names:
            heads += [
                f'{name}: {figure}'
                for figure in ('missing', 'NME (%)', 'motion (%)', 'lag')
            ]
        return self._table('By video', heads, rows)

    def _others(self) -> Table:
        keys = list(self.summaries[0].others)
        for each in self.summaries[1:]:
            keys = [key for key in keys if key in each.others]
        rows: list[list[Cell]] = [
            [
                f'{norm}, {points} points',
                *(each.others[norm, points] for each in self.summaries),
            ]
            for norm, points in keys
        ]
        return self._table(
            'NME (%) by other norms and points, mean over frames',
            ['norm, points', *self.names],
            rows,
            'Norm and points are those of the row, the rest is that of the '
            'protocol.',
        )

    def _parts(self) -> list[Table]:
        """Errors by part of the face; of 68 points alone."""
        if len(self.summaries[0].landmarks) != 68:
            return []
        rows: list[list[Cell]] = []
        for name, points in COMPONENTS.items():
            own = [each.landmarks[list(points)] for each in self.summaries]
            known = [values[~np.isnan(values)] for values in own]
            if all(len(values) for values in known):
                means = [float(values.mean()) for values in known]
                rows.append([name, len(known[0]), *means])
        return [
            self._table(
                'Error by part of the face (%), mean over its points',
                ['part', 'points', *self.names],
                rows,
                "Left and right are the image's.",
            )
        ]

    def _landmarks(self) -> Table:
        rows: list[list[Cell]] = [
            [str(point), *map(float, errors)]
            for point, errors in enumerate(
                zip(*(each.landmarks for each in self.summaries))
            )
            if not np.isnan(errors).all()
        ]
        return self._table(
            'Error of each landmark (%), mean over frames',
            ['landmark', *self.names],
            rows,
        )

    def _provenance(self) -> Table:
        known = [each.records.provenance for each in self.summaries]
        names = list(dict.fromkeys(key for each in known for key in each))
        rows: list[list[Cell]] = [
            [name, *(each.get(name, '-') or '-' for each in known)]
            for name in names
        ]
        return self._table(
            'Where the predictions come from', ['', *self.names], rows
        )


def _verdict(found: Interval) -> str:
    if not np.isfinite([found.low, found.high]).all():
        return '-'
    return 'yes' if found.low > 0 or found.high < 0 else 'no'
