"""Reads frames straight out of video files."""

import os
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import TRANSFORMS

from rednet_mm.utils.errors import UserError
from rednet_mm.utils.untrusted import MOST_PIXELS, is_playlist

# A video file and a 0-based frame, as convert_300vw.py --frames avi writes
# them: videos/001.avi#12.
_FRAME = re.compile(r'(?P<video>.+\.\w+)#(?P<number>[0-9]{1,9})')

# Frames that are kept of each open video, for clips that run backwards.
_KEPT = 16

# A frame that lies no further ahead is reached by decoding, not by a seek.
_NEAR = 32

# How often a seek may land behind the frame, each time tried from further
# ahead, before the video is decoded from its beginning.
_SEEKS = 4


def split_frame_path(path: str) -> Optional[tuple[str, int]]:
    """The video and the 0-based frame that a path names.

    Args:
        path (str): ``FOLDER/001.avi#12``, or any other path.

    Returns:
        tuple or None: Path of the video and the frame's number; None for
        the path of an ordinary file.
    """
    found = _FRAME.fullmatch(path)
    return (found['video'], int(found['number'])) if found else None


class VideoFrames:
    """Exact access to the frames of one video file.

    The frame of number n is the one that comes after n others when the
    video is decoded from its beginning. Frames in order are decoded one
    after the other. For a jump the time of every frame is read once, and
    a seek counts only as far as the time of the frame that it led to tells
    which one that is; where times are missing or come twice, or seeks lead
    astray, the video is decoded from its beginning.

    Args:
        path (str): The video file.

    Raises:
        UserError: if the file cannot be opened as a video.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        # The frame that the next grab gives.
        self._next = 0
        self._numbers: Optional[dict[float, int]] = None
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._capture = cv2.VideoCapture()
        self._reopen()

    def read(self, number: int) -> np.ndarray:
        """Decode a frame.

        Args:
            number (int): 0-based number of the frame.

        Returns:
            np.ndarray: The frame, (H, W, 3) uint8 in BGR. It may be
            written into.

        Raises:
            UserError: if the video has no such frame.
        """
        if number not in self._kept:
            start = number
            if self._next - _KEPT <= number < self._next:
                # Backwards: those before it will be asked for next.
                start = max(0, number - _KEPT + 1)
            self._go_to(start)
            while self._next <= number:
                self._decode(number)
        return self._kept[number].copy()

    def release(self) -> None:
        """Close the file."""
        self._capture.release()
        self._kept.clear()

    def _reopen(self) -> None:
        self._capture.release()
        self._next = 0
        if is_playlist(Path(self.path)) or not self._open():
            raise UserError(
                f'{self.path}: cannot be opened as a video; get it again, or '
                'convert the data without it'
            )

    def _open(self) -> bool:
        """Whether it is a video, of frames for which there is room."""
        opened = self._capture.open(self.path)
        sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        size = [self._capture.get(side) for side in sides]
        return opened and size[0] * size[1] <= MOST_PIXELS

    def _decode(self, wanted: int) -> None:
        """Decode the next frame and keep it."""
        self._grab(wanted)
        readable, frame = self._capture.retrieve()
        if not readable:
            raise self._unreadable(wanted)
        self._kept[self._next - 1] = frame
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _grab(self, wanted: int) -> None:
        if not self._capture.grab():
            raise self._unreadable(wanted)
        self._next += 1

    def _unreadable(self, wanted: int) -> UserError:
        return UserError(
            f'{self.path}: frame {wanted}, from 0, cannot be read because '
            f'the video ends after {self._next} frames; get it again, or '
            'convert the data without it'
        )

    def _go_to(self, number: int) -> None:
        """Make ``number`` the frame that comes next."""
        if not 0 <= number - self._next <= _NEAR and not self._seek(number):
            self._reopen()
        while self._next < number:
            self._grab(number)

    def _seek(self, number: int) -> bool:
        """Seek to ``number`` or somewhat before it; whether that worked."""
        numbers = self._numbers_by_time()
        if number <= _NEAR or number >= len(numbers):
            return False
        target = number
        for _ in range(_SEEKS):
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, max(0, target - 1))
            if not self._capture.grab():
                return False
            landed = numbers.get(self._time())
            if landed is None:
                return False
            if landed < number:
                self._next = landed + 1
                return True
            target -= 2 * (landed - number) + _KEPT
        return False

    def _numbers_by_time(self) -> dict[float, int]:
        """The number of each frame by its time; empty without such times."""
        if self._numbers is None:
            self._reopen()
            times = []
            while self._capture.grab():
                times.append(self._time())
            known = all(a < b for a, b in zip(times, times[1:]))
            self._numbers = {}
            if known:
                self._numbers = {time: n for n, time in enumerate(times)}
            self._reopen()
        return self._numbers

    def _time(self) -> float:
        # Milliseconds to a thousandth, so that equal times are equal.
        return round(self._capture.get(cv2.CAP_PROP_POS_MSEC), 3)


@TRANSFORMS.register_module()
class LoadVideoFrame(LoadImage):
    """Load an image, or a frame straight out of a video.

    Takes the place of :class:`LoadImage`, which it is for every path but
    that of a frame, ``videos/001.avi#12``. The pixels are those that
    ``convert_300vw.py`` would extract, before they are made a JPEG. A few
    videos are kept open in each worker process.

    Required Keys:

        - img_path
        - img (optional)

    Modified Keys:

        - img
        - img_shape
        - ori_shape

    Args:
        max_open (int): Videos that are kept open; the one that was not
            read for longest is closed first. Defaults to 4.
        **kwargs: As for MMPose's :class:`LoadImage`. ``color_type``
            is ``'color'`` or ``'grayscale'`` for frames.

    Raises:
        UserError: if a frame cannot be read; the sentence names the video
            and the frame.
    """

    def __init__(self, max_open: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_open = max_open
        self._videos: OrderedDict[str, VideoFrames] = OrderedDict()
        self._process = os.getpid()

    def transform(self, results: dict) -> Optional[dict]:
        """Load ``img`` unless it is there.

        Args:
            results (dict): The result dict.

        Returns:
            dict or None: The result dict; None where the frame cannot be
            read and ``ignore_empty`` is set.
        """
        place = None
        if 'img' not in results:
            place = split_frame_path(results['img_path'])
        if place is None:
            return super().transform(results)
        try:
            frame = self._open(place[0]).read(place[1])
        except UserError:
            if self.ignore_empty:
                return None
            raise
        if self.color_type == 'grayscale':
            frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if self.to_float32:
            frame = frame.astype(np.float32)
        results['img'] = frame
        results['img_shape'] = frame.shape[:2]
        results['ori_shape'] = frame.shape[:2]
        return results

    def _open(self, path: str) -> VideoFrames:
        if self._process != os.getpid():
            # Decoders of the process that this one was forked from.
            self._videos, self._process = OrderedDict(), os.getpid()
        if path not in self._videos:
            self._videos[path] = VideoFrames(path)
            if len(self._videos) > self.max_open:
                self._videos.popitem(last=False)[1].release()
        self._videos.move_to_end(path)
        return self._videos[path]

    def __getstate__(self) -> dict:
        # A decoder cannot be sent to another process.
        return self.__dict__ | {'_videos': OrderedDict()}

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, max_open={self.max_open})'
