"""Video clips, samplers and landmark metainfo."""

from .face import VideoClipDataset
from .samplers import SubjectBatchSampler, VideoBatchSampler

__all__ = ['SubjectBatchSampler', 'VideoBatchSampler', 'VideoClipDataset']
