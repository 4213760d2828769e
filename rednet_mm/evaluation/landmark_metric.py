"""Errors of landmarks as a metric of MMEngine."""

from typing import Any, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpose.registry import METRICS

from .protocol import PROTOCOLS, Protocol, points_name
from .records import LandmarkRecords, records_from_rows, sample_row
from .summary import Summary, evaluate


@METRICS.register_module()
class FaceLandmarkMetric(BaseMetric):
    """Error of facial landmarks over all frames (section 5.1).

    Measured are the 68 points, or the 7 of them that a network which only
    detects predicts; the norm is always that of the 68 true ones. Faces of
    MMPose's own data sets are measured as still images; of other schemes than
    68 points all are, by ``norm='box'`` or ``'box_size'``.

    Figures, errors and their areas in percent: ``NME`` (mean over frames of
    the normalised mean error), ``NME_std`` (its standard deviation over
    frames), ``failure_rate`` (frames with an error above
    ``failure_threshold``), ``AUC@8`` (area under the cumulative error curve
    up to ``auc_limit``); then failures above 8 and areas up to 10, ``NME``
    by the other norms and sets of points that the data has (``NME_pupils``,
    ``NME_51`` ...), ``missing`` (frames without prediction), and of videos
    ``NME_video``, ``motion``, ``acceleration`` and ``lag``
    (``docs/evaluation.md``). What they are measured in is said with them:
    the protocol is logged with every evaluation. With ``groups`` the first
    four follow for the frames of each group, as ``common/NME`` and so on.

    Args:
        norm (str): ``'outer_eyes'``, ``'pupils'``, ``'eye_mouth'`` or
            ``'box'``, see :func:`norm_lengths`; or ``'box_size'``: what the
            annotation file gives under this name, for AFLW the root of the
            face rectangle's area. Defaults to ``'outer_eyes'``.
        points (Sequence[int], optional): Which of the 68 points are
            measured. None: all that are predicted.
        groups (str, optional): ``'yaw'`` (AFLW: common up to 30 degrees,
            challenging beyond), ``'category'`` (300-VW: common is category
            1, challenging 2 and 3; and each), ``'list'`` (what the sample
            gives as ``group``), or ``'turn'`` (the turn of the head,
            estimated from the keypoints: common up to about 22 degrees; for
            data that has none of these).
        failure_threshold (float): In percent. Defaults to 10.
        auc_limit (float): In percent. Defaults to 8.
        boxes (str): Where the boxes come from, for the protocol. Defaults to
            ``'truth'``.
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
        boxes: str = 'truth',
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.points = None if points is None else tuple(points)
        self.failure_threshold = failure_threshold
        self.auc_limit = auc_limit
        # The points are known when the first frame is.
        self._settings: dict[str, Any] = dict(
            norm=norm,
            grouping=groups,
            failure_thresholds=tuple(sorted({8.0, 10.0, failure_threshold})),
            auc_limits=tuple(sorted({8.0, 10.0, auc_limit})),
            boxes=boxes,
        )
        Protocol(**self._settings)  # says what is wrong, before the work

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take down prediction and ground truth of each frame.

        Args:
            data_batch (Any): Not read.
            data_samples (Sequence[dict]): Frames with ``pred_instances`` and
                ``gt_instances`` in pixels of the original image.

        Raises:
            UserError: if their numbers of points do not go together.
        """
        self.results.extend(map(sample_row, data_samples))

    def protocol(self, records: LandmarkRecords) -> Protocol:
        """How the records are measured."""
        number = records.truth.shape[1]
        points = points_name(self.points or records.measurable(), number)
        if self.points and set(records.points) < set(self.points):
            points = points_name(records.points, number)
        settings = dict(self._settings, points=points)
        for known in PROTOCOLS.values():
            if Protocol(known.name, **settings) == known:
                return known
        return Protocol('of the config', **settings)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Metrics over all frames, then over those of each group.

        Args:
            results (list[dict]): What :func:`sample_row` gives of each
                frame, in any order.

        Raises:
            UserError: if no frame can be measured, or the data does not say
                what the norm or the groups need.
        """
        records = records_from_rows(results)
        summary = evaluate(records, self.protocol(records))
        print_log(f'protocol: {counts_sentence(summary)}', 'current')
        metrics = self._main(summary.metrics)
        metrics.update(self._more(summary))
        for name, own in summary.groups.items():
            main = self._main(own)
            metrics.update({f'{name}/{key}': main[key] for key in main})
        return metrics

    def _main(self, metrics: dict[str, float]) -> dict[str, float]:
        """Mean, spread, failures and area under their short names."""
        return {
            'NME': metrics['NME'],
            'NME_std': metrics['NME_std'],
            'failure_rate': metrics[
                f'failure_rate@{self.failure_threshold:g}'
            ],
            f'AUC@{self.auc_limit:g}': metrics[f'AUC@{self.auc_limit:g}'],
        }

    def _more(self, summary: Summary) -> dict[str, float]:
        """The other usual metrics, those that the data has."""
        protocol, metrics = summary.protocol, summary.metrics
        more = {
            name: value
            for name, value in metrics.items()
            if name.startswith(('failure_rate@', 'AUC@'))
            and name != f'failure_rate@{self.failure_threshold:g}'
        }
        for (norm, points), value in summary.others.items():
            if norm != protocol.norm and points == protocol.points:
                more[f'NME_{norm}'] = value
            elif norm == protocol.norm and points != protocol.points:
                more[f'NME_{points}'] = value
        more['missing'] = metrics['missing']
        if summary.records.is_video:
            names = ('NME_video', 'motion', 'acceleration', 'lag')
            more.update(
                {n: metrics[n] for n in names if not np.isnan(metrics[n])}
            )
        return more


def counts_sentence(summary: Summary) -> str:
    """How many frames were measured, and how."""
    metrics = summary.metrics
    groups = ', '.join(
        f'{own["frames"]:.0f} {name}' for name, own in summary.groups.items()
    )
    return (
        f'{metrics["frames"]:.0f} frames ({metrics["unmeasured"]:.0f} without '
        f'usable keypoints left out, {metrics["missing"]:.0f} without '
        f'prediction); {summary.protocol.sentence()}'
        + (f'; frames of {groups}' if groups else '')
    )
