"""Systems side by side, with what chance alone may do to their metrics.

The bootstrap draws clusters (videos, or still images) with replacement:
frames of a video resemble each other and are no independent sample. All
systems are measured on the same draws, so a difference is that of pairs.

Letters: S samples, C clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rednet_mm.evaluation.groups import group_rows
from rednet_mm.evaluation.protocol import Protocol
from rednet_mm.evaluation.records import LandmarkRecords, pair
from rednet_mm.evaluation.summary import Summary, cluster_sums, evaluate
from rednet_mm.utils.landmarks import COMPONENTS

from .bootstrap import COVERAGE, Bootstrap, compare_sums
from .tables import Cell, Interval, Table

# The metrics of the tables and their heads.
ACCURACY = {
    'NME': 'NME (%)',
    'NME_std': 'std (%)',
    'failure_rate': 'failure > {} (%)',
    'AUC': 'AUC up to {} (%)',
    'NME_video': 'video mean (%)',
}
STABILITY = {
    'motion': 'error of motion (%)',
    'acceleration': 'acceleration (%)',
    'true_acceleration': 'of the ground truth (%)',
    'lag': 'lag (frames)',
    'nmf': 'NMF',
}
COUNTS = ('frames', 'missing', 'unmeasured', 'reinits')


def column_title(metric: str) -> str:
    """What a table calls a metric."""
    name, _, limit = metric.partition('@')
    return {**ACCURACY, **STABILITY}.get(name, name).format(limit)


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

    def metric(self, system: int, metric: str, group: str = '') -> Interval:
        """A metric of a system with its interval.

        Args:
            system (int): Its place.
            metric (str): A name of ``Summary.metrics``.
            group (str): ``''``: over all frames.
        """
        summary = self.summaries[system]
        metrics = summary.groups[group] if group else summary.metrics
        return Interval(
            metrics[metric], *self.bootstrap[group].interval(system, metric)
        )

    def difference(
        self, system: int, metric: str, group: str = ''
    ) -> Interval:
        """A system's metric less that of the first, with its interval."""
        own, first = (
            self.metric(place, metric, group).value for place in (system, 0)
        )
        return Interval(
            own - first, *self.bootstrap[group].difference(system, metric)
        )

    def tables(
        self, videos: bool = True, landmarks: bool = False
    ) -> list[Table]:
        """All tables, the main one first; which depends on the data.

        Args:
            videos (bool): Whether there is one with a row for each video.
            landmarks (bool): The same of each landmark.
        """
        accuracy = self._metrics_like(ACCURACY)
        tables = [self._systems('Error of landmarks', accuracy)]
        steadiness = self._metrics_like(STABILITY)
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

    def _metrics_like(self, heads: Mapping[str, str]) -> list[str]:
        """Metrics of these kinds that any system has."""
        return [
            name
            for name in self.summaries[0].metrics
            if name.partition('@')[0] in heads
            and not all(
                np.isnan(each.metrics[name]) for each in self.summaries
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
        """How sure the metrics are, and of how many frames."""
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

    def _systems(self, title: str, metrics: Sequence[str]) -> Table:
        counts = [
            name
            for name in COUNTS
            if name in ('frames', 'missing')
            or any(each.metrics[name] for each in self.summaries)
        ]
        rows: list[list[Cell]] = [
            [
                name,
                *(int(self.summaries[i].metrics[c]) for c in counts),
                *(self.metric(i, metric) for metric in metrics),
            ]
            for i, name in enumerate(self.names)
        ]
        heads = ['system', *counts, *map(column_title, metrics)]
        return self._table(title, heads, rows, self._note())

    def _differences(self, metrics: Sequence[str]) -> Table:
        rows: list[list[Cell]] = []
        for place, name in enumerate(self.names[1:], 1):
            for metric in metrics:
                if metric == 'true_acceleration':
                    continue
                found = self.difference(place, metric)
                rows.append(
                    [name, column_title(metric), found, _verdict(found)]
                )
        return self._table(
            f'Differences to {self.names[0]}',
            ['system', 'metric', 'difference', 'known to differ'],
            rows,
            self._note() + ' A difference is known where its interval '
            'excludes 0.',
        )

    def _groups(self, metrics: Sequence[str]) -> Table:
        rows: list[list[Cell]] = [
            [
                f'{group}: {name}',
                int(self.summaries[i].groups[group]['frames']),
                int(self.summaries[i].groups[group]['missing']),
                *(self.metric(i, metric, group) for metric in metrics),
            ]
            for group in self.summaries[0].groups
            for i, name in enumerate(self.names)
        ]
        heads = [
            'group: system',
            'frames',
            'missing',
            *map(column_title, metrics),
        ]
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
                    float(each.tracks[metric][track])
                    for metric in ('NME_frame', 'motion', 'lag')
                ]
            rows.append(cells)
        heads = ['video', 'frames']
        for name in self.names:
            heads += [
                f'{name}: {metric}'
                for metric in ('missing', 'NME (%)', 'motion (%)', 'lag')
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


def compare(
    systems: Sequence[LandmarkRecords],
    protocol: Protocol,
    samples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Systems side by side on the frames that all of them have.

    Args:
        systems (Sequence[LandmarkRecords]): The first is the one that the
            others are compared with.
        protocol (Protocol): How they are measured.
        samples (int): Of the bootstrap over videos (still images).
        seed (int): Of the bootstrap.
    """
    summaries = [evaluate(each, protocol) for each in pair(systems)]
    groups = {
        '': np.ones(len(summaries[0].records), bool),
        **group_rows(summaries[0].records, protocol.grouping),
    }
    parts = {
        name: [
            (each.sums, cluster_sums(each.sums, each.records, rows))
            for each in summaries
        ]
        for name, rows in groups.items()
    }
    return Comparison(
        summaries=tuple(summaries),
        protocol=protocol,
        left_out=tuple(
            len(each) - len(summaries[0].records) for each in systems
        ),
        samples=samples,
        seed=seed,
        bootstrap=compare_sums(parts, samples, seed),
    )
