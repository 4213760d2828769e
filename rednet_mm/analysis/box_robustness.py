"""Error against shift and scale of the box that a network is shown.

Letters: N faces, P perturbations. Boxes are x y w h in pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rednet_mm.evaluation.functional import failure_rate
from rednet_mm.evaluation.protocol import Protocol

from .tables import Cell, Table

SHIFTS = (0.05, 0.1, 0.2)
SCALES = (0.8, 0.9, 1.1, 1.25)
DIRECTIONS = 8
WORST = 'worst direction (%)'


@dataclass(frozen=True)
class Perturbation:
    """What is done to a box.

    Args:
        radius (float): How far it is moved, in its longer sides.
        angle (float): Whither: 0 is to the right, a quarter turn down;
            radians.
        scale (float): What its sides are multiplied by.
    """

    radius: float = 0.0
    angle: float = 0.0
    scale: float = 1.0

    @property
    def shift(self) -> tuple[float, float]:
        """To the right and down, in longer sides of the box."""
        return (
            self.radius * math.cos(self.angle),
            self.radius * math.sin(self.angle),
        )

    def of(self, box: np.ndarray) -> np.ndarray:
        """The box (4,) that is shown in place of ``box`` (4,).

        The crop is that of ``ShiftScaleBox`` in a pipeline.
        """
        middle = box[:2] + box[2:] / 2 + np.array(self.shift) * max(box[2:])
        size = box[2:] * self.scale
        return np.concatenate([middle - size / 2, size])


def perturbations(
    shifts: Sequence[float] = SHIFTS,
    scales: Sequence[float] = SCALES,
    directions: int = DIRECTIONS,
) -> list[Perturbation]:
    """The box as it is first, then shifts in all directions, then scales.

    Args:
        shifts (Sequence[float]): In longer sides of the box, above 0.
        scales (Sequence[float]): Other than 1.
        directions (int): Evenly round.
    """
    turns = [2 * math.pi * turn / directions for turn in range(directions)]
    return [
        Perturbation(),
        *(Perturbation(r, angle) for r in shifts for angle in turns),
        *(Perturbation(scale=scale) for scale in scales),
    ]


def robustness_tables(
    errors: np.ndarray, grid: Sequence[Perturbation], protocol: Protocol
) -> list[Table]:
    """Tables of shifts, averaged over the directions, and of scales.

    Args:
        errors (np.ndarray): (N, P), percent; NaN unmeasured, infinite where
            nothing was predicted.
        grid (Sequence[Perturbation]): P.
        protocol (Protocol): How the errors were measured.
    """
    radii = sorted({each.radius for each in grid})
    scales = sorted({each.scale for each in grid})
    shifted = [
        (f'{radius:g}', [p.radius == radius and p.scale == 1 for p in grid])
        for radius in radii
    ]
    scaled = [
        (f'{scale:g}', [p.scale == scale and p.radius == 0 for p in grid])
        for scale in scales
    ]
    return [
        Table(
            title,
            protocol.sentence(),
            (head, *_heads(protocol)),
            tuple(
                (name, *_metrics(errors[:, np.array(own)], protocol))
                for name, own in rows
            ),
            note,
        )
        for title, head, rows, note in (
            (
                'Error against shift of the box',
                'shift (sides)',
                shifted,
                'Mean over the directions; in longer sides of the box.',
            ),
            ('Error against scale of the box', 'scale', scaled, ''),
        )
    ]


def detector_table(
    annotated: np.ndarray, detected: np.ndarray, protocol: Protocol
) -> Table:
    """Boxes of a detector beside those of the keypoints, face by face.

    Args:
        annotated (np.ndarray): (N,), percent, in the box of the keypoints.
        detected (np.ndarray): (N,), in the detector's; infinite where it
            found no box of the face.
        protocol (Protocol): How the errors were measured.
    """
    found = ~np.isinf(detected)
    rows = (
        ('the keypoints', annotated),
        ('the detector', detected),
        ('the keypoints, faces that the detector found', annotated[found]),
    )
    heads = _heads(protocol)
    heads.remove(WORST)
    return Table(
        'Error by whose box it is',
        protocol.sentence(),
        ('box of', *heads),
        tuple(
            (name, *metrics[:2], *metrics[3:])
            for name, errors in rows
            for metrics in [_metrics(errors[:, None], protocol)]
        ),
        f'The detector found {found.sum()} of {len(found)} faces.',
    )


def _heads(protocol: Protocol) -> list[str]:
    failures = [f'failure > {t:g} (%)' for t in protocol.failure_thresholds]
    return ['faces', 'NME (%)', WORST, *failures]


def _metrics(errors: np.ndarray, protocol: Protocol) -> list[Cell]:
    """Of the columns (N, D) of one radius or scale."""
    known = ~np.isnan(errors).any(1)
    errors = errors[known]
    columns = [column[np.isfinite(column)] for column in errors.T]
    means = [float(column.mean()) for column in columns if len(column)]
    mean = float(np.mean(means)) if means else math.nan
    worst = max(means, default=math.nan)
    failures = [
        failure_rate(errors, limit) if len(errors) else math.nan
        for limit in protocol.failure_thresholds
    ]
    return [int(known.sum()), mean, worst, *failures]
