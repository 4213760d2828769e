"""Sees what files a reader touches, and says which it should not have."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2

# Audit events whose first argument is a path, or a URL, that is used.
EVENTS = {
    'open', 'os.listdir', 'os.scandir', 'os.mkdir', 'os.remove', 'os.rmdir',
    'os.rename', 'os.link', 'os.symlink', 'os.truncate', 'os.chmod',
    'shutil.rmtree', 'shutil.copyfile', 'sqlite3.connect', 'urllib.Request',
    'socket.connect', 'socket.getaddrinfo', 'subprocess.Popen', 'os.system',
    'video',
}  # fmt: skip

# What in the watched folder begins so lies beside what may be touched.
OUTSIDE = 'outside'

# Of Python and the system: modules are imported late, and the number of
# processors is looked up.
_USUAL = tuple(
    f'{os.path.realpath(place)}/'
    for place in (
        sys.prefix,
        sys.base_prefix,
        sysconfig.get_paths()['stdlib'],
        Path(__file__).parents[2],
        '/proc',
        '/sys',
        '/dev/null',
        '/dev/urandom',
    )
)

_state: dict[str, Any] = {'inside': None, 'seen': [], 'hooked': False}
_lock = threading.Lock()


def _hook(event: str, arguments: tuple) -> None:
    inside = _state['inside']
    if inside is None or event not in EVENTS:
        return
    place = arguments[0] if arguments else None
    if isinstance(place, bytes):
        place = os.fsdecode(place)
    if not isinstance(place, (str, os.PathLike)):
        # A descriptor of what was opened before; a socket is none.
        if not isinstance(place, int):
            _state['seen'].append(f'{event} {place!r}')
        return
    place = os.fspath(place)
    if event == 'sqlite3.connect':
        place = place.removeprefix('file://').partition('?')[0]
    if event.startswith(('socket', 'urllib', 'subprocess', 'os.system')):
        _state['seen'].append(f'{event} {place}')
        return
    if '\0' in place:
        return  # the call refuses it
    real = f'{os.path.realpath(place)}/'
    beside = real.startswith(f'{inside}/{OUTSIDE}')
    if beside or not real.startswith((f'{inside}/', *_USUAL)):
        _state['seen'].append(f'{event} {place}')


def _announced(open_video: Any) -> Any:
    """A function of a library in C that says which file it opens."""

    def call(*arguments: Any, **options: Any) -> Any:
        if arguments and isinstance(arguments[0], str):
            sys.audit('video', arguments[0])
        return open_video(*arguments, **options)

    return call


class _Capture:
    """OpenCV's, which cannot be inherited from, behind a door."""

    inner = cv2.VideoCapture

    def __init__(self, *arguments: Any) -> None:
        self._capture = _announced(self.inner)(*arguments)

    def open(self, *arguments: Any) -> bool:
        return _announced(self._capture.open)(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)


@contextmanager
def watching(folder: Path) -> Iterator[list[str]]:
    """While it lasts, paths out of a folder are written into a list.

    Args:
        folder: Where a reader may read and write, but for what in it begins
            with ``OUTSIDE``.

    Yields:
        What was touched elsewhere, as ``event path``.
    """
    with _lock:
        if not _state['hooked']:
            # A hook stays for as long as the process.
            sys.addaudithook(_hook)
            _state['hooked'] = True
    kept = cv2.VideoCapture, cv2.imread, av.open
    cv2.VideoCapture = _Capture
    cv2.imread, av.open = _announced(cv2.imread), _announced(av.open)
    _state['seen'] = seen = []
    _state['inside'] = os.path.realpath(folder)
    try:
        yield seen
    finally:
        _state['inside'] = None
        cv2.VideoCapture, cv2.imread, av.open = kept
