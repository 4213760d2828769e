"""A comparison as one page, and as images and tables for papers."""

from .over_time import CURVES, draw_track, track_named
from .render import image, plot_style
from .write import write_files, write_report

__all__ = [
    'CURVES',
    'draw_track',
    'plot_style',
    'image',
    'track_named',
    'write_files',
    'write_report',
]
