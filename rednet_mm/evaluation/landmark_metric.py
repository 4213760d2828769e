"""Mean, spread, failures and area under the curve, in MMEngine's terms."""

from collections.abc import Callable
from typing import Any, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpose.registry import METRICS

from rednet_mm.errors import UserError
from rednet_mm.landmarks import SEVEN_OF_68

from .functional import area_under_curve, failure_rate, frame_errors


def _yaw_group(sample: dict) -> Optional[str]:
    """AFLW (section 5.3): common |yaw| in [0, 30] degrees, else (30, 90]."""
    yaw = sample.get('yaw')
    if yaw is None:
        return None
    return 'common' if abs(yaw) <= 30 else 'challenging'


def _category_group(sample: dict) -> Optional[str]:
    """300-VW (section 5.4): common is category 1, challenging 2 and 3."""
    category = sample.get('category')
    if category is None:
        return None
    return 'common' if category == 1 else 'challenging'


def _turn_group(sample: dict) -> Optional[str]:
    """By the marks: how far the nose tip lies from the middle of the eyes.

    Measured along the line of the outer eye corners, in shares of their
    distance. The nose tip stands about half that distance in front of them,
    so at a yaw of y degrees this is about tan(y) / 2: 0.2 at 22 degrees.
    """
    truth = sample['gt_instances']
    visible = np.asarray(truth['keypoints_visible']).reshape(68, -1)[:, 0]
    if not visible[[30, 36, 45]].all():
        return None
    nose, start, end = np.asarray(truth['keypoints'])[0, [30, 36, 45]]
    eyes = end - start
    share = (nose - start) @ eyes / max(eyes @ eyes, 1e-12)
    return 'common' if abs(share - 0.5) <= 0.2 else 'challenging'


GROUPS: dict[str, Callable[[dict], Optional[str]]] = {
    'yaw': _yaw_group,
    'category': _category_group,
    'turn': _turn_group,
}


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
    evaluation. With ``groups`` the same figures follow for the frames of
    each group, as ``common/NME`` and so on.

    Args:
        norm (str): ``'outer_eyes'``, ``'pupils'`` or ``'box'``, see
            :func:`norm_lengths`; or ``'box_size'``: what the annotation file
            gives under this name, for AFLW the root of the face rectangle's
            area. Defaults to ``'outer_eyes'``.
        points (Sequence[int], optional): Which of the 68 points are
            measured. None: all that are predicted.
        groups (str, optional): ``'yaw'`` (AFLW: common up to 30 degrees,
            challenging beyond), ``'category'`` (300-VW: common is category
            1, challenging 2 and 3), or ``'turn'`` (the turn of the head,
            estimated from the marks: common up to about 22 degrees; for data
            that has neither).
        failure_threshold (float): In percent. Defaults to 10.
        auc_limit (float): In percent. Defaults to 8.
        collect_device (str): As in MMEngine.
        prefix (str, optional): As in MMEngine.
    """

    default_prefix = 'face'

    def __init__(
        self,
        norm: str = 'outer_eyes',
        points: Optional[Sequence[int]] = None,
        groups: Optional[str] = None,
        failure_threshold: float = 10.0,
        auc_limit: float = 8.0,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if groups is not None and groups not in GROUPS:
            raise UserError(
                f'groups {groups!r} is not one of {", ".join(GROUPS)}'
            )
        self.norm = norm
        self.points = None if points is None else tuple(points)
        self.groups = groups
        self.failure_threshold = failure_threshold
        self.auc_limit = auc_limit

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take down prediction and truth of each frame.

        Args:
            data_batch (Any): Not read.
            data_samples (Sequence[dict]): Frames with ``pred_instances`` and
                ``gt_instances`` in pixels of the original image.

        Raises:
            UserError: if their numbers of points differ, or the sample does
                not say what the norm or the groups need.
        """
        for sample in data_samples:
            truth = np.asarray(sample['gt_instances']['keypoints'])
            visible = np.asarray(sample['gt_instances']['keypoints_visible'])
            if visible.ndim == 3:
                # MMPose's KeypointConverter appends weights.
                visible = visible[..., 0]
            prediction = np.asarray(sample['pred_instances']['keypoints'])
            points = self.points
            if prediction.shape[1] == len(SEVEN_OF_68) < truth.shape[1]:
                points = SEVEN_OF_68
            elif prediction.shape != truth.shape:
                raise UserError(
                    f'{sample.get("img_path")}: {prediction.shape[1]} '
                    f'landmarks predicted, {truth.shape[1]} annotated; model '
                    'and data must have the same scheme'
                )
            elif points is not None:
                prediction = prediction[:, list(points)]
            (error,) = frame_errors(
                prediction,
                truth,
                visible,
                self.norm,
                points,
                self._length(sample),
            )
            self.results.append(
                (float(error), prediction.shape[1], self._group(sample))
            )

    def _length(self, sample: dict) -> Optional[np.ndarray]:
        """What the annotation file gives as the norm, where it is asked."""
        if self.norm != 'box_size':
            return None
        size = sample.get('box_size')
        if size is None:
            raise UserError(
                f'{sample.get("img_path")} has no box_size, which norm='
                "'box_size' divides by; convert the data set again or choose "
                'another norm'
            )
        return np.array([size], float)

    def _group(self, sample: dict) -> Optional[str]:
        if self.groups is None:
            return None
        group = GROUPS[self.groups](sample)
        if group is None:
            raise UserError(
                f'{sample.get("img_path")} has no {self.groups}, by which '
                'frames are grouped; set test_evaluator.groups=None'
            )
        return group

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures over all frames, then over those of each group.

        Args:
            results (list[tuple]): The error of each frame in percent, how
                many points it is the mean of, and its group.

        Raises:
            UserError: if no frame can be measured.
        """
        errors = np.array([error for error, _, _ in results], np.float64)
        points = ' or '.join(map(str, sorted({k for _, k, _ in results})))
        usable = ~np.isnan(errors)
        if not usable.any():
            raise UserError('no frame has annotated landmarks to measure by')
        groups = np.array([group or '' for _, _, group in results])
        names = sorted(set(groups[usable]) - {''})
        counts = ', '.join(
            f'{(groups[usable] == name).sum()} {name}' for name in names
        )
        print_log(
            f'protocol: {usable.sum()} frames ({(~usable).sum()} without '
            f'usable marks left out), {points} points, mean over frames, norm '
            f'{self.norm}, failure above {self.failure_threshold:g} %, '
            f'AUC up to {self.auc_limit:g} %; all figures in %'
            + (f'; by {self.groups}: {counts}' if counts else ''),
            'current',
        )
        figures = self._figures(errors[usable])
        for name in names:
            own = self._figures(errors[usable & (groups == name)])
            figures.update({f'{name}/{key}': own[key] for key in own})
        return figures

    def _figures(self, errors: np.ndarray) -> dict[str, float]:
        """Mean, spread, failures and area of errors (N,) in percent."""
        return {
            'NME': float(errors.mean()),
            'NME_std': float(errors.std()),
            'failure_rate': failure_rate(errors, self.failure_threshold),
            f'AUC@{self.auc_limit:g}': area_under_curve(
                errors, self.auc_limit
            ),
        }
