"""Pixels of the response maps that are classified right (Figure 9)."""

from typing import Any, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpose.registry import METRICS

from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import COMPONENTS, SEVEN_OF_68


@METRICS.register_module()
class ResponseMapMetric(BaseMetric):
    """Accuracy and F1 of the response maps by facial component.

    A pixel is foreground within ``radius`` of its landmark, and is said to
    be where the response is at least ``threshold``. ``accuracy/eye`` and so
    on is the share of pixels that are classified right in the maps of a
    component (section 5.5), in percent; nearly all pixels are background, so
    even an empty map scores high, and ``f1`` says more: twice the pixels
    rightly called foreground over the foreground and the called, in percent.

    Only regression maps of 68 landmarks, or the 7 maps of detection, are
    measured. The model must put them out:
    ``model.test_cfg=dict(output_heatmaps=True)``.

    Args:
        radius (float): Pixels of the response map. Take the codec's disc
            radius for detection; for Gaussians, 1.18 sigma is where they
            fall to one half.
        threshold (float): Defaults to 0.5.
        collect_device (str): As in MMEngine.
        prefix (str, optional): As in MMEngine.
    """

    default_prefix = 'map'

    def __init__(
        self,
        radius: float,
        threshold: float = 0.5,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.radius = radius
        self.threshold = threshold

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count pixels of each landmark's map.

        Args:
            data_batch (Any): Not read.
            data_samples (Sequence[dict]): Frames with
                ``pred_fields.heatmaps`` (K, h, w) and ``gt_instances``.

        Raises:
            UserError: if there are no maps, or of another number of
                landmarks than 7 or 68.
        """
        for sample in data_samples:
            fields = sample.get('pred_fields')
            if not fields or 'heatmaps' not in fields:
                raise UserError(
                    'the model puts out no response maps to measure; set '
                    'model.test_cfg.output_heatmaps=True'
                )
            maps = np.asarray(fields['heatmaps'].float().cpu())
            self.results.append(self._count(maps, sample))

    def _count(self, maps: np.ndarray, sample: dict) -> np.ndarray:
        """Pixels right, all, hit, called, true by landmark: (68, 5)."""
        truth = sample['gt_instances']
        keypoints = np.asarray(truth['keypoints'])[0]
        visible = np.asarray(truth['keypoints_visible'])
        visible = visible.reshape(*visible.shape[:2], -1)[0, :, 0] > 0
        points = {68: range(68), 7: SEVEN_OF_68}.get(len(maps))
        if points is None or len(keypoints) != 68:
            raise UserError(
                f'{sample.get("img_path")}: {len(maps)} response maps for '
                f'{len(keypoints)} annotated landmarks; 68 or the 7 detected '
                'ones of 68 can be measured'
            )
        at = self._places(keypoints[list(points)], sample, maps.shape[1:])
        ys, xs = np.mgrid[: maps.shape[1], : maps.shape[2]]
        dx, dy = xs - at[:, :1, None], ys - at[:, 1:, None]
        true = dx**2 + dy**2 <= self.radius**2
        called = maps >= self.threshold
        pixels = np.full(len(maps), true[0].size)
        own = np.stack(
            [
                (true == called).sum((1, 2)),
                pixels,
                (true & called).sum((1, 2)),
                called.sum((1, 2)),
                true.sum((1, 2)),
            ],
            1,
        )
        counts = np.zeros((68, 5), np.int64)
        counts[list(points)] = own * visible[list(points), None]
        return counts

    @staticmethod
    def _places(
        keypoints: np.ndarray, sample: dict, size: tuple[int, ...]
    ) -> np.ndarray:
        """Pixels of the image -> pixels of the map (h, w), both (K, 2).

        The crop and the maps follow MMPose's UDP convention, as the codec
        does: the corner pixels' centres of the map lie on the crop's edges.
        """
        centre = np.asarray(sample['input_center'], float)
        scale = np.asarray(sample['input_scale'], float)
        height, width = size
        share = (keypoints - centre) / scale + 0.5
        return share * [width - 1, height - 1]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Accuracy and F1 of each component and of all maps, in percent.

        Args:
            results (list[np.ndarray]): What :meth:`_count` gives, one a
                frame.
        """
        total = np.sum(results, axis=0)  # (68, 5)
        print_log(
            f'protocol: response maps of {len(results)} frames, foreground '
            f'within {self.radius:g} map pixels of the landmark, called at '
            f'{self.threshold:g}; all metrics in %',
            'current',
        )
        metrics: dict[str, float] = {}
        parts = {**COMPONENTS, 'all': tuple(range(68))}
        for name, points in parts.items():
            right, pixels, hit, called, true = total[list(points)].sum(0)
            if pixels:
                metrics[f'accuracy/{name}'] = float(100 * right / pixels)
                metrics[f'f1/{name}'] = float(
                    200 * hit / max(called + true, 1)
                )
        return metrics
