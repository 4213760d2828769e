"""Following faces in films; the owner of video input and output."""

from rednet_mm.drawing import contact_sheet

from .drawing import draw_face
from .one_euro import OneEuroFilter, OneEuroState
from .network import FaceNetwork, FaceResult, TorchNetwork
from .tracker import LandmarkTracker, TrackedFace, TrackState
from .video_io import Frame, FrameReader, read_frames
from .video_writer import VideoWriter

__all__ = [
    'FaceNetwork',
    'FaceResult',
    'Frame',
    'FrameReader',
    'LandmarkTracker',
    'OneEuroFilter',
    'OneEuroState',
    'TorchNetwork',
    'TrackState',
    'TrackedFace',
    'VideoWriter',
    'contact_sheet',
    'draw_face',
    'read_frames',
]
