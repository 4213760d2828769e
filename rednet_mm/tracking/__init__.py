"""Tracking of faces by detection of landmarks: tracker, boxes, detectors.

The network that PyTorch runs is in ``torch_network``, which is imported
where it is wanted; nothing here reads or writes videos.
"""

from .boxes import BOX_RULES
from .detectors import Calibration, FaceDetector, WholeFrame, build_detector
from .network import FaceNetwork, FaceResult
from .onnx_network import OnnxNetwork
from .track_state import TrackedFace, TrackerSettings, TrackEvent, TrackState
from .tracker import LandmarkTracker

__all__ = [
    'BOX_RULES',
    'Calibration',
    'FaceDetector',
    'FaceNetwork',
    'FaceResult',
    'LandmarkTracker',
    'OnnxNetwork',
    'TrackEvent',
    'TrackState',
    'TrackedFace',
    'TrackerSettings',
    'WholeFrame',
    'build_detector',
]
