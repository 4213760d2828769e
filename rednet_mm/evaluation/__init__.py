"""Error of facial landmarks, accuracy of response maps."""

from .functional import area_under_curve, failure_rate, frame_errors
from .landmark_metric import FaceLandmarkMetric
from .response_map_metric import ResponseMapMetric

__all__ = [
    'FaceLandmarkMetric',
    'ResponseMapMetric',
    'area_under_curve',
    'failure_rate',
    'frame_errors',
]
