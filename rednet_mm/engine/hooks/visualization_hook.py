"""Images of predictions during training and testing."""

import os
from typing import Any, Sequence

import mmcv
from mmpose.engine.hooks import PoseVisualizationHook
from mmpose.registry import HOOKS
from mmpose.structures import merge_data_samples


@HOOKS.register_module()
class LandmarkVisualizationHook(PoseVisualizationHook):
    """MMPose's hook, which heeds ``out_dir`` and ``interval`` everywhere.

    In testing every ``interval``-th frame is drawn; in validation the first
    frame of every ``interval``-th batch, into a folder an epoch.
    """

    _frames_seen = 0

    def after_test_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[Any],
    ) -> None:
        """Draw some frames of the batch."""
        first = -self._frames_seen % self.interval
        self._frames_seen += len(outputs)
        super().after_test_iter(
            runner, batch_idx, data_batch, outputs[first :: self.interval]
        )

    def after_val_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[Any],
    ) -> None:
        """Draw the first frame of the batch."""
        if not self.enable or batch_idx % self.interval:
            return
        sample = outputs[0]
        path = sample.metainfo['img_path']
        out_file = None
        if self.out_dir is not None:
            folder = os.path.join(self.out_dir, f'epoch_{runner.epoch}')
            os.makedirs(folder, exist_ok=True)
            out_file = os.path.join(folder, f'{batch_idx:05d}.jpg')
        self._visualizer.set_dataset_meta(runner.val_evaluator.dataset_meta)
        self._visualizer.add_datasample(
            os.path.basename(path) if self.show else 'val_img',
            mmcv.imread(path, channel_order='rgb'),
            data_sample=merge_data_samples([sample]),
            draw_gt=False,
            draw_bbox=True,
            show=self.show,
            wait_time=self.wait_time,
            kpt_thr=self.kpt_thr,
            out_file=out_file,
            step=runner.iter,
        )
