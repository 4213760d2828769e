"""Network modules, registered in MMPose's ``MODELS``."""

from .backbones import REDNetResNet, REDNetVGG
from .data_preprocessor import ClipDataPreprocessor
from .heads import IdentityHead, REDNetHead
from .losses import ResponseMapBCELoss, ResponseMapL2Loss
from .necks import TemporalRecurrentNeck
from .pose_estimator import RecurrentPoseEstimator

__all__ = [
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
