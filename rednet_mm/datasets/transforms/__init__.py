"""Transforms of data samples."""

from .clip_from_image import ClipFromImage
from .degrade_clip import DegradeClip
from .face_keypoint_converter import FaceKeypointConverter
from .load_video_frame import LoadVideoFrame
from .shift_scale_box import ShiftScaleBox

__all__ = [
    'ClipFromImage',
    'DegradeClip',
    'FaceKeypointConverter',
    'LoadVideoFrame',
    'ShiftScaleBox',
]
