"""The readers that are fuzzed: what each is given, and what it may raise.

A reader works in a folder of its own. ``make`` fills it once with good
content and names the file that is replaced again and again; ``read`` reads
it, as the command lines do. Files that begin with ``outside`` lie beside what
may be touched.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import good_files as good
import numpy as np
from arrays import damage_npz, damage_pickle, good_npz, good_pickle
from builders import crop_pipeline
from databases import damage_database
from mutations import damage_bytes, damage_json, damage_text
from watch import watching

from data_converters import (
    convert_300vw,
    convert_300w,
    convert_aflw,
    convert_frames,
    convert_helen194,
    convert_lfw,
)
from data_converters.checks import as_text, check_files
from data_converters.errors import DataError
from data_converters.pts import read_pts
from rednet_mm.apis.video_reader import read_frames
from rednet_mm.datasets.face import (
    Still300WDataset,
    StillAFLWDataset,
    VideoClipDataset,
)
from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.datasets.transforms.load_video_frame import (
    VideoFrames,
)
from rednet_mm.evaluation import (
    LandmarkRecords,
    Protocol,
    evaluate,
    named_protocol,
    read_dump,
    read_predictions,
)
from rednet_mm.utils.errors import UserError

Damage = Callable[[bytes, Random], bytes]

# Of a sentence; a path that is asked for may be long, what a file holds is
# not repeated in full.
LONGEST = 1500

# Frames that a video may give here; the good ones have a dozen.
MOST_FRAMES = 2000


@dataclass(frozen=True)
class Reader:
    """A reader, and what is done to its file.

    Args:
        name: Short, for tables.
        make: Fills a folder and gives the file to be damaged.
        read: Reads what is in the folder.
        damage: Makes other content of good content.
        kind: ``text``, ``json``, ``csv`` or ``binary``.
        errors: What it may raise, with one sentence.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    damage: Damage
    kind: str
    errors: tuple[type[Exception], ...]


def _read_pts(root: Path) -> None:
    marks = read_pts(root / 'src' / 'a.pts')
    assert marks.shape == (68, 2) and np.isfinite(marks).all()


def _read_predicted(name: str) -> Callable[[Path], None]:
    def read(root: Path) -> None:
        annotations = root / 'data' / 'annotations' / 'all.json'
        _measure(
            read_predictions(str(root / 'lists' / name), str(annotations))
        )

    return read


def _measure(records: LandmarkRecords) -> None:
    """What is read is measured, as ``tools/evaluate.py`` does."""
    with np.errstate(all='ignore'):
        evaluate(records, named_protocol('rednet'))
        evaluate(records, Protocol(norm='box'))


def _check(root: Path) -> None:
    path = root / 'data' / 'annotations' / 'all.json'
    report = check_files([path], workers=1)
    json.dumps(report, allow_nan=True)
    as_text(report)


def _read_set(dataset: type, **settings: Any) -> Callable[[Path], None]:
    def read(root: Path) -> None:
        made = dataset(
            ann_file='annotations/all.json',
            data_root=str(root / 'data'),
            metainfo=FACE_68,
            pipeline=[dict(type='LoadVideoFrame'), *crop_pipeline(32)[1:]],
            **settings,
        )
        for item in range(min(len(made), 3)):
            made[item]

    return read


def _read_video(root: Path) -> None:
    for source in (root / 'src').iterdir():
        with read_frames(str(source)) as frames:
            for number, frame in enumerate(frames):
                assert frame.image.ndim == 3 and frame.image.dtype == np.uint8
                assert np.isfinite(frame.time)
                if number == MOST_FRAMES:
                    break
            assert frames.fps > 0 and frames.count >= 0


def _read_folder(root: Path) -> None:
    with read_frames(str(root / 'src')) as frames:
        for frame in frames:
            assert frame.image.ndim == 3


def _read_jumps(root: Path) -> None:
    """The frames of a video back and forth, as clips are."""
    for source in (root / 'src').iterdir():
        video = VideoFrames(str(source))
        try:
            for number in (0, 3, 2, 1, 9, 60, 0):
                with contextlib.suppress(UserError):
                    video.read(number)
        finally:
            video.release()


def _converter(module: Any, **settings: Any) -> Callable[[Path], None]:
    """A whole conversion, as the command lines do it."""

    def read(root: Path) -> None:
        lists = {
            name: root / path
            for name, path in settings.items()
            if isinstance(path, Path)
        }
        dst = root / 'dst'
        shutil.rmtree(dst, ignore_errors=True)
        written = module.convert(root / 'src', dst, **(settings | lists))
        for path in written.values():
            json.loads(path.read_text())

    return read


OURS = (DataError,)
THEIRS = (UserError, FileNotFoundError)

READERS = {
    reader.name: reader
    for reader in (
        Reader('pts', good.make_pts, _read_pts, damage_text, 'text', OURS),
        Reader(
            'helen', good.make_helen, _converter(convert_helen194),
            damage_text, 'text', OURS,
        ),
        Reader(
            'lfw', good.make_lfw, _converter(convert_lfw), damage_text, 'text',
            OURS,
        ),
        Reader(
            'lfw7', good.make_lfw_seven, _converter(convert_lfw), damage_text,
            'text', OURS,
        ),
        Reader(
            'subjects',
            good.make_subjects,
            _converter(
                convert_300vw,
                protocol='csv',
                subjects=Path('lists/subjects.csv'),
                workers=1,
            ),
            damage_text,
            'csv',
            OURS,
        ),
        Reader(
            'splits', good.make_splits, _converter(convert_300w), damage_text,
            'csv', OURS,
        ),
        Reader(
            'people',
            good.make_clips,
            _converter(convert_frames, subjects=Path('src/people.csv')),
            damage_text,
            'csv',
            OURS,
        ),
        Reader(
            'aflw', good.make_database, _converter(convert_aflw),
            damage_database, 'binary', OURS,
        ),
        Reader('check', good.make_videos, _check, damage_json, 'json', OURS),
        Reader(
            'clips',
            good.make_videos,
            _read_set(VideoClipDataset, clip_length=2, clips_per_video=1),
            damage_json,
            'json',
            THEIRS,
        ),
        Reader(
            'frames',
            good.make_videos,
            _read_set(VideoClipDataset, test_mode=True),
            damage_json,
            'json',
            THEIRS,
        ),
        Reader(
            '300w', good.make_stills, _read_set(Still300WDataset), damage_json,
            'json', THEIRS,
        ),
        Reader(
            'aflw json', good.make_stills,
            _read_set(StillAFLWDataset, test_mode=True),
            damage_json, 'json', THEIRS,
        ),
        Reader(
            'predictions', good.make_predicted_json,
            _read_predicted('dlib.json'), damage_json, 'json', THEIRS,
        ),
        Reader(
            'coco', good.make_coco, _read_predicted('dlib.json'), damage_json,
            'json', THEIRS,
        ),
        Reader(
            'annotations', good.make_annotated, _read_predicted('dlib.json'),
            damage_json, 'json', THEIRS,
        ),
        Reader(
            'predictions csv', good.make_predicted_csv,
            _read_predicted('dlib.csv'), damage_text, 'csv', THEIRS,
        ),
        Reader(
            'npz', good_npz,
            lambda root: _measure(read_dump(str(root / 'lists/a.npz'))),
            damage_npz, 'binary', THEIRS,
        ),
        Reader(
            'pickle', good_pickle,
            lambda root: _measure(read_dump(str(root / 'lists/a.pkl'))),
            damage_pickle, 'binary', THEIRS,
        ),
        Reader(
            'jpg', good.make_image('.jpg'), _converter(convert_300w),
            damage_bytes, 'binary', OURS,
        ),
        Reader(
            'png', good.make_image('.png'), _converter(convert_300w),
            damage_bytes, 'binary', OURS,
        ),
        Reader(
            'bmp', good.make_image('.bmp'), _converter(convert_300w),
            damage_bytes, 'binary', OURS,
        ),
        Reader(
            'avi', good.make_avi,
            _converter(convert_300vw, protocol='all', frames='avi', workers=1),
            damage_bytes, 'binary', OURS,
        ),
        Reader(
            'video mp4', good.make_video('.mp4', 'mp4v'), _read_video,
            damage_bytes, 'binary', THEIRS,
        ),
        Reader(
            'video avi', good.make_video('.avi', 'MJPG'), _read_video,
            damage_bytes, 'binary', THEIRS,
        ),
        Reader(
            'jumps avi', good.make_video('.avi', 'MJPG'), _read_jumps,
            damage_bytes, 'binary', THEIRS,
        ),
        Reader(
            'jumps mp4', good.make_video('.mp4', 'mp4v'), _read_jumps,
            damage_bytes, 'binary', THEIRS,
        ),
        Reader(
            'frame jpg', good.make_image('.jpg'), _read_folder, damage_bytes,
            'binary', THEIRS,
        ),
    )
}  # fmt: skip


def try_content(reader: Reader, root: Path, path: Path, content: bytes) -> str:
    """Give a reader a file; what it did is one word, or what is wrong.

    Args:
        reader: One of ``READERS``.
        root: Its folder, made by ``reader.make``.
        path: The file that is replaced.
        content: By what.

    Returns:
        ``read`` or ``refused``.

    Raises:
        AssertionError: It let itself be led out of the folder, or its
            sentence is none.
        Exception: Whatever else it raised and should not have.
    """
    path.write_bytes(content)
    quiet = io.StringIO()
    with watching(root) as left, contextlib.redirect_stdout(quiet):
        try:
            reader.read(root)
            done = 'read'
        except reader.errors as error:
            sentence = str(error)
            assert len(sentence) < LONGEST + len(str(root)), 'no short error'
            assert sentence.strip() and '\n' not in sentence, sentence
            done = 'refused'
    assert not left, f'it leaves its folder: {left[:3]}'
    return done
