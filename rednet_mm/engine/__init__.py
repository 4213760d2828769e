"""Parts of a run that MMEngine lets a project bring along."""

from .checkpoints import WholeCheckpointHook
from .finite_numbers import FiniteNumbersHook
from .hooks import LandmarkVisualizationHook
from .loops import VideoTestLoop, VideoValLoop
from .optim_wrapper import BFloat16OptimWrapper
from .run_record import RunRecordHook
from .seeding import EpochSeedHook

__all__ = [
    'BFloat16OptimWrapper',
    'EpochSeedHook',
    'FiniteNumbersHook',
    'LandmarkVisualizationHook',
    'RunRecordHook',
    'VideoTestLoop',
    'VideoValLoop',
    'WholeCheckpointHook',
]
