"""Validation and test loops that carry the state over each video."""

from typing import Any, Optional

import torch
from mmengine.model import is_model_wrapper
from mmengine.registry import LOOPS
from mmengine.runner import TestLoop, ValLoop
from mmengine.runner.amp import autocast

from rednet_mm.structures import RecurrentState
from rednet_mm.utils.errors import UserError


class _VideoLoopMixin:
    """Batches are consecutive frames of one video, see VideoBatchSampler.

    The loop owns the state: it hands it to the model with each batch and
    drops it where another video, or another face of it, begins.
    """

    stage = ''
    runner: Any
    evaluator: Any
    fp16: bool
    _track: Any = None
    _state: Optional[RecurrentState] = None

    def run(self) -> dict:
        """Run over all videos, each from an empty state."""
        self._track, self._state = None, None
        return super().run()  # type: ignore[misc]

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """One batch of consecutive frames of one video.

        Raises:
            UserError: if the batch holds frames of several videos.
        """
        about = dict(batch_idx=idx, data_batch=data_batch)
        self.runner.call_hook(f'before_{self.stage}_iter', **about)
        with autocast(enabled=self.fp16):
            outputs = self._predict(data_batch)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook(
            f'after_{self.stage}_iter', outputs=outputs, **about
        )

    def _predict(self, data_batch: dict) -> Any:
        model = self.runner.model
        model = model.module if is_model_wrapper(model) else model
        data = model.data_preprocessor(data_batch, False)
        samples = data['data_samples']
        tracks = {sample.metainfo.get('track') for sample in samples}
        if len(tracks) > 1:
            raise UserError(
                'a batch holds frames of several videos; use '
                "batch_sampler=dict(type='VideoBatchSampler')"
            )
        track = tracks.pop()
        if track != self._track:
            self._track, self._state = track, None
        outputs, self._state = model.predict_clip(
            data['inputs'][None], samples, self._state
        )
        return outputs


@LOOPS.register_module()
class VideoTestLoop(_VideoLoopMixin, TestLoop):
    """MMEngine's test loop over whole videos, in order, with their state."""

    stage = 'test'


@LOOPS.register_module()
class VideoValLoop(_VideoLoopMixin, ValLoop):
    """MMEngine's validation loop over whole videos with their state."""

    stage = 'val'
