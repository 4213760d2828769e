"""What runs over the frames of a video, and which videos are worth a look.

Letters: S systems, N rows, F frames of one track.
"""

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np
from matplotlib.figure import Figure

from rednet_mm.evaluation.protocol import NORMS
from rednet_mm.evaluation.records import LandmarkRecords
from rednet_mm.evaluation.summary import Summary
from rednet_mm.utils.errors import UserError

from ..comparison import Comparison
from .plots import plot_over_time

# Name on the command line: what the axis says; {norm} in words.
CURVES = {
    'error': 'error, % of\n{norm}',
    'motion': "error of motion, % of the face's size",
    'acceleration': "acceleration, % of the face's size",
    'x36': 'x of the outer corner of\nthe right eye (36), pixels',
}


@dataclass(frozen=True)
class Chosen:
    """A track to be looked at.

    Args:
        track (int): Its number.
        reason (str): Why it was chosen.
    """

    track: int
    reason: str


def measure_of(summary: Summary, what: str) -> np.ndarray:
    """One of ``MEASURES`` of every row, shape (N,).

    NaN where it is not defined; an error is infinite where the system gave
    nothing.

    Raises:
        UserError: if the landmark of ``'x36'`` is not predicted.
    """
    if what != 'x36':
        values = dict(
            error=summary.errors,
            motion=summary.motion,
            acceleration=summary.acceleration,
        )
        return values[what]
    points = summary.records.points
    if 36 not in points or summary.records.truth.shape[1] != 68:
        raise UserError(f'{summary.name} does not predict landmark 36')
    return summary.records.prediction[:, points.index(36), 0]


def track_named(records: LandmarkRecords, name: str) -> int:
    """The number of a track.

    Raises:
        UserError: if there is none of this name.
    """
    if name in records.track_names:
        return records.track_names.index(name)
    some = ', '.join(records.track_names[:8])
    more = ', ...' if len(records.track_names) > 8 else ''
    raise UserError(f'there is no video {name!r}; there are {some}{more}')


def choose_tracks(
    comparison: Comparison, videos: Sequence[str] = ()
) -> list[Chosen]:
    """The videos that are asked for, the worst, and the most different.

    Args:
        comparison (Comparison): The systems.
        videos (Sequence[str]): Names of tracks to be there in any case.

    Returns:
        list[Chosen]: Each track once; none of them a single frame but those
        that are asked for.

    Raises:
        UserError: if there is no such video.
    """
    records = comparison.summaries[0].records
    chosen = [
        Chosen(track_named(records, name), 'asked for') for name in videos
    ]
    counts = np.bincount(records.tracks, minlength=len(records.track_names))
    means = np.stack(
        [each.tracks['NME_frame'] for each in comparison.summaries]
    )  # (S, tracks)
    means = np.where((counts > 1) & np.isfinite(means), means, np.nan)
    first = comparison.names[0]
    wanted = [(means[0], f'the largest mean error of {first}')]
    if len(means) > 1:
        apart = np.abs(means[1:] - means[0])
        system = 1 + np.nan_to_num(apart, nan=-1).max(1).argmax()
        wanted.append(
            (
                apart[system - 1],
                f'the largest difference of {comparison.names[system]} '
                f'to {first}',
            )
        )
    for values, reason in wanted:
        if np.isfinite(values).any():
            track = int(np.nanargmax(values))
            if track not in {each.track for each in chosen}:
                chosen.append(Chosen(track, reason))
    return chosen


def draw_track(
    summaries: Sequence[Summary],
    track: int,
    what: str,
    title: Optional[str] = None,
) -> Figure:
    """A measure of all systems over the frames of one track.

    Args:
        summaries (Sequence[Summary]): Of S systems on the same rows.
        track (int): Its number.
        what (str): One of ``MEASURES``.
        title (str, optional): Above the plot.
    """
    records = summaries[0].records
    rows = np.flatnonzero(records.tracks == track)
    rows = rows[np.argsort(records.frame_ids[rows], kind='stable')]
    names = [each.name for each in summaries]
    series = [measure_of(each, what)[rows] for each in summaries]
    low: Optional[float] = 0
    threshold = None
    if what == 'x36':
        low = None
        seen = records.visible[rows, 36]
        names.append('truth')
        series.append(np.where(seen, records.truth[rows, 36, 0], np.nan))
    elif what == 'error':
        threshold = max(summaries[0].protocol.failure_thresholds)
    norm = NORMS[summaries[0].protocol.norm]
    return plot_over_time(
        names,
        records.frame_ids[rows],
        np.stack(series),
        CURVES[what].format(norm=norm),
        title,
        low,
        threshold,
    )
