"""Data sets of faces.

The folder's name matters: MMPose's inferencer picks its default detector by
the folder under ``datasets`` in which the class of the data set lives.
"""

from .combined_clip_dataset import CombinedClipDataset
from .still_datasets import (
    CombinedStillDataset,
    Still300WDataset,
    StillAFLWDataset,
)
from .video_clip_dataset import VideoClipDataset

__all__ = [
    'CombinedClipDataset',
    'CombinedStillDataset',
    'Still300WDataset',
    'StillAFLWDataset',
    'VideoClipDataset',
]
