"""Video clips, samplers, transforms and landmark metainfo."""

from .face import (
    CombinedClipDataset,
    CombinedStillDataset,
    Still300WDataset,
    StillAFLWDataset,
    VideoClipDataset,
)
from .samplers import SubjectBatchSampler, VideoBatchSampler
from .transforms import (
    ClipFromImage,
    DegradeClip,
    LoadVideoFrame,
    ShiftScaleBox,
)

__all__ = [
    'ClipFromImage',
    'CombinedClipDataset',
    'CombinedStillDataset',
    'DegradeClip',
    'LoadVideoFrame',
    'ShiftScaleBox',
    'Still300WDataset',
    'StillAFLWDataset',
    'SubjectBatchSampler',
    'VideoBatchSampler',
    'VideoClipDataset',
]
