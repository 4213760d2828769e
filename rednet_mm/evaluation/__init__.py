"""Error of facial landmarks."""

from .functional import area_under_curve, failure_rate, frame_errors
from .landmark_metric import FaceLandmarkMetric

__all__ = [
    'FaceLandmarkMetric',
    'area_under_curve',
    'failure_rate',
    'frame_errors',
]
