"""Following faces in films; the owner of video input and output."""

from rednet_mm.drawing import contact_sheet
from rednet_mm.one_euro import OneEuroFilter, OneEuroState
from rednet_mm.shape_filter import ShapeFilter, ShapeFilterState

from .detectors import Calibration, FaceDetector, WholeFrame, build_detector
from .drawing import (
    FrameSample,
    Trajectories,
    draw_face,
    draw_maps,
)
from .inferencer import REDNetInferencer
from .network import FaceNetwork, FaceResult, TorchNetwork
from .onnx_network import OnnxNetwork
from .shipped_network import shipped_network
from .track_log import TrackLog, TrackTotals
from .track_state import (
    TrackedFace,
    TrackerSettings,
    TrackEvent,
    TrackState,
)
from .tracker import LandmarkTracker
from .tracking_loop import TrackingTestLoop
from .video_io import Frame, FrameReader, read_frames
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
    'TrackingTestLoop',
    'Trajectories',
    'VideoWriter',
    'WholeFrame',
    'build_detector',
    'contact_sheet',
    'draw_face',
    'draw_maps',
    'read_frames',
    'shipped_network',
]
