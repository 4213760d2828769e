"""Names, counts and extracts the frames of a video file, resumably."""

from __future__ import annotations

import math
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import cv2
import numpy as np

from data_converters.errors import DataError
from data_converters.untrusted import MOST_PIXELS, is_playlist

_SIZE = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)


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


def video_frame_name(video: str, frame_id: int) -> str:
    """Name of a frame that stays in its video, ``videos/001.avi#12``.

    It is what the transform LoadVideoFrame reads.

    Args:
        video: Path of the video file relative to the data set's folder.
        frame_id: 0-based number of the frame.
    """
    return f'{video}#{frame_id}'


def split_frame_name(name: str) -> tuple[str, int] | None:
    """The video and the frame of such a name, None for any other."""
    video, sign, number = name.rpartition('#')
    if sign and Path(video).suffix and re.fullmatch('[0-9]{1,9}', number):
        return video, int(number)
    return None


def read_frames(
    video: Path, numbers: Iterable[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode a video and give some of its frames, in order.

    Args:
        video: The video file.
        numbers: 0-based numbers; those beyond the end are not given.

    Raises:
        DataError: The file cannot be opened as a video.
    """
    wanted = set(numbers)
    capture = _open(video)
    for number in range(max(wanted, default=-1) + 1):
        if not capture.grab():
            return
        if number in wanted:
            readable, frame = capture.retrieve()
            if readable:
                yield number, frame


def is_complete_jpeg(path: Path) -> bool:
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


def measure_video(
    video: Path, count: int, stop: threading.Event
) -> tuple[int, tuple[int, int]]:
    """Decode a video once, to see that its frames are there.

    Args:
        video: The video file.
        count: Number of frames that have keypoints, at least 1.
        stop: Ends the work early when set.

    Returns:
        How many frames the video holds beyond ``count``, and its width and
        height in pixels.

    Raises:
        DataError: The video cannot be opened or is shorter than ``count``.
        CancelledError: ``stop`` was set.
    """
    capture = _open(video)
    found = 0
    size = (0, 0)
    while capture.grab():
        if stop.is_set():
            raise CancelledError
        if not found:
            readable, frame = capture.retrieve()
            if not readable:
                break
            size = (frame.shape[1], frame.shape[0])
        found += 1
    _check_length(video, found, count)
    return found - count, size


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
        count: Number of frames that have keypoints.
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
        _check_length(video, found, count)
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


def _check_length(video: Path, found: int, count: int) -> None:
    if found < count:
        raise DataError(
            f'{video}: has {found} frames where the keypoints need {count}; '
            'get the video again or remove the keypoints beyond its end'
        )


def _open(video: Path) -> cv2.VideoCapture:
    if not is_playlist(video):
        capture = cv2.VideoCapture(str(video))
        size = [capture.get(side) for side in _SIZE]
        if capture.isOpened() and math.prod(size) <= MOST_PIXELS:
            return capture
    raise DataError(f'{video}: cannot be opened as a video; get it again')
