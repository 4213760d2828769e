"""Predictions of other systems, measured on an annotation file of ours.

``docs/evaluation.md`` documents the forms: a JSON of frames, COCO's results,
and CSV. Rows are the faces of the annotation file; where a system says
nothing of a face, its prediction is missing and counts as a failure.
"""

import csv
import json
import os.path as osp
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np

from rednet_mm.errors import UserError
from rednet_mm.untrusted import leaves_folder, short

from .records import (
    LandmarkRecords,
    among_68,
    predicted_points,
    records_from_rows,
)
from .safe_pickle import UNREADABLE


def read_predictions(
    path: str, annotations: str, name: Optional[str] = None
) -> LandmarkRecords:
    """Records of a file of predictions.

    Args:
        path (str): ``.json`` or ``.csv``.
        annotations (str): The annotation file of a converted data set.
        name (str, optional): Of the system. None: what the file says, or
            the file's name.

    Raises:
        FileNotFoundError: if either file is not there.
        UserError: if one of them is not what it should be, or no frame is
            in both.
    """
    data = _read_json(annotations, 'an annotation file')
    rows, images = _annotated_rows(data, annotations)
    about: dict[str, Any] = {}
    if path.lower().endswith('.csv'):
        frames = _read_csv(path)
    else:
        frames, about = _frames_in(_read_json(path, 'predictions'), path)
    unknown = _match(frames, rows, images, path)
    provenance = {
        'boxes': 'its own',
        **{key: str(value) for key, value in about.items() if key != 'name'},
        'file': path,
        'annotations': annotations,
    }
    if unknown:
        provenance['not annotated'] = f'{unknown} of its faces, left out'
    found = name or about.get('name') or Path(path).stem
    return records_from_rows(rows, str(found), provenance)


def _read_json(path: str, what: str) -> Any:
    if not osp.isfile(path):
        raise FileNotFoundError(f'{path} does not exist; name {what}')
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f'{path} is not {what} in JSON ({error}); write it anew'
        ) from error


# -- what is annotated --------------------------------------------------------


def _annotated_rows(
    data: Any, path: str
) -> tuple[list[dict[str, Any]], dict[Any, dict]]:
    """A row of each annotated face without prediction; images by id."""
    try:
        images = {image['id']: image for image in data['images']}
        videos = {
            video['id']: video.get('category')
            for video in data.get('videos', [])
        }
        root = Path(path).absolute().parent
        root = root.parent if root.name == 'annotations' else root
        rows = [
            _annotated_row(annotation, images, videos, root)
            for annotation in data['annotations']
        ]
    except UNREADABLE as error:
        raise UserError(
            f'{path} is not an annotation file of the converters '
            f'({type(error).__name__}: {short(error)}); make it with one of '
            'them'
        ) from error
    if not rows:
        raise UserError(
            f'{path} has no faces; name the annotation file that the '
            'predictions are of'
        )
    return rows, images


def _annotated_row(
    annotation: dict, images: dict, videos: dict, root: Path
) -> dict[str, Any]:
    image = images[annotation['image_id']]
    name = image['file_name']
    if not isinstance(name, str) or leaves_folder(name):
        raise ValueError(f"{name!r} is no path in the data set's folder")
    marks = np.array(annotation['keypoints'], float).reshape(-1, 3)
    box = np.array(annotation['bbox'], float)
    if box.shape != (4,) or not len(marks) or not np.isfinite(marks).all():
        raise ValueError(f'{name} has no box or marks')
    # Systems predict 68, or 7 of them, and so do those that they stand beside.
    truth, visible = among_68(marks[:, :2], marks[:, 2] > 0, 68)
    face = annotation.get('track_id', annotation.get('subject_id', 0))
    video = image.get('video_id')
    return dict(
        image_id=image['id'],
        file_name=name,
        points=tuple(range(len(truth))),
        prediction=np.full((len(truth), 2), np.nan),
        truth=truth,
        visible=visible,
        box=box,
        scores=None,
        path=str(root / name),
        face=str(annotation['id']),
        track=None if video is None else (video, face),
        video=video,
        frame_id=int(np.int64(image.get('frame_id') or 0)),
        category=_known(videos.get(video), int),
        group=_known(image.get('group'), str),
        yaw=_known(annotation.get('yaw'), float),
        box_size=_known(annotation.get('box_size'), float),
        reinit=False,
    )


def _known(value: Any, kind: Callable[[Any], Any]) -> Any:
    return None if value is None else kind(value)


# -- what is predicted --------------------------------------------------------


def _frames_in(content: Any, path: str) -> tuple[list[dict], dict[str, Any]]:
    """Frames of either form of JSON, and what the file says of itself."""
    if isinstance(content, dict) and isinstance(content.get('frames'), list):
        frames = content['frames']
        about = content.get('about')
        about = dict(about) if isinstance(about, dict) else {}
        if 'name' in content:
            about['name'] = content['name']
    elif isinstance(content, list):
        frames, about = content, {}
    else:
        frames, about = [None], {}
    if not all(
        isinstance(f, dict) and 'keypoints' in f and _named(f) for f in frames
    ):
        raise UserError(
            f'{path} is not a file of predictions: it must hold frames with '
            'file_name and keypoints, or COCO results with image_id and '
            'keypoints; see docs/evaluation.md'
        )
    return frames, about


def _named(frame: dict) -> bool:
    """Whether it says in one word which image it is of."""
    name = frame.get('file_name')
    if name is None:
        name = frame.get('image_id')
    return isinstance(name, (str, int))


def _read_csv(path: str) -> list[dict]:
    """Frames of ``file_name,[id,]x0,y0,x1,y1,...``; empty: nothing found."""
    if not osp.isfile(path):
        raise FileNotFoundError(f'{path} does not exist; name predictions')
    try:
        # Tables write a mark of the coding before the first name.
        with open(path, newline='', encoding='utf-8-sig') as stream:
            return _frames_of_rows(csv.reader(stream), path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f'{path} is not a CSV file in UTF-8 ({error}); save it as one'
        ) from error


def _frames_of_rows(rows: Iterator[list[str]], path: str) -> list[dict]:
    # Row by row: as lists, a file of empty lines would be sixty times as
    # large in memory.
    head = next(rows, [])
    places = {name: place for place, name in enumerate(head)}
    number = sum(name[:1] == 'x' and name[1:].isdigit() for name in head)
    try:
        columns = [places[f'{c}{k}'] for k in range(number) for c in 'xy']
        file, face = places['file_name'], places.get('id')
    except KeyError as error:
        raise UserError(
            f'{path} has no column {error.args[0]!r}; its head must be '
            'file_name,x0,y0,x1,y1,... (and id, where images have several '
            'faces)'
        ) from None
    frames = []
    for number, line in enumerate(rows, 2):
        if not line:
            continue
        try:
            values = [line[column] for column in columns]
            marks = np.array([float(v) if v else np.nan for v in values])
            frame = dict(file_name=line[file], keypoints=marks.reshape(-1, 2))
            if face is not None:
                frame['id'] = line[face]
        except (ValueError, IndexError):
            raise UserError(
                f'{path}: line {number} has not {len(columns)} numbers; '
                'mend or remove it'
            ) from None
        frames.append(frame)
    return frames


def _marks(frame: dict, path: str) -> Optional[np.ndarray]:
    """Predicted points (K, 2) of a frame, None where there are none."""
    given = frame['keypoints']
    if given is None or (isinstance(given, (list, str)) and not given):
        return None
    name = short(frame.get('file_name', frame.get('image_id')))
    try:
        marks = np.array(given, float)
    except UNREADABLE:
        marks = np.zeros(1)
    if marks.ndim == 1 and not len(marks) % 3 and 'image_id' in frame:
        marks = marks.reshape(-1, 3)
    if marks.ndim != 2 or marks.shape[1] not in (2, 3):
        raise UserError(
            f'{path}: the keypoints of {name} are not pairs of numbers; write '
            '[[x, y], ...] (COCO results: [x, y, score, ...])'
        )
    return marks[:, :2]


# -- which belongs to which ---------------------------------------------------


def _match(
    frames: Iterable[dict], rows: list[dict], images: dict, path: str
) -> int:
    """Put predictions into the rows of their faces; how many have none."""
    by_file = defaultdict(list)
    for row in rows:
        by_file[row['file_name']].append(row)
    found: dict[str, list] = defaultdict(list)
    unknown, points = 0, None
    for frame in frames:
        name = frame.get('file_name')
        if name is None:
            name = images.get(frame['image_id'], {}).get('file_name')
        marks = _marks(frame, path)
        if name not in by_file:
            unknown += 1
        elif marks is not None:
            points = predicted_points(len(marks), len(rows[0]['truth']), name)
            found[name].append((frame, marks))
    if not found:
        raise UserError(
            f'{path} predicts no annotated frame; file_name must be as in '
            f'the annotation file, for instance {rows[0]["file_name"]}'
        )
    assert points is not None
    for row in rows:
        row['points'] = points
        row['prediction'] = np.full((len(points), 2), np.nan)
    return unknown + sum(
        _match_image(candidates, by_file[name], path)
        for name, candidates in found.items()
    )


def _match_image(
    candidates: list[tuple[dict, np.ndarray]], rows: list[dict], path: str
) -> int:
    """Give the faces of one image their predictions; how many are left.

    By the annotation's id where the prediction has it; else the face and the
    prediction whose boxes overlap most come first.
    """
    left, free = [], {row['face']: row for row in rows}
    for frame, marks in candidates:
        # COCO's results may have an id of their own.
        if 'id' not in frame or 'image_id' in frame:
            left.append(marks)
            continue
        row = free.pop(str(frame['id']), None)
        if row is None:
            raise UserError(
                f'{path}: {short(frame.get("file_name"))} has no annotation '
                f'{short(frame["id"])}, or it is predicted twice; give each '
                "face its annotation's id"
            )
        row['prediction'] = _fitting(marks, row, path)
    faces = list(free.values())
    if len(left) == len(rows) == 1:
        faces[0]['prediction'] = _fitting(left[0], faces[0], path)
        return 0
    overlaps = sorted(
        (
            (_overlap(_extent(marks), face['box']), i, j)
            for i, marks in enumerate(left)
            for j, face in enumerate(faces)
        ),
        key=lambda each: (-each[0], each[1:]),
    )
    taken: set = set()
    for overlap, i, j in overlaps:
        if overlap > 0 and not {('p', i), ('f', j)} & taken:
            faces[j]['prediction'] = _fitting(left[i], faces[j], path)
            taken |= {('p', i), ('f', j)}
    return len(left) - len(taken) // 2


def _fitting(marks: np.ndarray, row: dict, path: str) -> np.ndarray:
    if len(marks) != len(row['points']):
        raise UserError(
            f'{path}: {row["file_name"]} has {len(marks)} predicted points, '
            f'others {len(row["points"])}; write the same for all'
        )
    return marks


def _extent(marks: np.ndarray) -> np.ndarray:
    """Box of marks, x y w h."""
    low = np.nanmin(marks, 0) if np.isfinite(marks).any() else np.zeros(2)
    high = np.nanmax(marks, 0) if np.isfinite(marks).any() else np.zeros(2)
    return np.concatenate([low, high - low])


def _overlap(one: np.ndarray, two: np.ndarray) -> float:
    """Intersection over union of two boxes, x y w h."""
    sides = np.minimum(one[:2] + one[2:], two[:2] + two[2:]) - np.maximum(
        one[:2], two[:2]
    )
    shared = np.prod(np.maximum(sides, 0))
    return float(shared / (np.prod(one[2:]) + np.prod(two[2:]) - shared))
