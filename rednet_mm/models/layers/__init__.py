"""Building blocks shared by backbones and necks."""

from .last_keypoints import FeedbackNoise, to_crop, to_frame
from .precision import full_precision
from .recompute import recomputed
from .step_norm import (
    StepBatchNorm2d,
    convert_norms,
    recurrent_step,
    step_norms,
)

__all__ = [
    'FeedbackNoise',
    'StepBatchNorm2d',
    'convert_norms',
    'full_precision',
    'recomputed',
    'recurrent_step',
    'step_norms',
    'to_crop',
    'to_frame',
]
