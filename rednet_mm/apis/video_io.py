"""Frames of films and folders in, films out."""

import os
from pathlib import Path
from typing import Iterator, Optional

import cv2
import numpy as np

from rednet_mm.errors import UserError

IMAGE_SUFFIXES = {'.jpg', '.jpeg', '.png', '.bmp'}


def read_frames(source: str) -> tuple[Iterator[np.ndarray], int, float]:
    """Frames of a film file or of a folder of images, in order of names.

    Args:
        source (str): A film or a folder.

    Returns:
        tuple: An iterator over frames (H, W, 3), BGR, uint8; how many the
        container announces (0 where it does not); frames a second (25 for a
        folder).

    Raises:
        FileNotFoundError: if there is nothing of that name, or no image.
        UserError: if the file is not a film that OpenCV can read.
    """
    path = Path(source)
    if path.is_dir():
        files = sorted(
            each
            for each in path.iterdir()
            if each.suffix.lower() in IMAGE_SUFFIXES
        )
        if not files:
            raise FileNotFoundError(
                f'{source} has no images; name a film or a folder of frames'
            )
        return _read_images(files), len(files), 25.0
    if not path.is_file():
        raise FileNotFoundError(
            f'{source} does not exist; name a film or a folder of frames'
        )
    film = cv2.VideoCapture(source)
    grabbed, first = film.read()
    if not grabbed:
        raise UserError(
            f'{source} is not a film that can be read; convert it, for '
            'instance to H.264 in mp4'
        )
    count = max(0, int(film.get(cv2.CAP_PROP_FRAME_COUNT)))
    return _read_film(film, first), count, film.get(cv2.CAP_PROP_FPS) or 25.0


def _read_images(files: list[Path]) -> Iterator[np.ndarray]:
    for file in files:
        frame = cv2.imread(str(file))
        if frame is None:
            raise UserError(
                f'{file} is not an image that can be read; remove it or '
                'replace it'
            )
        yield frame


def _read_film(
    film: cv2.VideoCapture, first: Optional[np.ndarray]
) -> Iterator[np.ndarray]:
    frame, grabbed = first, True
    while grabbed and frame is not None:
        yield frame
        grabbed, frame = film.read()
    film.release()


class VideoWriter:
    """A film that appears under its name when it is closed.

    What was written until then is the film, so one that is cut short by an
    error or by Ctrl-C can still be played.

    Args:
        path (str): The film, ``.mp4`` or ``.avi``.
        fps (float): Frames a second.
    """

    def __init__(self, path: str, fps: float) -> None:
        self.path = Path(path)
        self.part = self.path.with_suffix(f'.part{self.path.suffix}')
        self.fps = fps
        self._writer: Optional[cv2.VideoWriter] = None

    def write(self, frame: np.ndarray) -> None:
        """Add a frame (H, W, 3), BGR, uint8; the first gives the size.

        Raises:
            UserError: if OpenCV cannot write such a file, or the frame is
                of another size than the first.
        """
        if self._writer is None:
            self._writer = self._open((frame.shape[1], frame.shape[0]))
            self._size = frame.shape[:2]
        if frame.shape[:2] != self._size:
            raise UserError(
                f'{self.path}: a frame of {frame.shape[1::-1]} pixels in a '
                f'film of {self._size[::-1]}; give frames of one size'
            )
        self._writer.write(frame)

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        code = 'MJPG' if self.path.suffix.lower() == '.avi' else 'mp4v'
        writer = cv2.VideoWriter(
            str(self.part), cv2.VideoWriter.fourcc(*code), self.fps, size
        )
        if not writer.isOpened():
            raise UserError(
                f'{self.path} cannot be written; name a .mp4 or .avi file'
            )
        return writer

    def close(self) -> None:
        """Finish the file; nothing was written, no file."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            os.replace(self.part, self.path)
