"""Inferencer, video reader and writer, logs; what users import."""

import warnings
from typing import Any

from rednet_mm.tracking.detectors import (
    Calibration,
    FaceDetector,
    WholeFrame,
    build_detector,
)
from rednet_mm.tracking.network import FaceNetwork, FaceResult
from rednet_mm.tracking.onnx_network import OnnxNetwork
from rednet_mm.tracking.torch_network import TorchNetwork
from rednet_mm.tracking.track_state import (
    TrackedFace,
    TrackerSettings,
    TrackEvent,
    TrackState,
)
from rednet_mm.tracking.tracker import LandmarkTracker
from rednet_mm.utils.filters import OneEuroFilter, OneEuroState
from rednet_mm.utils.shape_filter import ShapeFilter, ShapeFilterState
from rednet_mm.visualization.drawing import (
    FrameSample,
    Trajectories,
    contact_sheet,
    draw_face,
    draw_maps,
)

from .bundled import bundled_network
from .inferencer import REDNetInferencer
from .track_log import TrackLog, TrackTotals
from .video_reader import Frame, FrameReader, read_frames
from .video_writer import VideoWriter

__all__ = [
    'Calibration',
    'FaceDetector',
    'FaceNetwork',
    'FaceResult',
    'Frame',
    'FrameReader',
    'FrameSample',
    'LandmarkTracker',
    'OneEuroFilter',
    'OneEuroState',
    'OnnxNetwork',
    'REDNetInferencer',
    'ShapeFilter',
    'ShapeFilterState',
    'TorchNetwork',
    'TrackEvent',
    'TrackLog',
    'TrackState',
    'TrackTotals',
    'TrackedFace',
    'TrackerSettings',
    'Trajectories',
    'VideoWriter',
    'WholeFrame',
    'build_detector',
    'contact_sheet',
    'draw_face',
    'draw_maps',
    'read_frames',
    'bundled_network',
]

# What older code imports from here.
_OLD_NAMES = {
    'shipped_network': 'bundled_network',
}


def __getattr__(name: str) -> Any:
    """Old names, with a warning."""
    if name not in _OLD_NAMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    warnings.warn(
        f'rednet_mm.apis.{name} is deprecated; use {_OLD_NAMES[name]}',
        FutureWarning,
        stacklevel=2,
    )
    return globals()[_OLD_NAMES[name]]
