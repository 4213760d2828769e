"""Extensions of MMEngine: hooks, loops, optimizer wrapper, seeding."""

from rednet_mm.engine.hooks.checkpoint_hook import AtomicCheckpointHook
from rednet_mm.engine.hooks.finite_numbers_hook import FiniteNumbersHook
from rednet_mm.engine.hooks.run_record_hook import RunRecordHook
from rednet_mm.engine.hooks.visualization_hook import LandmarkVisualizationHook

from .loops import VideoTestLoop, VideoValLoop
from .optim_wrapper import BFloat16OptimWrapper
from .seeding import EpochSeedHook
from .tracking_loop import TrackingTestLoop

__all__ = [
    'BFloat16OptimWrapper',
    'EpochSeedHook',
    'FiniteNumbersHook',
    'LandmarkVisualizationHook',
    'RunRecordHook',
    'TrackingTestLoop',
    'VideoTestLoop',
    'VideoValLoop',
    'AtomicCheckpointHook',
]
