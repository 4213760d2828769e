"""What was measured, as a record: named, versioned, printed with metrics."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Optional

from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import POINT_SETS

VERSION = '1'

# What errors are divided by, in words.
NORMS = {
    'outer_eyes': 'the distance of the outer eye corners',
    'pupils': 'the distance of the centres of the eyes',
    'box': "sqrt(w * h) of the true keypoints' extent",
    'box_size': 'the box size that the annotation file gives',
    'eye_mouth': 'the distance of the centres of the eye corners and of the '
    'mouth corners',
}

# What the groups of frames are, in words.
GROUPINGS = {
    'category': 'common: category 1 of 300-VW, challenging: 2 and 3',
    'yaw': 'common: |yaw| up to 30 degrees, challenging: beyond',
    'turn': 'common: heads that the keypoints show turned by less than about '
    '22 degrees, challenging: the others',
    'list': "the data set's own lists",
}

MEANS = {'frame': 'frames', 'video': 'videos of their means over frames'}


def point_indices(name: str, number: int = 68) -> tuple[int, ...]:
    """Which points a name stands for.

    Args:
        name (str): One of ``POINT_SETS``, ``'all'``, or indices with commas.
        number (int): Of the points that are annotated.

    Raises:
        UserError: if there is no such set among so many points.
    """
    if name == 'all' or name == str(number):
        return tuple(range(number))
    if name in POINT_SETS and number == 68:
        return POINT_SETS[name]
    words = name.split(',')
    if all(word.isdigit() and int(word) < number for word in words):
        return tuple(int(word) for word in words)
    known = ', '.join(POINT_SETS)
    raise UserError(
        f'points {name!r} are not a set of {number} points; choose {known} '
        '(of 68), all, or indices with commas'
    )


def points_name(indices: tuple[int, ...], number: int = 68) -> str:
    """The name of a set of points, or its indices with commas."""
    for name, known in POINT_SETS.items():
        if number == 68 and set(known) == set(indices):
            return name
    if set(indices) == set(range(number)):
        return 'all'
    return ','.join(map(str, indices))


@dataclass(frozen=True)
class Protocol:
    """How errors become metrics; stored and printed with every table.

    Args:
        name (str): Of the protocol.
        version (str): Rises when metrics of one name change.
        norm (str): One of ``NORMS``: what errors are divided by.
        points (str): Which points are measured, see :func:`point_indices`.
        failure_thresholds (tuple[float]): A frame with a larger error, in
            percent, has failed.
        auc_limits (tuple[float]): In percent: up to where the area under the
            cumulative curve is taken.
        mean (str): ``'frame'``: over all frames; ``'video'``: over videos of
            the mean over their frames.
        grouping (str, optional): One of ``GROUPINGS``.
        boxes (str): Where the boxes came from: ``'truth'``, ``'tracking'``,
            or in words.

    Raises:
        UserError: for a norm, points, mean or grouping that is not known.
    """

    name: str = 'rednet'
    version: str = VERSION
    norm: str = 'outer_eyes'
    points: str = '68'
    failure_thresholds: tuple[float, ...] = (8.0, 10.0)
    auc_limits: tuple[float, ...] = (8.0, 10.0)
    mean: str = 'frame'
    grouping: Optional[str] = None
    boxes: str = 'truth'

    def __post_init__(self) -> None:
        for field, known in (('norm', NORMS), ('mean', MEANS)):
            _check(field, getattr(self, field), known)
        if self.grouping is not None:
            _check('groups', self.grouping, GROUPINGS)

    def sentence(self) -> str:
        """The protocol in one sentence."""
        failures, limits = (
            ' and '.join(f'{value:g}' for value in values)
            for values in (self.failure_thresholds, self.auc_limits)
        )
        points = 'all points' if self.points == 'all' else self._points()
        return (
            f'protocol {self.name} (version {self.version}): {points}, error '
            f'over {NORMS[self.norm]} (norm {self.norm}), mean over '
            f'{MEANS[self.mean]}, failure above {failures} %, AUC up to '
            f'{limits} %, boxes from {self.boxes}'
            + (f', groups {GROUPINGS[self.grouping]}' if self.grouping else '')
            + '; a frame without prediction is a failure with an AUC of 0 and '
            'is left out of means of errors; errors and their areas are in %'
        )

    def _points(self) -> str:
        if self.points in POINT_SETS:
            return f'{self.points} points'
        return f'points {self.points}'

    def to_dict(self) -> dict[str, Any]:
        """The fields, for storing beside metrics."""
        return dataclasses.asdict(self)


def _check(field: str, value: str, known: dict[str, str]) -> None:
    if value not in known:
        raise UserError(f'{field} {value!r} is not one of {", ".join(known)}')


# Protocols of the literature by name (docs/evaluation.md says whose).
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(),
        Protocol('300vw', grouping='category'),
        Protocol('300vw-49', points='49', grouping='category'),
        Protocol('300vw-7', points='7', grouping='category'),
        Protocol('300w', grouping='list'),
        Protocol('300w-51', points='51', grouping='list'),
        Protocol('300w-pupils', norm='pupils', grouping='list'),
        Protocol('aflw', norm='box_size', points='7', grouping='yaw'),
        Protocol('turn', grouping='turn'),
    )
}


def named_protocol(name: str, **changes: Any) -> Protocol:
    """A protocol by its name; with changes it no longer bears it alone.

    Args:
        name (str): One of ``PROTOCOLS``.
        **changes: Fields in place of the protocol's; None changes nothing.

    Raises:
        UserError: if there is no such protocol.
    """
    if name not in PROTOCOLS:
        raise UserError(
            f'protocol {name!r} is not one of {", ".join(PROTOCOLS)}'
        )
    protocol = PROTOCOLS[name]
    wanted = {
        field: value
        for field, value in changes.items()
        if value is not None and value != getattr(protocol, field)
    }
    # Where boxes come from belongs to a run, not to the rules.
    if set(wanted) - {'boxes'}:
        wanted['name'] = f'{name}, changed'
    return dataclasses.replace(protocol, **wanted)
