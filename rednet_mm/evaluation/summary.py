"""All metrics of a system by a protocol, in one pass; several side by side.

Letters: N rows, M annotated points, G tracks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import POINT_SETS

from .functional import cumulative_curve, mean_errors, norm_lengths
from .groups import group_rows
from .protocol import NORMS, Protocol, point_indices
from .records import LandmarkRecords
from .stability import stability
from .sums import RowSums


@dataclass(frozen=True)
class Summary:
    """What was measured of one system.

    Attributes:
        records (LandmarkRecords): What it was measured on.
        protocol (Protocol): How.
        metrics (dict[str, float]): Over all rows, errors in percent:
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
        sums (RowSums): What the metrics are made of.
    """

    records: LandmarkRecords
    protocol: Protocol
    metrics: dict[str, float]
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
    """All metrics of one system.

    Args:
        records (LandmarkRecords): Its predictions and the ground truth.
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
        metrics=_total(sums, records, np.ones(len(records), bool)),
        groups={
            name: _total(sums, records, rows)
            for name, rows in group_rows(records, protocol.grouping).items()
        },
        tracks=sums.metrics(
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
    """Metrics over some of the rows (a mask)."""
    by_cluster = cluster_sums(sums, records, rows)
    total = {name: value.sum() for name, value in by_cluster.items()}
    return {name: float(value) for name, value in sums.metrics(total).items()}


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
        measurable = set(self.records.measurable())
        found = {}
        for norm in NORMS:
            eyes = norm not in ('box', 'box_size')
            if eyes and number != 68:
                continue
            if norm == 'box_size' and np.isnan(self.records.box_sizes).any():
                continue
            for name, points in sets.items():
                if set(points) <= measurable:
                    errors = self.errors(norm, points)
                    known = errors[np.isfinite(errors)]
                    found[norm, name] = (
                        float(known.mean()) if len(known) else float('nan')
                    )
        return found


# -- groups -------------------------------------------------------------------


# -- several systems ----------------------------------------------------------
