"""Recurrence over time at the bottleneck."""

from .temporal_recurrent_neck import TemporalRecurrentNeck

__all__ = ['TemporalRecurrentNeck']
