"""Parts of a run that MMEngine lets a project bring along."""

from .checkpoints import WholeCheckpointHook
from .hooks import LandmarkVisualizationHook
from .loops import VideoTestLoop, VideoValLoop
from .optim_wrapper import BFloat16OptimWrapper
from .seeding import EpochSeedHook

__all__ = [
    'BFloat16OptimWrapper',
    'EpochSeedHook',
    'LandmarkVisualizationHook',
    'VideoTestLoop',
    'VideoValLoop',
    'WholeCheckpointHook',
]
