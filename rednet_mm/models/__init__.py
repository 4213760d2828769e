"""Network modules, registered in MMPose's ``MODELS``."""

from .backbones import (
    BackboneEncoder,
    REDNetEncoderDecoder,
    REDNetResNet,
    REDNetVGG,
    TimmEncoder,
)
from .data_preprocessor import ClipDataPreprocessor
from .heads import IdentityHead, REDNetHead
from .losses import ResponseMapBCELoss, ResponseMapL2Loss
from .necks import TemporalRecurrentNeck
from .pose_estimator import RecurrentPoseEstimator

__all__ = [
    'BackboneEncoder',
    'REDNetEncoderDecoder',
    'TimmEncoder',
    'ClipDataPreprocessor',
    'IdentityHead',
    'REDNetHead',
    'REDNetResNet',
    'REDNetVGG',
    'RecurrentPoseEstimator',
    'ResponseMapBCELoss',
    'ResponseMapL2Loss',
    'TemporalRecurrentNeck',
]
