"""A comparison as one page, and as pictures and tables for papers."""

from .over_time import MEASURES, draw_track, track_named
from .render import figure_style, image
from .write import write_files, write_report

__all__ = [
    'MEASURES',
    'draw_track',
    'figure_style',
    'image',
    'track_named',
    'write_files',
    'write_report',
]
