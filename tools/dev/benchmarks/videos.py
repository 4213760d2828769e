"""Videos made out of others, and following them, shared by the benchmarks."""

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np

# The converters are not installed: they lie beside the tools.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from data_converters.errors import DataError
from data_converters.make_tiny_300vw import make
from rednet_mm.apis import (
    LandmarkTracker,
    TrackLog,
    VideoWriter,
    read_frames,
)
from rednet_mm.utils.errors import UserError

# Copies of a video across and down, by number of faces.
GRIDS = {1: (1, 1), 2: (2, 1), 4: (2, 2), 8: (4, 2)}

# Side of frames that are drawn, pixels.
SIDE = 192

Boxes = np.ndarray


def _write(frames: Iterable[np.ndarray], fps: float, path: str) -> None:
    writer = VideoWriter(path, fps)
    try:
        for frame in frames:
            writer.write(frame)
    finally:
        writer.close()


def drawn(folder: Path, videos: int, frames: int) -> list[Path]:
    """Draw videos of a face each, in the layout of 300-VW.

    Returns:
        list[Path]: The folder of each.

    Raises:
        UserError: for more than can be drawn.
    """
    try:
        return make(folder, videos=videos, frames=frames, size=SIDE, seed=0)
    except DataError as error:
        raise UserError(str(error)) from error


def size_of(video: str) -> tuple[int, int]:
    """The pixels of a video, (w, h)."""
    with read_frames(video) as reader:
        height, width = next(iter(reader)).image.shape[:2]
    return width, height


def changed(
    video: str,
    frames: int,
    change: Callable[[np.ndarray], np.ndarray],
    path: str,
) -> None:
    """A video of the first frames of another, something done to each."""
    with read_frames(video) as reader:
        first = islice(reader, frames)
        _write((change(each.image) for each in first), reader.fps, path)


def put_beside_itself(
    video: str, frames: int, grid: tuple[int, int], path: str
) -> None:
    """A video of copies of the first frames of another."""
    across, down = grid
    changed(
        video, frames, lambda image: np.tile(image, (down, across, 1)), path
    )


def resized(video: str, frames: int, size: tuple[int, int], path: str) -> None:
    """A video of the first frames of another in other pixels (w, h)."""
    changed(video, frames, lambda image: cv2.resize(image, size), path)


def there_and_back(video: str, frames: int, times: int, path: str) -> None:
    """A video of the first frames of another, forward, backward and again.

    So no face jumps. The frames are held in memory meanwhile.
    """
    with read_frames(video) as reader:
        there = [each.image for each in islice(reader, frames)]
    rounds = (there[:: 1 - 2 * (each % 2)] for each in range(times))
    _write((image for one in rounds for image in one), reader.fps, path)


def boxes_of(
    box: list[float], size: tuple[int, int], grid: tuple[int, int]
) -> Boxes:
    """The face in each copy, x y w h, (F, 4)."""
    x, y, w, h = box
    return np.array(
        [
            [x + i * size[0], y + j * size[1], w, h]
            for j in range(grid[1])
            for i in range(grid[0])
        ]
    )


def follow(
    tracker: LandmarkTracker[Any], path: str, boxes: Optional[Boxes]
) -> list[int]:
    """Faces in each frame; their landmarks go beside the video."""
    log, found = TrackLog({}, str(Path(path).with_suffix('.json'))), []
    with read_frames(path) as reader:
        frames = (frame.image for frame in reader)
        for number, faces in enumerate(tracker.track(frames, boxes)):
            log.add(number, number / reader.fps, faces)
            found.append(len(faces))
    log.close(dict(how='complete'))
    return found
