"""Turns face data sets into COCO-style keypoint JSON with video fields.

Each converter is a pure function ``convert(src, dst)`` and a command line
of its own. The source is only ever read. All converters share one writer
of the schema (:mod:`data_converters.schema`) and one kind of error
(:mod:`data_converters.errors`).
"""

from data_converters import untrusted  # noqa: F401  (limits OpenCV)
