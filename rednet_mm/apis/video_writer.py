"""Videos out, valid however the writing ends."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Optional
from weakref import WeakValueDictionary

import av
import cv2
import numpy as np

from rednet_mm.utils.errors import UserError

# The usual clock of video: fine enough for times of every rate.
_CLOCK = Fraction(1, 90000)

# The fastest preset: with a face tracker before it, encoding must leave the
# two cores of a small machine alone (figures in docs/video.md).
_H264: dict[str, object] = {'preset': 'ultrafast', 'crf': '23'}

_MJPEG: dict[str, object] = {'qmin': '2', 'qmax': '3'}

# A video in fragments, each complete in itself, one for each keyframe: what
# is on the disk can be played even if the process is killed.
_FRAGMENTS = {
    'movflags': 'frag_keyframe+delay_moov+default_base_moof',
    'flush_packets': '1',
}


# Who writes which part now: two would spoil it for each other.
_WRITING: 'WeakValueDictionary[Path, VideoWriter]' = WeakValueDictionary()


class VideoWriter:
    """A video that appears under its name when it is closed.

    ``.mp4`` is H.264 in YUV 4:2:0, which every browser plays, with its
    index at the front; frames keep their times. ``.avi`` is Motion JPEG at
    a constant rate. Close it in a ``finally`` clause: what was written
    until then is the video. Of a process that is killed,
    ``NAME.part.mp4`` stays, which can be played too and lacks the last
    second at most.

    Args:
        path (str): The video, ``.mp4`` or ``.avi``.
        fps (float): Frames a second; for mp4, of frames without a time.
    """

    def __init__(self, path: str, fps: float) -> None:
        self.path = Path(path)
        self.part = self.path.with_suffix(f'.part{self.path.suffix}')
        self.rate = Fraction(fps).limit_denominator(100000)
        self._container: Optional[av.container.OutputContainer] = None
        self._last = -1

    def write(self, frame: np.ndarray, time: Optional[float] = None) -> None:
        """Add a frame.

        Args:
            frame (np.ndarray): Shape (H, W, 3), BGR, uint8; the first gives
                the size, to which the others are scaled. An odd side grows
                by one pixel, a copy of its last, for half the colours are
                kept in each direction.
            time (float, optional): When it is shown, seconds; times must
                grow. None counts on by the rate.

        Raises:
            UserError: if such a file cannot be written, or another writer
                of this process is at it.
        """
        if self._container is None:
            self._open(frame.shape)
        if frame.shape != self._shape:
            frame = cv2.resize(frame, self._shape[1::-1])
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            frame = cv2.copyMakeBorder(
                frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE
            )
        image = av.VideoFrame.from_ndarray(frame, format='bgr24')
        # One thread: several take longer to meet than to convert.
        image = image.reformat(format=self._stream.pix_fmt, threads=1)
        image.pts = self._tick(time)
        image.time_base = self._clock
        image.duration = self._step
        self._mux(image)

    def close(self) -> None:
        """Finish the file; nothing was written, no file."""
        if self._container is None:
            return
        self._mux(None)
        self._container.close()
        self._container = None
        _WRITING.pop(self.part.resolve(), None)
        if self.path.suffix.lower() == '.mp4':
            _index_first(self.part)
        os.replace(self.part, self.path)

    def _open(self, shape: tuple[int, ...]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        suffix = self.path.suffix.lower()
        if suffix not in ('.mp4', '.avi'):
            raise UserError(
                f'{self.path} cannot be written; name a .mp4 or .avi file'
            )
        if _WRITING.setdefault(self.part.resolve(), self) is not self:
            raise UserError(
                f'{self.path} is being written; wait for it or name another '
                'place'
            )
        mp4 = suffix == '.mp4'
        self._clock = _CLOCK if mp4 else 1 / self.rate
        self._step = max(1, round(1 / (self.rate * self._clock)))
        self._shape = shape
        try:
            container = av.open(
                str(self.part), 'w', options=_FRAGMENTS if mp4 else {}
            )
        except OSError as error:
            raise UserError(
                f'{self.path} cannot be written ({error.strerror}); name a '
                'place that can'
            ) from error
        self._stream = container.add_stream(
            'libx264' if mp4 else 'mjpeg', rate=self.rate
        )
        self._stream.height = shape[0] + shape[0] % 2
        self._stream.width = shape[1] + shape[1] % 2
        self._stream.pix_fmt = 'yuv420p' if mp4 else 'yuvj420p'
        self._stream.codec_context.time_base = self._clock
        # A keyframe, and so a fragment, every second.
        self._stream.codec_context.gop_size = max(1, round(self.rate))
        self._stream.options = dict(_H264 if mp4 else _MJPEG)
        self._container = container

    def _tick(self, time: Optional[float]) -> int:
        """The time on the video's clock, later than that of the last frame."""
        tick = self._last + self._step if self._last >= 0 else 0
        if time is not None:
            tick = max(round(time / self._clock), self._last + 1)
        self._last = tick
        return tick

    def _mux(self, image: Optional[av.VideoFrame]) -> None:
        assert self._container is not None
        self._container.mux(self._stream.encode(image))


def _index_first(path: Path) -> None:
    """Copy the packets of a fragmented mp4 into one with its index in front.

    A browser then begins to play, and can seek, before it has the whole.
    """
    whole = path.with_suffix(f'.whole{path.suffix}')
    with (
        av.open(str(path)) as source,
        av.open(str(whole), 'w', options={'movflags': 'faststart'}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    os.replace(whole, path)
