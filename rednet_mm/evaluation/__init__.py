"""Metrics: error of facial landmarks, accuracy of response maps.

* ``records``: predictions and ground truth as arrays; ``dumps`` and
  ``predictions`` read them from files (``safe_pickle`` runs nothing that is in
  one);
* ``protocol``, ``groups``: how they are measured, named and printed;
* ``functional``, ``stability``: errors of frames and of motion;
* ``sums``, ``summary``: all metrics of a system in one pass;
* ``landmark_metric``, ``response_map_metric``: MMEngine's metrics.

What compares systems and reports is in :mod:`rednet_mm.analysis`.
"""

from .dumps import DumpPredictions, read_dump
from .functional import area_under_curve, failure_rate, frame_errors
from .landmark_metric import FaceLandmarkMetric
from .predictions import read_predictions
from .protocol import PROTOCOLS, Protocol, named_protocol
from .records import LandmarkRecords, pair, records_from_samples
from .response_map_metric import ResponseMapMetric
from .summary import Summary, evaluate

__all__ = [
    'PROTOCOLS',
    'DumpPredictions',
    'FaceLandmarkMetric',
    'LandmarkRecords',
    'Protocol',
    'ResponseMapMetric',
    'Summary',
    'area_under_curve',
    'evaluate',
    'failure_rate',
    'frame_errors',
    'named_protocol',
    'pair',
    'read_dump',
    'read_predictions',
    'records_from_samples',
]
