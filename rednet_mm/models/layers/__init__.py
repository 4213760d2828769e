"""Building blocks shared by backbones and necks."""

from .step_norm import StepBatchNorm2d, set_step

__all__ = ['StepBatchNorm2d', 'set_step']
