"""Mean, spread, failures and area under the curve, in MMEngine's terms."""

from typing import Any, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpose.registry import METRICS

from rednet_mm.errors import UserError
from rednet_mm.landmarks import SEVEN_OF_68

from .functional import area_under_curve, failure_rate, frame_errors


@METRICS.register_module()
class FaceLandmarkMetric(BaseMetric):
    """Error of facial landmarks over all frames (section 5.1).

    Measured are the 68 points, or the 7 of them that a network which only
    detects predicts; the norm is always that of the 68 true ones.

    Figures, all in percent: ``NME`` (mean over frames of the normalised mean
    error), ``NME_std`` (its standard deviation over frames),
    ``failure_rate`` (frames with an error above ``failure_threshold``) and
    ``AUC`` (area under the cumulative error curve up to ``auc_limit``). What
    they are measured in is said with them: ``protocol`` is logged with every
    evaluation.

    Args:
        norm (str): ``'outer_eyes'``, ``'pupils'`` or ``'box'``, see
            :func:`norm_lengths`. Defaults to ``'outer_eyes'``.
        failure_threshold (float): In percent. Defaults to 10.
        auc_limit (float): In percent. Defaults to 8.
        collect_device (str): As in MMEngine.
        prefix (str, optional): As in MMEngine.
    """

    default_prefix = 'face'

    def __init__(
        self,
        norm: str = 'outer_eyes',
        failure_threshold: float = 10.0,
        auc_limit: float = 8.0,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.norm = norm
        self.failure_threshold = failure_threshold
        self.auc_limit = auc_limit

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take down prediction and truth of each frame.

        Args:
            data_batch (Any): Not read.
            data_samples (Sequence[dict]): Frames with ``pred_instances`` and
                ``gt_instances`` in pixels of the original image.

        Raises:
            UserError: if their numbers of points differ.
        """
        for sample in data_samples:
            truth = np.asarray(sample['gt_instances']['keypoints'])
            visible = np.asarray(sample['gt_instances']['keypoints_visible'])
            prediction = np.asarray(sample['pred_instances']['keypoints'])
            points = None
            if prediction.shape[1] == len(SEVEN_OF_68) < truth.shape[1]:
                points = SEVEN_OF_68
            elif prediction.shape != truth.shape:
                raise UserError(
                    f'{sample.get("img_path")}: {prediction.shape[1]} '
                    f'landmarks predicted, {truth.shape[1]} annotated; model '
                    'and data must have the same scheme'
                )
            (error,) = frame_errors(
                prediction, truth, visible, self.norm, points
            )
            self.results.append((float(error), prediction.shape[1]))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over all frames.

        Args:
            results (list[tuple]): The error of each frame in percent, and
                how many points it is the mean of.

        Raises:
            UserError: if no frame can be measured.
        """
        errors = np.array([error for error, _ in results], np.float64)
        points = ' or '.join(map(str, sorted({k for _, k in results})))
        unusable = int(np.isnan(errors).sum())
        errors = errors[~np.isnan(errors)]
        if not len(errors):
            raise UserError('no frame has annotated landmarks to measure by')
        print_log(
            f'protocol: {len(errors)} frames ({unusable} without usable '
            f'marks left out), {points} points, mean over frames, norm '
            f'{self.norm}, failure above {self.failure_threshold:g} %, '
            f'AUC up to {self.auc_limit:g} %; all figures in %',
            'current',
        )
        limit = f'{self.auc_limit:g}'
        return {
            'NME': float(errors.mean()),
            'NME_std': float(errors.std()),
            'failure_rate': failure_rate(errors, self.failure_threshold),
            f'AUC@{limit}': area_under_curve(errors, self.auc_limit),
        }
