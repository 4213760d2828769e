"""Parts of a run that MMEngine lets a project bring along."""

from .hooks import LandmarkVisualizationHook
from .loops import VideoTestLoop, VideoValLoop
from .optim_wrapper import BFloat16OptimWrapper

__all__ = [
    'BFloat16OptimWrapper',
    'LandmarkVisualizationHook',
    'VideoTestLoop',
    'VideoValLoop',
]
