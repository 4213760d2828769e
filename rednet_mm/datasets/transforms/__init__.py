"""Transforms of data samples."""

from .load_video_frame import LoadVideoFrame
from .shift_scale_box import ShiftScaleBox

__all__ = ['LoadVideoFrame', 'ShiftScaleBox']
