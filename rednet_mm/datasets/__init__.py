"""Video clips, samplers, transforms and landmark metainfo."""

from .face import VideoClipDataset
from .samplers import SubjectBatchSampler, VideoBatchSampler
from .transforms import LoadVideoFrame

__all__ = [
    'LoadVideoFrame',
    'SubjectBatchSampler',
    'VideoBatchSampler',
    'VideoClipDataset',
]
