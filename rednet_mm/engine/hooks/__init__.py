"""Hooks of MMEngine."""

from .checkpoint_hook import AtomicCheckpointHook
from .finite_numbers_hook import FiniteNumbersHook
from .run_record_hook import RunRecordHook
from .visualization_hook import LandmarkVisualizationHook

__all__ = [
    'FiniteNumbersHook',
    'LandmarkVisualizationHook',
    'RunRecordHook',
    'AtomicCheckpointHook',
]
