"""What of a file from elsewhere is opened, and how it is quoted.

``data_converters/untrusted.py`` is a link to this file: package and
converters both need it, and neither imports the other.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

# Of a frame: four times those of an 8K video. FFmpeg makes room for what a
# damaged header says.
MOST_PIXELS = 1 << 27
# An image of a few kilobytes may say to have a billion pixels, which is what
# OpenCV decodes; it reads this once, when it is loaded.
os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MOST_PIXELS))

# Characters of a path out of a file; systems end at 4,096 bytes.
_LONGEST_NAME = 1000

# What text is made of, with the mark of its coding.
_TEXT = bytes(range(32, 127)) + b'\t\r\n\f\v\xef\xbb\xbf'


def leaves_folder(name: str) -> bool:
    """Whether a path out of a file would lead out of the folder it is in.

    Absolute paths do, ``..``, and addresses (``http://``), which MMEngine and
    FFmpeg would fetch. What is no path at all does: control characters (a NUL
    ends a path where C reads it), characters that no file system has, names
    longer than any. Symbolic links are followed: the converters themselves
    make them.
    """
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return True
    path = PurePosixPath(name.replace('\\', '/'))
    return (
        path.is_absolute()
        or '..' in path.parts
        or '://' in name
        or len(name) > _LONGEST_NAME
        or min(name, default=' ') < ' '
    )


def is_playlist(path: Path) -> bool:
    """Whether a file that should be a video is text, or cannot be read.

    FFmpeg opens lists of videos (HLS, concat) whatever their suffix, and with
    them any file that they name. They are text, and videos are not.
    """
    try:
        with path.open('rb') as stream:
            head = stream.read(32)
    except OSError:
        return True
    if head.startswith(b'YUV4MPEG2'):
        return False
    # FFmpeg skips such a tag before it looks what a file is.
    return head.startswith(b'ID3') or not head.strip(_TEXT)


def short(text: object, most: int = 80) -> str:
    """Text out of a file, for a sentence: on one line and not too long."""
    line = ' '.join(str(text).strip()[: most + 1].splitlines())
    return line if len(line) <= most else f'{line[:most]}...'
