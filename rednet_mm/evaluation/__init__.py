"""Error of facial landmarks, accuracy of response maps.

* ``records``: predictions and truth as arrays; ``dumps`` and ``predictions``
  read them from files (``safe_pickle`` runs nothing that is in one);
* ``protocol``: how they are measured, named and printed;
* ``functional``, ``stability``: errors of frames and of motion;
  ``smoothing``: shape filter and One Euro, their baselines;
* ``sums``, ``summary``: all figures in one pass;
* ``comparison``, ``tables``: several systems side by side, with intervals;
  ``seeds``: several trainings of each;
* ``landmark_metric``, ``response_map_metric``: in MMEngine's terms.
"""

from .dumps import DumpPredictions, read_dump
from .functional import area_under_curve, failure_rate, frame_errors
from .landmark_metric import FaceLandmarkMetric
from .predictions import read_predictions
from .protocol import PROTOCOLS, Protocol, named_protocol
from .records import LandmarkRecords, pair, records_from_samples
from .response_map_metric import ResponseMapMetric
from .smoothing import smoothed
from .summary import Summary, compare, evaluate

__all__ = [
    'PROTOCOLS',
    'DumpPredictions',
    'FaceLandmarkMetric',
    'LandmarkRecords',
    'Protocol',
    'ResponseMapMetric',
    'Summary',
    'area_under_curve',
    'compare',
    'evaluate',
    'failure_rate',
    'frame_errors',
    'named_protocol',
    'pair',
    'read_dump',
    'read_predictions',
    'records_from_samples',
    'smoothed',
]
