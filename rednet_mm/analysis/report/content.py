"""What a report shows of a comparison: figures and faces."""

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np
from matplotlib.figure import Figure

from rednet_mm.datasets import LoadVideoFrame
from rednet_mm.evaluation.functional import norm_lengths
from rednet_mm.evaluation.protocol import NORMS
from rednet_mm.evaluation.summary import Summary

from ..comparison import Comparison
from .mean_face import mean_face
from .over_time import choose_tracks, draw_track
from .plots import plot_ced, plot_groups, plot_landmarks
from .render import plot_style
from .worst_frames import draw_row, worst_rows

# Images of each system.
WORST = 6


@dataclass(frozen=True)
class Drawing:
    """A figure with what must be said of it.

    Args:
        section (str): The part of the report it belongs to.
        key (str): Its name, letters and digits.
        figure (Figure): The figure.
        caption (str): Plain text.
    """

    section: str
    key: str
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Face:
    """One of a system's worst frames.

    Args:
        image (np.ndarray, optional): Shape (H, W, 3), BGR; None where the
            image is not at hand.
        error (str): Of this system, with its unit.
        where (str): Which frame it is.
        others (str): The other methods' errors, with their names.
    """

    image: Optional[np.ndarray]
    error: str
    where: str
    others: str

    @property
    def caption(self) -> str:
        """All of it in a line."""
        others = f' ({self.others})' if self.others else ''
        return f'{self.error}: {self.where}{others}'


def has_68(comparison: Comparison) -> bool:
    """Whether the ground truth is the 68 points that the mean face is drawn
    of.
    """
    return comparison.summaries[0].records.truth.shape[1] == 68


def drawings(
    comparison: Comparison, videos: Sequence[str] = ()
) -> list[Drawing]:
    """All figures, in order.

    Args:
        comparison (Comparison): Of S systems.
        videos (Sequence[str]): To be drawn over time in any case.

    Raises:
        UserError: if there is no such video.
    """
    with plot_style():
        found = [_ced(comparison), *_over_time(comparison, videos)]
        if comparison.summaries[0].groups:
            found.append(_groups(comparison))
        if has_68(comparison):
            found.append(_landmarks(comparison))
    return found


def _ced(comparison: Comparison) -> Drawing:
    protocol = comparison.protocol
    limit = max(protocol.auc_limits)
    return Drawing(
        'ced',
        'ced',
        plot_ced(
            comparison.names,
            [each.ced for each in comparison.summaries],
            limit,
            NORMS[protocol.norm].removeprefix('the '),
        ),
        f'Share of the frames whose error is not larger than that on the '
        f'axis, up to {limit:g} %; further up is better. A frame without '
        'prediction never counts.',
    )


def _over_time(comparison: Comparison, videos: Sequence[str]) -> list[Drawing]:
    records = comparison.summaries[0].records
    if not records.is_video:
        return []
    found = []
    for number, chosen in enumerate(choose_tracks(comparison, videos), 1):
        name = records.track_names[chosen.track]
        for what, lost in (
            ('error', ' Ticks above the plot: frames without prediction.'),
            ('motion', ''),
        ):
            found.append(
                Drawing(
                    'time',
                    f'{what}-{number}',
                    draw_track(
                        comparison.summaries,
                        chosen.track,
                        what,
                        f'video {name}',
                    ),
                    f'Video {name} ({chosen.reason}): {what} over the '
                    f'frames.{lost}',
                )
            )
    return found


def _groups(comparison: Comparison) -> Drawing:
    groups = list(comparison.summaries[0].groups)
    metrics = np.array(
        [
            [comparison.metric(system, 'NME', group) for group in groups]
            for system in range(len(comparison.names))
        ]
    )  # (S, G, 3): value, low, high
    values, lows, highs = np.moveaxis(metrics, 2, 0)
    frames = [
        int(each['frames']) for each in comparison.summaries[0].groups.values()
    ]
    return Drawing(
        'groups',
        'groups',
        plot_groups(
            comparison.names,
            [f'{name} ({n:,})' for name, n in zip(groups, frames)],
            values,
            np.where(np.isfinite(lows), lows, values),
            np.where(np.isfinite(highs), highs, values),
            f'mean error, % of {NORMS[comparison.protocol.norm]}',
        ),
        'Mean error of each group (its frames in brackets) with the 95 % '
        'bootstrap interval.',
    )


def _landmarks(comparison: Comparison) -> Drawing:
    first = comparison.summaries[0]
    return Drawing(
        'landmarks',
        'landmarks',
        plot_landmarks(
            comparison.names,
            mean_face(
                first.records.truth, first.records.visible, lengths_of(first)
            ),
            np.stack([each.landmarks for each in comparison.summaries]),
        ),
        'Mean error of each landmark on the mean of the true faces, to '
        "scale: a circle's radius is the mean distance to the mark. The bar "
        f'is 10 % of {NORMS[comparison.protocol.norm]}.',
    )


def lengths_of(summary: Summary) -> np.ndarray:
    """What the errors of a summary were divided by, pixels, shape (N,)."""
    records, norm = summary.records, summary.protocol.norm
    if norm == 'box_size':
        return records.box_sizes
    return norm_lengths(records.truth, norm, records.visible)


def worst_faces(
    comparison: Comparison, system: int, load: LoadVideoFrame
) -> list[Face]:
    """The worst frames of a system, drawn, the worst first.

    Args:
        comparison (Comparison): Of all systems.
        system (int): Which of them.
        load (LoadVideoFrame): Reads the frames.
    """
    summary = comparison.summaries[system]
    records = summary.records
    faces = []
    for row in worst_rows(summary.errors, records.tracks, WORST):
        others = [
            f'{each.name} {_error(each.errors[row])}'
            for place, each in enumerate(comparison.summaries)
            if place != system
        ]
        where = records.track_names[records.tracks[row]]
        if records.is_video:
            where += f', frame {records.frame_ids[row]}'
        else:
            # The image and its folder tell still images apart.
            where = '/'.join(where.split('/')[-2:])
        faces.append(
            Face(
                draw_row(records, row, load),
                _error(summary.errors[row]),
                where,
                ', '.join(others),
            )
        )
    return faces


def _error(value: float) -> str:
    return f'{value:.1f} %' if np.isfinite(value) else 'no prediction'
