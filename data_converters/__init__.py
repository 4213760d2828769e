"""Turns face data sets into COCO-style keypoint JSON with video fields.

Each converter is a pure function ``convert(src, dst)`` and a command line
of its own. The source is only ever read. All converters share one writer
of the schema (:mod:`data_converters.schema`) and one kind of error
(:mod:`data_converters.errors`).
"""

import os

# An image of a few kilobytes may say to have a billion pixels, which is what
# OpenCV decodes; it reads this once, when it is loaded.
os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(1 << 27))
