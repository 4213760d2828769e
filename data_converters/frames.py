"""Extracts the frames of a video file, resumably."""

from __future__ import annotations

import math
import os
import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import CancelledError
from pathlib import Path

import cv2

from data_converters.errors import DataError


def frame_ids(stems: Iterable[str]) -> list[int]:
    """Zero-based frame numbers of files named after their frames.

    Args:
        stems: Names without suffix. Numbers are taken as 1-based, or as
            0-based where one of them is 0; where not all are numbers, the
            position in sorted order counts.

    Returns:
        One number for each stem, in the order given.
    """
    stems = list(stems)
    if all(stem.isascii() and stem.isdecimal() for stem in stems):
        numbers = [int(stem) for stem in stems]
        first = min([1, *numbers])
        return [number - first for number in numbers]
    position = {stem: i for i, stem in enumerate(sorted(stems))}
    return [position[stem] for stem in stems]


def frame_name(frame_id: int) -> str:
    """File name of an extracted frame, 1-based as in 300-VW."""
    return f'{frame_id + 1:06d}.jpg'


def is_whole_jpeg(path: Path) -> bool:
    """Whether a file is there and ends as a JPEG file does.

    A machine that lost its power may leave a file that was written short.
    Only the end is looked at, which is less work than to decode it.
    """
    try:
        with path.open('rb') as stream:
            stream.seek(-2, os.SEEK_END)
            return stream.read() == b'\xff\xd9'
    except OSError:
        return False


def read_fps(video: Path) -> float | None:
    """Frames per second of a video file, None where it does not tell.

    Raises:
        DataError: The file cannot be opened as a video.
    """
    fps = _open(video).get(cv2.CAP_PROP_FPS)
    return round(fps, 3) if math.isfinite(fps) and fps > 0 else None


def extract_frames(
    video: Path,
    target: Path,
    count: int,
    quality: int,
    stop: threading.Event,
) -> int:
    """Extract the first frames of a video as JPEG files.

    The frames go into ``target.part``, which is renamed when it is
    complete: a folder of the final name is always whole.

    Args:
        video: The video file.
        target: The folder to make; it must not exist, but may be a link
            that an earlier run made.
        count: Number of frames that have marks.
        quality: JPEG quality, 1 to 100.
        stop: Ends the extraction early when set.

    Returns:
        How many frames the video holds beyond ``count``.

    Raises:
        DataError: The video cannot be opened, is shorter than ``count``,
            or a frame cannot be written.
        CancelledError: ``stop`` was set.
    """
    part = target.with_name(f'{target.name}.part')
    # What an interrupted run left may end in half a frame.
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        found = _extract(video, part, count, quality, stop)
        if found < count:
            raise DataError(
                f'{video}: has {found} frames where the marks need {count}; '
                'get the video again or remove the marks beyond its end'
            )
        if target.is_symlink():
            target.unlink()
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found - count


def _extract(
    video: Path, part: Path, count: int, quality: int, stop: threading.Event
) -> int:
    capture = _open(video)
    found = 0
    while not stop.is_set():
        # Decoded and counted rather than asked for: the header's count is
        # often wrong.
        if not capture.grab():
            return found
        if found < count:
            path = part / frame_name(found)
            readable, frame = capture.retrieve()
            options = [cv2.IMWRITE_JPEG_QUALITY, quality]
            if not readable or not cv2.imwrite(str(path), frame, options):
                raise DataError(
                    f'{video}: frame {found + 1} cannot be written to '
                    f'{path.parent}; look for free space there'
                )
        found += 1
    raise CancelledError


def _open(video: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(video))
    if not capture.isOpened():
        raise DataError(f'{video}: cannot be opened as a video; get it again')
    return capture
