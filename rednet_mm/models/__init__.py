"""Network modules, registered in MMPose's ``MODELS``."""

from .backbones import REDNetResNet
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
    'RecurrentPoseEstimator',
    'ResponseMapBCELoss',
    'ResponseMapL2Loss',
    'TemporalRecurrentNeck',
]
