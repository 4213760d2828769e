"""Predictions and ground truth of one system on one data set, as arrays.

Letters: N faces in frames (rows), K points predicted of M annotated (68, or
what another scheme has), 2 coordinates in pixels of the image.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import POINT_SETS, SEVEN_OF_68

# Truth of two systems may differ by this much: rounding, not other data.
SAME_TRUTH = 0.05  # pixels

# What systems on the same data have in common.
DATA_FIELDS = (
    'truth',
    'visible',
    'boxes',
    'tracks',
    'track_names',
    'clusters',
    'frame_ids',
    'categories',
    'groups',
    'yaws',
    'box_sizes',
    'image_paths',
)


@dataclass(frozen=True)
class LandmarkRecords:
    """One system on one data set; rows by track and frame.

    Attributes:
        name (str): Of the system, for tables.
        points (tuple[int]): Which K of the M points are predicted.
        prediction (np.ndarray): (N, K, 2), NaN where the system gave nothing.
        truth (np.ndarray): (N, M, 2).
        visible (np.ndarray): (N, M), true where a point is annotated.
        boxes (np.ndarray): (N, 4), x y w h of the annotation.
        keys (tuple[tuple[str, str]]): Image file and face, by which systems
            are paired.
        tracks (np.ndarray): (N,), the face in a video a row belongs to; a
            still is a track of its own.
        track_names (tuple[str]): By track.
        clusters (np.ndarray): (N,), what the bootstrap draws: the video, for
            still images the image.
        frame_ids (np.ndarray): (N,), 0-based position in the video.
        categories (np.ndarray): (N,), 1 to 3 of 300-VW, -1 unknown.
        groups (np.ndarray): (N,), the list of the data set, '' unknown.
        yaws (np.ndarray): (N,), degrees, NaN unknown.
        box_sizes (np.ndarray): (N,), what the file says, NaN unknown.
        scores (np.ndarray, optional): (N, K).
        image_paths (tuple[str]): Of the rows, for drawing.
        reinits (np.ndarray): (N,), true where a detector was asked again.
        provenance (dict[str, str]): Config, checkpoint, commit and so on.
    """

    name: str
    points: tuple[int, ...]
    prediction: np.ndarray
    truth: np.ndarray
    visible: np.ndarray
    boxes: np.ndarray
    keys: tuple[tuple[str, ...], ...]
    tracks: np.ndarray
    track_names: tuple[str, ...]
    clusters: np.ndarray
    frame_ids: np.ndarray
    categories: np.ndarray
    groups: np.ndarray
    yaws: np.ndarray
    box_sizes: np.ndarray
    scores: Optional[np.ndarray]
    image_paths: tuple[str, ...]
    reinits: np.ndarray
    provenance: dict[str, str]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def is_video(self) -> bool:
        """Whether any track has more than one frame."""
        return len(np.unique(self.tracks)) < len(self)

    def measurable(self) -> tuple[int, ...]:
        """The predicted points, or the 7 of them where only 7 are annotated.

        Data of seven points beside a network of 68: what has no truth
        anywhere is not called measured.
        """
        annotated = set(np.flatnonzero(self.visible.any(0)).tolist())
        if self.visible.shape[1] == 68 and annotated <= set(SEVEN_OF_68):
            return tuple(p for p in self.points if p in SEVEN_OF_68)
        return self.points

    def select(self, rows: np.ndarray) -> 'LandmarkRecords':
        """Some of the rows, in the order that is asked for.

        Args:
            rows (np.ndarray): Indices, or a mask (N,).
        """
        rows = np.asarray(rows)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        changed: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                changed[field.name] = value[rows]
            elif field.name in ('keys', 'image_paths'):
                changed[field.name] = tuple(value[row] for row in rows)
        return dataclasses.replace(self, **changed)


# Kinds of numpy's types and the shape of each array, see LandmarkRecords.
_ARRAYS = dict(
    prediction=('f', 'NK2'),
    truth=('f', 'NM2'),
    visible=('b', 'NM'),
    boxes=('f', 'N4'),
    tracks=('i', 'N'),
    clusters=('i', 'N'),
    frame_ids=('i', 'N'),
    categories=('i', 'N'),
    groups=('U', 'N'),
    yaws=('f', 'N'),
    box_sizes=('f', 'N'),
    scores=('f', 'NK'),
    reinits=('b', 'N'),
)


def check_records(records: LandmarkRecords) -> None:
    """See that the fields of records out of a file go together.

    Raises:
        ValueError: if one of them is of another type or shape.
    """
    sizes = {
        'N': len(records.truth),
        'M': records.truth.shape[1],
        'K': len(records.points),
    }
    for name, (kind, letters) in _ARRAYS.items():
        value = getattr(records, name)
        if value is None and name == 'scores':
            continue
        shape = tuple(sizes.get(s) or int(s) for s in letters)
        if value.shape != shape or value.dtype.kind != kind:
            raise ValueError(f'{name} are {value.dtype} of {value.shape}')
    words = [records.name, *records.track_names, *records.image_paths]
    words += [word for key in records.keys for word in key]
    words += [*records.provenance, *records.provenance.values()]
    if not all(isinstance(word, str) for word in words):
        raise ValueError('a name in it is no text')
    numbers = (
        len(records.keys),
        len(records.image_paths),
        *({len(key) for key in records.keys} - {2}),
    )
    if set(numbers) != {sizes['N']}:
        raise ValueError('it names other rows than it has')
    for indices, limit in (
        (records.points, sizes['M']),
        (records.tracks, len(records.track_names)),
        (records.clusters, sizes['N']),
    ):
        if not all(0 <= index < limit for index in set(indices)):
            raise ValueError('an index in it leads nowhere')


# -- from data samples -------------------------------------------------------


def sample_row(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What evaluation needs of one data sample, numpy and plain values.

    Args:
        sample (Mapping): A frame with one face, as MMEngine's evaluator
            hands it on: ``pred_instances`` and ``gt_instances`` in pixels
            of the image. The rest may be missing (MMPose's own data sets):
            then it is a still.

    Raises:
        UserError: if predicted and annotated points do not go together.
    """
    # Doubles are made when rows are stacked: most files hold single ones.
    truth = np.asarray(sample['gt_instances']['keypoints'])[0]
    seen = np.asarray(sample['gt_instances']['keypoints_visible'])
    # MMPose's KeypointConverter appends weights.
    seen = (seen[..., 0] if seen.ndim == 3 else seen)[0] > 0
    found = sample['pred_instances']
    prediction = np.asarray(found['keypoints'])[0]
    truth, seen = among_68(truth, seen, len(prediction))
    path = str(sample.get('img_path') or sample.get('img_id', ''))
    scores = found.get('keypoint_scores')
    return dict(
        points=predicted_points(len(prediction), len(truth), path),
        prediction=prediction,
        truth=truth,
        visible=seen,
        box=_sample_box(sample, truth, seen),
        scores=None if scores is None else np.asarray(scores)[0],
        path=path,
        face=str(sample.get('id', '')),
        track=sample.get('track'),
        video=sample.get('video_id'),
        frame_id=int(sample.get('frame_id') or 0),
        category=sample.get('category'),
        group=sample.get('group'),
        yaw=sample.get('yaw'),
        box_size=sample.get('box_size'),
        reinit=bool(sample.get('reinit', False)),
    )


def among_68(
    truth: np.ndarray, seen: np.ndarray, predicted: int
) -> tuple[np.ndarray, np.ndarray]:
    """The seven annotated keypoints among 68, where 68 are predicted.

    Args:
        truth (np.ndarray): (M, 2).
        seen (np.ndarray): (M,), true where a keypoint is annotated.
        predicted (int): K.

    Returns:
        tuple: Both for 68 keypoints, the others not annotated; unchanged
        unless M is 7 and K 68.
    """
    if len(truth) != len(SEVEN_OF_68) or predicted != 68:
        return truth, seen
    all_truth, all_seen = np.zeros((68, 2), truth.dtype), np.zeros(68, bool)
    all_truth[list(SEVEN_OF_68)], all_seen[list(SEVEN_OF_68)] = truth, seen
    return all_truth, all_seen


def predicted_points(
    predicted: int, annotated: int, path: str
) -> tuple[int, ...]:
    """Which of the annotated points so many predicted ones are.

    Args:
        predicted (int): K.
        annotated (int): M.
        path (str): For the sentence.

    Raises:
        UserError: if there is no such set.
    """
    if predicted == annotated:
        return tuple(range(annotated))
    if annotated == 68 and str(predicted) in POINT_SETS:
        return POINT_SETS[str(predicted)]
    raise UserError(
        f'{path}: {predicted} landmarks predicted, {annotated} annotated; '
        'model and data must have the same scheme'
    )


def _sample_box(
    sample: Mapping[str, Any], truth: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """The annotated box, or the extent of the keypoints: x y w h."""
    boxes = sample['gt_instances'].get('bboxes')
    if boxes is not None and np.shape(boxes)[-1] == 4:
        left, top, right, bottom = np.asarray(boxes, float)[0]
    elif seen.any():
        (left, top), (right, bottom) = truth[seen].min(0), truth[seen].max(0)
    else:
        return np.full(4, np.nan)
    return np.array([left, top, right - left, bottom - top])


def records_from_samples(
    samples: Iterable[Mapping[str, Any]],
    name: str = 'model',
    provenance: Optional[Mapping[str, str]] = None,
) -> LandmarkRecords:
    """Records of data samples (dictionaries), in any order.

    Args:
        samples (Iterable[Mapping]): See :func:`sample_row`.
        name (str): Of the system.
        provenance (Mapping, optional): Where the predictions come from.
    """
    return records_from_rows(map(sample_row, samples), name, provenance)


def records_from_rows(
    rows: Iterable[dict[str, Any]],
    name: str = 'model',
    provenance: Optional[Mapping[str, str]] = None,
) -> LandmarkRecords:
    """Records of what :func:`sample_row` gives, in any order.

    Raises:
        UserError: if there are no rows, a face comes twice, or the frames
            have different points.
    """
    rows = list(rows)
    if not rows:
        raise UserError(f'{name}: there are no frames to measure')
    for field in ('points', 'truth'):
        sizes = {len(row[field]) for row in rows}
        if len(sizes) > 1:
            raise UserError(
                f'{name}: frames of {" and ".join(map(str, sorted(sizes)))} '
                'points cannot be measured together'
            )
    _name_faces(rows)
    _name_tracks(rows)
    rows.sort(key=lambda row: (row['order'], row['frame_id'], row['key']))
    twice = [k for k, n in Counter(r['key'] for r in rows).items() if n > 1]
    if twice:
        raise UserError(
            f'{name}: {twice[0][0]} (face {twice[0][1]}) is there twice; '
            'each face of each frame must be predicted once'
        )
    tracks = {row['order']: row['track_name'] for row in rows}
    numbers = {order: number for number, order in enumerate(tracks)}
    clusters: dict[str, int] = {}
    for row in rows:
        clusters.setdefault(row['cluster'], len(clusters))
    scores = [row['scores'] for row in rows]
    return LandmarkRecords(
        name=name,
        points=rows[0]['points'],
        prediction=_doubles(rows, 'prediction'),
        truth=_doubles(rows, 'truth'),
        visible=np.stack([row['visible'] for row in rows]),
        boxes=_doubles(rows, 'box'),
        keys=tuple(row['key'] for row in rows),
        tracks=np.array([numbers[row['order']] for row in rows]),
        track_names=tuple(tracks.values()),
        clusters=np.array([clusters[row['cluster']] for row in rows]),
        frame_ids=np.array([row['frame_id'] for row in rows]),
        categories=np.array(
            [-1 if r['category'] is None else r['category'] for r in rows]
        ),
        groups=np.array([row['group'] or '' for row in rows]),
        yaws=_numbers(rows, 'yaw'),
        box_sizes=_numbers(rows, 'box_size'),
        scores=None if any(s is None for s in scores) else np.stack(scores),
        image_paths=tuple(row['path'] for row in rows),
        reinits=np.array([row['reinit'] for row in rows]),
        provenance=dict(provenance or {}),
    )


def _doubles(rows: list[dict[str, Any]], field: str) -> np.ndarray:
    return np.stack([row[field] for row in rows], dtype=np.float64)


def _numbers(rows: list[dict[str, Any]], field: str) -> np.ndarray:
    values = [row[field] for row in rows]
    return np.array([np.nan if v is None else v for v in values], float)


def _name_faces(rows: list[dict[str, Any]]) -> None:
    """The key of each row: its image file and a face of it."""
    nameless: Counter = Counter()
    for row in rows:
        if not row['face']:
            row['face'] = f'#{nameless[row["path"]]}'
            nameless[row['path']] += 1
        row['key'] = (row['path'], row['face'])


def _name_tracks(rows: list[dict[str, Any]]) -> None:
    """Track and cluster of each row: its video, or the still that it is.

    A video is named by the folder (or the video file) that its frames are in.
    """
    for row in rows:
        path, face = row['key']
        if row['video'] is None or row['track'] is None:
            row.update(order=(path, face), cluster=path)
            row['track_name'] = path
            continue
        folder, _, file = path.rpartition('/')
        folder = path.rpartition('#')[0] if '#' in file else folder
        video, who = str(row['video']), str(row['track'][-1])
        row.update(
            order=(f'{folder}#{video}', who), cluster=f'{folder}#{video}'
        )
        row['track_name'] = os.path.basename(folder) or video
    # Names are short; what shares one is told apart by who it is.
    names: dict[str, set] = {}
    for row in rows:
        names.setdefault(row['track_name'], set()).add(row['order'])
    for row in rows:
        if len(names[row['track_name']]) > 1:
            row['track_name'] += ' ' + '/'.join(
                part.rpartition('#')[2] for part in row['order']
            )


# -- several systems ---------------------------------------------------------


def _tails(records: LandmarkRecords, parts: int) -> list[tuple[str, ...]]:
    """Keys whose files are cut to their last ``parts`` components."""
    return [
        ('/'.join(path.split('/')[-parts:]), *rest)
        for path, *rest in records.keys
    ]


def _common_keys(
    systems: Sequence[LandmarkRecords],
) -> list[list[tuple[str, ...]]]:
    """Keys of each system that mean the same whatever folder data is in.

    The shortest ends of the paths that tell the rows of each system apart.
    """
    longest = max(
        path.count('/') + 1 for each in systems for path, *_ in each.keys
    )
    for parts in range(1, longest + 1):
        keys = [_tails(each, parts) for each in systems]
        if all(len(set(own)) == len(own) for own in keys):
            return keys
    return [list(each.keys) for each in systems]


def pair(systems: Sequence[LandmarkRecords]) -> list[LandmarkRecords]:
    """The same rows of all systems, in the order of the first.

    A row that one of them does not have is left out of all; where a system
    has the row and gave nothing, its prediction is NaN and stays.

    Args:
        systems (Sequence[LandmarkRecords]): Of one data set, wherever its
            files lie.

    Raises:
        UserError: if no row is common, or the ground truth is not the same.
    """
    keys = _common_keys(systems)
    places = [{key: row for row, key in enumerate(own)} for own in keys]
    common = [k for k in keys[0] if all(k in there for there in places[1:])]
    if not common:
        raise UserError(
            'no frame is common to '
            + ', '.join(each.name for each in systems)
            + '; compare systems on the same images and faces'
        )
    paired = [
        each
        if own == common
        else each.select(np.array([there[key] for key in common]))
        for each, own, there in zip(systems, keys, places)
    ]
    for each in paired[1:]:
        _check_same_truth(paired[0], each)
    # What belongs to the data is that of the first.
    shared = {name: getattr(paired[0], name) for name in DATA_FIELDS}
    return [dataclasses.replace(each, **shared) for each in paired]


def _check_same_truth(one: LandmarkRecords, two: LandmarkRecords) -> None:
    wrong = f'{one.name} and {two.name} were not measured on the same data'
    if one.truth.shape != two.truth.shape:
        raise UserError(f'{wrong}: the annotated points differ in number')
    both = (one.visible & two.visible)[..., None]
    apart = np.abs(np.where(both, one.truth - two.truth, 0)).max((1, 2))
    if apart.max() > SAME_TRUTH:
        path = one.image_paths[int(apart.argmax())]
        raise UserError(
            f'{wrong}: the keypoints of {path} lie {apart.max():.2f} pixels '
            'apart'
        )
