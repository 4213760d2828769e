"""A hook that takes down what scale_out.py compares."""

from typing import Any

import torch
from mmengine.dist import all_reduce, is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from rednet_mm.utils.cli import atomic_dump


@HOOKS.register_module()
class LossCurveHook(Hook):
    """Writes the start's weights and the loss of every iteration.

    ``start.pth`` and ``losses.json`` in the work dir. A loss is the mean of
    those of the processes, where MMEngine logs that of the first.

    Args:
        nudge (float): Share of itself by which each weight is moved, up or
            down at random, before the training begins. Defaults to 0.
    """

    def __init__(self, nudge: float = 0.0) -> None:
        self._nudge = nudge

    def before_train(self, runner: Any) -> None:
        """Keep the weights that the training begins with."""
        self._losses: list[float] = []
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        if is_main_process():
            torch.save(model.state_dict(), f'{runner.work_dir}/start.pth')
        chance = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in model.parameters():
                sign = torch.randint(0, 2, weight.shape, generator=chance)
                moved = 1 + self._nudge * (2 * sign - 1)
                weight.mul_(moved.to(weight.device))

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Take down a loss."""
        loss = outputs['loss'].detach().clone()
        all_reduce(loss, 'mean')
        self._losses.append(loss.item())

    @master_only
    def after_train(self, runner: Any) -> None:
        """Write all of them."""
        atomic_dump(self._losses, f'{runner.work_dir}/losses.json')
