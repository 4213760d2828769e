"""Transforms of data samples."""

from .clip_from_image import ClipFromImage
from .degrade_clip import DegradeClip
from .load_video_frame import LoadVideoFrame
from .shift_scale_box import ShiftScaleBox

__all__ = ['ClipFromImage', 'DegradeClip', 'LoadVideoFrame', 'ShiftScaleBox']
