"""Frames of videos, images, folders and cameras, each with its time."""

import re
import time
from fractions import Fraction
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, Optional, Union

import av
import cv2
import numpy as np

from rednet_mm.tracking.track_state import USUAL_FPS
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.untrusted import MOST_PIXELS, is_playlist

IMAGE_SUFFIXES = {
    '.jpg',
    '.jpeg',
    '.png',
    '.bmp',
    '.webp',
    '.tif',
    '.tiff',
}


# How a frame is turned so that it is upright, by the degrees, against the
# clock, that its video asks for.
_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


class Frame(NamedTuple):
    """One frame.

    Attributes:
        image (np.ndarray): Shape (H, W, 3), BGR, uint8, upright.
        time (float): Seconds, as the source tells them; they grow from
            frame to frame, not always in equal steps.
    """

    image: np.ndarray
    time: float


class FrameReader:
    """Where frames come from; to be walked through once.

    Args:
        source (str): Name of the video, image, folder or camera.
        fps (float): Frames a second; of a video of variable rate, the mean.
        count (int): Frames that are announced; 0 where they are not.
    """

    def __init__(self, source: str, fps: float, count: int) -> None:
        self.source = source
        self.fps = fps
        self.count = count
        # Where each frame is a file of its own, those files, in order.
        self.files: Optional[list[Path]] = None
        # One sentence that says what of a folder is left out.
        self.left_out: Optional[str] = None
        # One sentence that says what was wrong with the frames so far.
        self.fault: Optional[str] = None

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file or camera; may be called more than once."""

    def __enter__(self) -> 'FrameReader':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_frames(source: Union[str, Path]) -> FrameReader:
    """Open a video file, an image, a folder of images or a camera.

    Args:
        source (str | Path): A video; an image; a folder, whose images come
            in natural order of their names (``b2`` before ``b10``), 25 a
            second; or the number of a camera.

    Returns:
        FrameReader: Gives a :class:`Frame` after the other. A video that is
        damaged or breaks off ends where it ends and leaves a sentence in
        ``fault``; other files of a folder are named in ``left_out``.

    Raises:
        FileNotFoundError: if there is nothing of that name, or no image.
        UserError: if the file is neither a video nor an image, or the camera
            gives nothing.
    """
    source, path = str(source), Path(source)
    if path.is_dir():
        return _Folder(source)
    if path.is_file():
        image = path.suffix.lower() in IMAGE_SUFFIXES
        if image or (not path.suffix and cv2.haveImageReader(source)):
            return _Images(source, [path])
        return _Video(source)
    if source.isdecimal():
        return _Camera(source)
    raise FileNotFoundError(
        f'{source} does not exist; name a video, an image, a folder of '
        'frames or the number of a camera'
    )


def read_image(path: Union[str, Path]) -> np.ndarray:
    """An image file as (H, W, 3), BGR, uint8.

    Raises:
        FileNotFoundError: if there is none.
        UserError: if it cannot be read.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist; name an image')
    try:
        image = cv2.imread(str(path))
    except cv2.error:
        # More pixels than OpenCV decodes, or than there is memory for.
        image = None
    if image is None:
        raise UserError(
            f'{path} is not an image that can be read; remove it or replace it'
        )
    return image


class _Images(FrameReader):
    def __init__(self, source: str, files: list[Path]) -> None:
        super().__init__(source, USUAL_FPS, len(files))
        self.files: list[Path] = files

    def __iter__(self) -> Iterator[Frame]:
        for number, file in enumerate(self.files):
            yield Frame(read_image(file), number / self.fps)


class _Folder(_Images):
    def __init__(self, source: str) -> None:
        images: list[Path] = []
        others: list[Path] = []
        for each in sorted(Path(source).iterdir(), key=_natural):
            hidden = each.name.startswith('.')
            usable = each.suffix.lower() in IMAGE_SUFFIXES and not hidden
            (images if usable else others).append(each)
        if not images:
            raise FileNotFoundError(
                f'{source} has no images; name a video or a folder of frames'
            )
        super().__init__(source, images)
        if others:
            names = ', '.join(each.name for each in others[:3])
            more = f' and {len(others) - 3} more' if len(others) > 3 else ''
            self.left_out = (
                f'{source}: left out, as they are no images by their names: '
                f'{names}{more}'
            )


def _natural(path: Path) -> tuple[list, str]:
    """A key that compares runs of digits as numbers, the rest as text."""
    parts = re.split(r'([0-9]+)', path.name.lower())
    # Every second part is digits.
    parts[1::2] = map(int, parts[1::2])  # type: ignore[call-overload]
    return parts, path.name


class _Camera(FrameReader):
    # PyAV opens cameras by names that differ from system to system.
    def __init__(self, source: str) -> None:
        self._camera = cv2.VideoCapture(int(source))
        # What is shown is now, not some frames ago.
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not self._camera.isOpened():
            raise UserError(
                f'camera {source} cannot be opened; see that it is there '
                'and that no other program uses it'
            )
        fps = self._camera.get(cv2.CAP_PROP_FPS)
        super().__init__(f'camera {source}', fps or USUAL_FPS, 0)

    def __iter__(self) -> Iterator[Frame]:
        begin = time.monotonic()
        grabbed, image = self._camera.read()
        while grabbed:
            yield Frame(image, time.monotonic() - begin)
            grabbed, image = self._camera.read()
        self.fault = (
            f'{self.source} stopped after {time.monotonic() - begin:.2f} s'
        )

    def close(self) -> None:
        self._camera.release()


class _Video(FrameReader):
    def __init__(self, source: str) -> None:
        unreadable = UserError(
            f'{source} is not a video that can be read; convert it, for '
            'instance to H.264 in mp4'
        )
        if is_playlist(Path(source)):
            raise unreadable
        try:
            self._container = av.open(source)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise unreadable from error
        streams = self._container.streams.video
        # Without a decoder, where the codec is one that nobody knows.
        if not streams or streams[0].codec_context is None:
            self._container.close()
            raise unreadable
        self._stream = streams[0]
        # Frames are decoded ahead by other threads, as OpenCV does.
        self._stream.thread_type = 'AUTO'
        # Before FFmpeg makes room for what a damaged header says.
        self._stream.codec_context.options = {'max_pixels': str(MOST_PIXELS)}
        rate = self._stream.average_rate or self._stream.guessed_rate
        super().__init__(
            source, float(rate or USUAL_FPS), max(0, self._stream.frames)
        )
        self._damaged = 0
        # The first is decoded now, so that a file without any is refused.
        self._frames = self._upright()
        self._first = next(self._frames, None)
        if self._first is None:
            self.close()
            raise unreadable

    def __iter__(self) -> Iterator[Frame]:
        number, last = 0, -1 / self.fps
        if self._first is not None:
            number, last = 1, self._first.time
            yield self._first
            self._first = None
        for frame in self._frames:
            number, last = number + 1, frame.time
            yield frame
        if self.fault is None and self._ends_early(number, last):
            self.fault = (
                f'{self.source} breaks off after {_seconds(last)}: {number} '
                f'of {self.count or "more"} frames are there'
            )

    def close(self) -> None:
        self._container.close()

    def _upright(self) -> Iterator[Frame]:
        last = None
        for number, frame in enumerate(self._decoded()):
            moment = number / self.fps
            if frame.pts is not None and self._stream.time_base:
                moment = float(frame.pts * self._stream.time_base)
            if last is not None and moment <= last:
                moment = last + 1 / self.fps
            last = moment
            # One thread: several take longer to meet than to convert.
            image: np.ndarray = frame.to_ndarray(format='bgr24', threads=1)
            turn = _TURNS.get(round(frame.rotation) % 360)
            if turn is not None:
                image = cv2.rotate(image, turn)
            yield Frame(image, moment)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded; the rest is counted."""
        for packet in self._packets():
            try:
                frames = self._stream.codec_context.decode(packet)
            except av.FFmpegError as error:
                self._note(packet, error)
                continue
            yield from (each for each in frames if not each.is_corrupt)

    def _packets(self) -> Iterable[Optional[av.Packet]]:
        packet = None
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield packet
        except av.FFmpegError as error:
            self._note(packet, error)
        # Asks the decoder for what it still holds.
        yield None

    def _note(
        self, packet: Optional[av.Packet], error: av.FFmpegError
    ) -> None:
        moment = packet.dts if packet and packet.dts is not None else 0
        seconds = _seconds(float(moment * (self._stream.time_base or 0)))
        self._damaged += 1
        if self._damaged == 1:
            self._why = f'at {seconds} ({error.strerror})'
        self.fault = (
            f'{self.source} is damaged {self._why}; parts that cannot be '
            f'decoded: {self._damaged}'
        )

    def _ends_early(self, number: int, last: float) -> bool:
        """Whether fewer frames came, and for a shorter time, than announced.

        Both must be so: an edit list takes frames out of the count, and
        the sound may be longer than the video.
        """
        if self.count and number >= self.count:
            return False
        length = self._stream.duration
        if length is None:
            return bool(self.count)
        if self._container.format.name == 'avi':
            # FFmpeg fits the duration to the size of the file; a tick of
            # the clock is a frame.
            length = max(length, self.count)
        end = (self._stream.start_time or 0) + length
        base = self._stream.time_base or Fraction(0)
        return last + 2.5 / self.fps < float(end * base)


def _seconds(moment: float) -> str:
    return f'{moment:.2f} s'
