"""All figures of a system by a protocol, in one pass; several side by side.

Letters: N rows, M annotated points, G tracks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from rednet_mm.errors import UserError
from rednet_mm.landmarks import POINT_SETS

from .comparison import Comparison, compare_sums
from .functional import cumulative_curve, mean_errors, norm_lengths
from .protocol import NORMS, Protocol, point_indices
from .records import LandmarkRecords, pair
from .stability import stability
from .sums import RowSums

# What a group is called where the protocol speaks of two.
EASY, HARD = 'common', 'challenging'


@dataclass(frozen=True)
class Summary:
    """What was measured of one system.

    Attributes:
        records (LandmarkRecords): What it was measured on.
        protocol (Protocol): How.
        figures (dict[str, float]): Over all rows, errors in percent:
            ``NME``, ``NME_std``, ``failure_rate@8``, ``AUC@8`` and so on,
            ``NME_frame``, ``NME_video``, ``motion``, ``acceleration``,
            ``true_acceleration``, ``lag`` (frames), ``nmf``, and the
            counts ``frames``, ``missing``, ``unmeasured``, ``reinits``.
        groups (dict[str, dict[str, float]]): The same of each group.
        tracks (dict[str, np.ndarray]): The same of each track, (G,) each, by
            ``records.track_names``.
        landmarks (np.ndarray): (M,), error of each point in percent, NaN
            where it is not measured.
        others (dict[tuple[str, str], float]): NME of frames by other norms
            and points: ``('pupils', '51')`` and so on.
        errors (np.ndarray): (N,), percent; NaN unmeasured, infinite missing.
        motion (np.ndarray): (N,), from this frame to the next, NaN at ends.
        acceleration (np.ndarray): (N,), of the predictions, NaN at ends.
        ced (tuple[np.ndarray, np.ndarray]): Thresholds, shares; percent.
        sums (RowSums): What the figures are made of.
    """

    records: LandmarkRecords
    protocol: Protocol
    figures: dict[str, float]
    groups: dict[str, dict[str, float]]
    tracks: dict[str, np.ndarray]
    landmarks: np.ndarray
    others: dict[tuple[str, str], float]
    errors: np.ndarray
    motion: np.ndarray
    acceleration: np.ndarray
    ced: tuple[np.ndarray, np.ndarray]
    sums: RowSums = field(repr=False)

    @property
    def name(self) -> str:
        """Of the system."""
        return self.records.name


def evaluate(records: LandmarkRecords, protocol: Protocol) -> Summary:
    """All figures of one system.

    Args:
        records (LandmarkRecords): Its predictions and the truth.
        protocol (Protocol): How they are measured.

    Raises:
        UserError: if the points are not predicted, the norm or the groups
            are not known for the data, or no frame can be measured.
    """
    measured = _Measured(records)
    points = point_indices(protocol.points, records.truth.shape[1])
    errors = measured.errors(protocol.norm, points)
    if np.isnan(errors).all():
        raise UserError(
            'no frame has annotated landmarks to measure by (norm '
            f'{protocol.norm})'
        )
    columns = measured.columns(points)
    steady = stability(
        _columns(records.prediction, columns),
        _columns(records.truth, points),
        _columns(records.visible, points),
        measured.length('box'),
        records.tracks,
        records.frame_ids,
    )
    sums = RowSums(errors, steady, records.reinits, protocol)
    return Summary(
        records=records,
        protocol=protocol,
        figures=_total(sums, records, np.ones(len(records), bool)),
        groups={
            name: _total(sums, records, rows)
            for name, rows in group_rows(records, protocol.grouping).items()
        },
        tracks=sums.figures(
            sums.by(records.tracks, len(records.track_names), records.tracks)
        ),
        landmarks=measured.landmarks(protocol.norm, points),
        others=measured.others(),
        errors=errors,
        motion=steady.motion,
        acceleration=steady.acceleration,
        ced=cumulative_curve(errors, max(protocol.auc_limits)),
        sums=sums,
    )


def _total(
    sums: RowSums, records: LandmarkRecords, rows: np.ndarray
) -> dict[str, float]:
    """Figures over some of the rows (a mask)."""
    by_cluster = cluster_sums(sums, records, rows)
    total = {name: value.sum() for name, value in by_cluster.items()}
    return {name: float(value) for name, value in sums.figures(total).items()}


def cluster_sums(
    sums: RowSums, records: LandmarkRecords, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Sums of each cluster that has any of the rows (a mask)."""
    present, labels = np.unique(records.clusters[rows], return_inverse=True)
    every = np.full(len(records), -1)
    every[rows] = labels
    return sums.by(every, len(present), records.tracks)


def _columns(values: np.ndarray, points: Sequence[int]) -> np.ndarray:
    """Some of the points (axis 1), without a copy where these are all."""
    if list(points) == list(range(values.shape[1])):
        return values
    return values[:, list(points)]


class _Measured:
    """Distances of all points, and errors of any points by any norm."""

    def __init__(self, records: LandmarkRecords) -> None:
        self.records = records
        truth = _columns(records.truth, records.points)
        # (N, K), pixels
        self.distance = np.linalg.norm(records.prediction - truth, axis=-1)
        self._lengths: dict[str, np.ndarray] = {}

    def length(self, norm: str) -> np.ndarray:
        """What errors are divided by, (N,) in pixels."""
        if norm not in self._lengths:
            self._lengths[norm] = self._length(norm)
        return self._lengths[norm]

    def _length(self, norm: str) -> np.ndarray:
        records = self.records
        if norm != 'box_size':
            lengths = norm_lengths(records.truth, norm, records.visible)
            return np.where(np.isfinite(lengths), lengths, np.nan)
        unknown = np.isnan(records.box_sizes)
        if unknown.any():
            raise UserError(
                f'{records.image_paths[int(unknown.argmax())]} has no '
                "box_size, which norm='box_size' divides by; convert the "
                'data set again or choose another norm'
            )
        return records.box_sizes

    def columns(self, points: Sequence[int]) -> list[int]:
        """Where the points are among the predicted ones."""
        places = {point: i for i, point in enumerate(self.records.points)}
        lacking = [point for point in points if point not in places]
        if lacking:
            raise UserError(
                f'{self.records.name} predicts {len(places)} points, and '
                f'not point {lacking[0]}; measure it with fewer (points '
                "'7', or 'all' of other schemes)"
            )
        return [places[point] for point in points]

    def errors(self, norm: str, points: Sequence[int]) -> np.ndarray:
        """Errors of the frames, (N,) in percent."""
        return mean_errors(
            _columns(self.distance, self.columns(points)),
            _columns(self.records.visible, points),
            self.length(norm),
        )

    def landmarks(self, norm: str, points: Sequence[int]) -> np.ndarray:
        """Mean error of each point over the frames that have it, (M,)."""
        found = np.full(self.records.truth.shape[1], np.nan)
        relative = (
            100
            * self.distance[:, self.columns(points)]
            / self.length(norm)[:, None]
        )
        known = self.records.visible[:, list(points)] & np.isfinite(relative)
        count = known.sum(0)
        total = np.where(known, relative, 0).sum(0)
        found[list(points)] = np.where(
            count > 0, total / np.maximum(count, 1), np.nan
        )
        return found

    def others(self) -> dict[tuple[str, str], float]:
        """Mean over frames by every norm and set of points that there is."""
        number = self.records.truth.shape[1]
        sets = POINT_SETS if number == 68 else {'all': tuple(range(number))}
        found = {}
        for norm in NORMS:
            eyes = norm not in ('box', 'box_size')
            if eyes and number != 68:
                continue
            if norm == 'box_size' and np.isnan(self.records.box_sizes).any():
                continue
            for name, points in sets.items():
                if set(points) <= set(self.records.points):
                    errors = self.errors(norm, points)
                    known = errors[np.isfinite(errors)]
                    found[norm, name] = (
                        float(known.mean()) if len(known) else float('nan')
                    )
        return found


# -- groups -------------------------------------------------------------------


def group_rows(
    records: LandmarkRecords, grouping: Optional[str]
) -> dict[str, np.ndarray]:
    """Masks (N,) of the groups of frames, those that have any.

    Args:
        records (LandmarkRecords): Which frames there are.
        grouping (str, optional): See ``protocol.GROUPINGS``; None: none.

    Raises:
        UserError: if a frame does not say to which group it belongs.
    """
    if grouping is None:
        return {}
    if grouping == 'category':
        known = records.categories >= 0
        groups = {
            EASY: records.categories == 1,
            HARD: records.categories > 1,
        }
        for number in np.unique(records.categories[known]):
            groups[f'category_{number}'] = records.categories == number
    elif grouping == 'yaw':
        known = ~np.isnan(records.yaws)
        groups = {
            EASY: np.abs(records.yaws) <= 30,
            HARD: np.abs(records.yaws) > 30,
        }
    elif grouping == 'turn':
        turn = head_turns(records)
        known = ~np.isnan(turn)
        groups = {EASY: turn <= 0.2, HARD: turn > 0.2}
    else:
        known = records.groups != ''
        groups = {
            str(name): records.groups == name
            for name in np.unique(records.groups[known])
        }
    if not known.all():
        raise UserError(
            f'{records.image_paths[int((~known).argmax())]} has no '
            f'{grouping}, by which frames are grouped; choose no groups '
            '(test_evaluator.groups=None, or another --protocol)'
        )
    return {name: rows for name, rows in groups.items() if rows.any()}


def head_turns(records: LandmarkRecords) -> np.ndarray:
    """How far the nose tip lies from the middle of the eyes, (N,).

    Measured along the line of the outer eye corners, in shares of their
    distance. The nose tip stands about half that distance in front of them,
    so at a yaw of y degrees this is about tan(y) / 2: 0.2 at 22 degrees. NaN
    where one of the three points is not annotated.
    """
    if records.truth.shape[1] != 68:
        return np.full(len(records), np.nan)
    nose, start, end = (records.truth[:, point] for point in (30, 36, 45))
    eyes = end - start
    share = ((nose - start) * eyes).sum(1) / np.maximum(
        (eyes * eyes).sum(1), 1e-12
    )
    known = records.visible[:, [30, 36, 45]].all(1)
    return np.where(known, np.abs(share - 0.5), np.nan)


# -- several systems ----------------------------------------------------------


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
        samples (int): Of the bootstrap over videos (images of stills).
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
