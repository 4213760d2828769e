"""Transforms of data samples."""

from .load_video_frame import LoadVideoFrame

__all__ = ['LoadVideoFrame']
