"""What was found in a film, frame by frame: as JSON and as CSV.

While a film runs, its frames go to ``NAME.part.jsonl``, a line each, and from
time to time what there is becomes ``NAME.part.json``, whole: a process that is
killed leaves both. What is kept in memory does not grow with the frames.
"""

import csv
import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, TextIO

import numpy as np

from rednet_mm.files import part_of, whole

from .crops import overlap
from .track_state import TrackedFace, TrackEvent

# Seconds between two states of the JSON on disk, at least; and the share of
# the time that writing them may take.
SAVE_EVERY = 5.0
SAVE_SHARE = 0.05

# Frames after which a new face at the place of another is no switch of ids.
SWITCH_FRAMES = 100


class TrackTotals:
    """Counts over a film.

    A switch is a new id where the box lies on that of a face whose track
    ended less than ``SWITCH_FRAMES`` frames ago: one face with two ids, as
    far as it can be told without truth.
    """

    def __init__(self) -> None:
        self.frames = self.with_a_face = self.switches = 0
        self.kinds: Counter[str] = Counter()
        self.tracks: dict[int, dict[str, int]] = {}
        self._last_boxes: dict[int, np.ndarray] = {}

    def add(
        self,
        number: int,
        faces: Sequence[TrackedFace],
        events: Sequence[TrackEvent],
    ) -> None:
        """Count a frame."""
        self.frames += 1
        self.with_a_face += bool(faces)
        self.kinds.update(event.kind for event in events)
        boxes = {face.id: face.box for face in faces}
        self._last_boxes = {
            id_: box
            for id_, box in self._last_boxes.items()
            if number - self.tracks[id_]['last'] < SWITCH_FRAMES
        }
        for event in events:
            if event.kind == 'appeared':
                self.switches += self._is_switch(event.face, boxes)
        for id_ in boxes:
            track = self.tracks.setdefault(
                id_, dict(id=id_, first=number, last=number, frames=0)
            )
            track.update(last=number, frames=track['frames'] + 1)
        self._last_boxes.update(boxes)

    def _is_switch(
        self, new: Optional[int], boxes: Mapping[int, np.ndarray]
    ) -> bool:
        return any(
            id_ not in boxes and overlap(boxes[new], box) > 0.5
            for id_, box in self._last_boxes.items()
            if new is not None
        )

    def summary(self) -> dict[str, Any]:
        """The counts, and from where to where each id was seen."""
        return dict(
            frames=self.frames,
            frames_with_a_face=self.with_a_face,
            ids=len(self.tracks),
            switches=self.switches,
            events=dict(self.kinds),
            tracks=list(self.tracks.values()),
        )


class TrackLog:
    """Writes what is found, as it is found.

    Args:
        about (Mapping): What the JSON begins with: source, fps, ...
        json_path (str, optional): The JSON.
        csv_path (str, optional): The CSV: a row a face.
    """

    def __init__(
        self,
        about: Mapping[str, Any],
        json_path: Optional[str] = None,
        csv_path: Optional[str] = None,
    ) -> None:
        self.about = dict(about)
        self.totals = TrackTotals()
        self.events: list[dict[str, Any]] = []
        self.json_path = Path(json_path) if json_path else None
        self.csv_path = Path(csv_path) if csv_path else None
        self._lines = _opened(self.json_path, '.part.jsonl')
        self._rows = _opened(self.csv_path, '.part.csv')
        self._saved, self._took = time.monotonic(), 0.0

    def add(
        self,
        number: int,
        seconds: float,
        faces: Sequence[TrackedFace],
        events: Sequence[TrackEvent] = (),
    ) -> None:
        """Write a frame.

        Args:
            number (int): Of the frame, from 0.
            seconds (float): When it is shown.
            faces (Sequence[TrackedFace]): Its faces.
            events (Sequence[TrackEvent]): What happened in it.
        """
        self.totals.add(number, faces, events)
        told = [_told(event) for event in events]
        self.events += [dict(frame_id=number, **event) for event in told]
        if self._lines:
            record = dict(
                frame_id=number,
                time=round(seconds, 4),
                faces=[_as_record(face) for face in faces],
            )
            self._lines.write(json.dumps(record) + '\n')
            self._lines.flush()
            self._save_if_due()
        if self._rows:
            rows = csv.writer(self._rows, lineterminator='\n')
            if not self._rows.tell() and faces:
                rows.writerow(_columns(len(faces[0].keypoints)))
            rows.writerows(_row(number, seconds, face) for face in faces)
            self._rows.flush()

    def _save_if_due(self) -> None:
        begun = time.monotonic()
        wait = max(SAVE_EVERY, self._took / SAVE_SHARE)
        if self._lines and self.json_path and begun - self._saved > wait:
            self._save(
                self._lines.name,
                self.json_path.with_suffix('.part.json'),
                dict(how='running'),
            )
            self._saved = time.monotonic()
            self._took = self._saved - begun

    def _save(self, lines: str, path: Path, ended: Mapping[str, Any]) -> None:
        """Put the JSON of the frames in ``lines`` at ``path``, whole."""
        known = {
            **self.about,
            'ended': dict(ended),
            'totals': self.totals.summary(),
            'events': self.events,
        }
        with (
            whole(path) as part,
            open(part, 'w') as out,
            open(lines) as records,
        ):
            for key, value in known.items():
                start = ',\n' if out.tell() else '{'
                out.write(f'{start}{json.dumps(key)}: {json.dumps(value)}')
            out.write(',\n"frames": [\n')
            for place, record in enumerate(records):
                out.write((',\n' if place else '') + record.rstrip('\n'))
            out.write('\n]}\n')

    def close(self, ended: Mapping[str, Any]) -> None:
        """Give the files their names.

        Args:
            ended (Mapping): How the film ended.
        """
        if self._lines and self.json_path:
            self._lines.close()
            self._save(self._lines.name, self.json_path, ended)
            # The last may be that of a run before, which was killed.
            state = self.json_path.with_suffix('.part.json')
            for path in (Path(self._lines.name), state, part_of(state)):
                path.unlink(missing_ok=True)
        if self._rows and self.csv_path:
            self._rows.close()
            os.replace(self._rows.name, self.csv_path)


def _opened(path: Optional[Path], suffix: str) -> Optional[TextIO]:
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path.with_suffix(suffix), 'w')


def _told(event: TrackEvent) -> dict[str, Any]:
    told = dict(kind=event.kind, id=event.face, into=event.into)
    return {key: value for key, value in told.items() if value is not None}


def _as_record(face: TrackedFace) -> dict[str, Any]:
    raw = {}
    if face.raw_keypoints is not None:
        raw = dict(
            raw_keypoints=np.round(
                face.raw_keypoints.astype(float), 3
            ).tolist()
        )
    return dict(
        id=face.id,
        bbox=np.round(face.box, 2).tolist(),
        spread=round(face.spread, 3),
        keypoints=np.round(face.keypoints.astype(float), 3).tolist(),
        scores=np.round(face.scores.astype(float), 4).tolist(),
        **raw,
    )


def _columns(marks: int) -> list[str]:
    names = ['frame_id', 'time', 'id', 'x', 'y', 'w', 'h', 'score', 'spread']
    return names + [f'{axis}{mark}' for mark in range(marks) for axis in 'xy']


def _row(number: int, seconds: float, face: TrackedFace) -> list[Any]:
    return [
        number,
        round(seconds, 4),
        face.id,
        *np.round(face.box, 2).tolist(),
        round(float(face.scores.mean()), 4),
        round(face.spread, 3),
        *np.round(face.keypoints.astype(float), 3).ravel().tolist(),
    ]
