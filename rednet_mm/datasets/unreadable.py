"""What happens at an image that cannot be read.

Testing ends with a sentence that names it. Training skips it: another
item takes its place, and the first of all workers to meet it warns.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Optional, TypeVar

import cv2
import mmcv
import numpy as np
import torch
from mmengine import fileio
from mmengine.logging import print_log

from rednet_mm.datasets.transforms.load_video_frame import (
    VideoFrames,
    split_frame_path,
)
from rednet_mm.utils.errors import UserError

Choice = TypeVar('Choice')

# How many other items are tried in place of one that cannot be read.
TRIES = 30


class UnreadableFrame(Exception):
    """An image of a training item cannot be read."""


class UnreadableFiles:
    """Which files of a data set cannot be read, known to all its workers.

    Args:
        paths: All files of the data set, in any order and number.
        test_mode (bool): Whether an unreadable file is an error.
    """

    def __init__(self, paths: Iterable[str], test_mode: bool) -> None:
        self.test_mode = test_mode
        # Eight bytes a file in place of the paths, of which each worker
        # would get a copy.
        digests = [_digest(path) for path in paths]
        self._digests = np.unique(np.array(digests, dtype=np.uint64))
        self._flags = torch.zeros(
            len(self._digests), dtype=torch.bool
        ).share_memory_()

    def knows(self, path: str) -> bool:
        """Whether a worker could not read the file."""
        return bool(self._flags.any()) and bool(self._flags[self._place(path)])

    @contextmanager
    def reading(self, path: str, instead: str) -> Iterator[None]:
        """Surrounds what reads a file.

        Args:
            path (str): The file, or a frame of a video.
            instead (str): What happens in training, for the warning.

        Raises:
            UserError: in testing, if the file cannot be read.
            UnreadableFrame: in training, likewise.
        """
        try:
            yield
        except Exception as error:
            # Whatever a transform raises is its own fault where the file
            # can be read.
            fault = fault_of(path)
            if fault is None:
                raise
            if self.test_mode:
                raise UserError(
                    f'{path} {fault}; get it again, or convert the data '
                    'without it'
                ) from error
            place = self._place(path)
            if not self._flags[place]:
                self._flags[place] = True
                print_log(
                    f'{path} {fault}; {instead}', 'current', logging.WARNING
                )
            raise UnreadableFrame(path) from error

    def _place(self, path: str) -> int:
        return int(np.searchsorted(self._digests, np.uint64(_digest(path))))


def first_readable(
    choices: Iterable[Choice], prepare: Callable[[Choice], Any], ann_file: str
) -> Any:
    """What ``prepare`` makes of the first choice that can be read.

    Args:
        choices: What is tried, in order.
        prepare: Raises UnreadableFrame where a file cannot be read.
        ann_file (str): The annotation file, for the error's sentence.

    Raises:
        UserError: if none can be read.
    """
    for choice in choices:
        try:
            return prepare(choice)
        except UnreadableFrame:
            continue
    raise UserError(
        f'{ann_file}: one item after the other holds an image that cannot be '
        'read; look at the data with tools/dataset/check_dataset.py'
    )


def fault_of(path: str) -> Optional[str]:
    """What keeps an image from being read, None where nothing does."""
    place = split_frame_path(path)
    if place is not None:
        video = None
        try:
            video = VideoFrames(place[0])
            video.read(place[1])
        except UserError:
            return 'cannot be read from its video'
        finally:
            if video is not None:
                video.release()
        return None
    try:
        image = mmcv.imfrombytes(fileio.get(path))
    except FileNotFoundError:
        return 'does not exist'
    except (OSError, cv2.error):
        image = None
    return 'cannot be decoded' if image is None else None


def _digest(path: str) -> int:
    digest = hashlib.blake2b(path.encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little')
