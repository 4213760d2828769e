"""A training that stops before NaN or infinity spoils its weights."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import find_latest_checkpoint
from torch import Tensor

from rednet_mm.utils.errors import UserError

# Parts of a batch that the sentence names; the log has all.
MOST_NAMED = 5


@HOOKS.register_module()
class FiniteNumbersHook(Hook):
    """Stop a training at the first loss or gradient that is no number.

    Losses are looked at before anything is derived from them, gradients when
    the optimizer is about to take its step, so no weight has changed. A
    step that mixed precision leaves out, since its *scaled* gradients
    overflowed, does not reach the optimizer: the loss scaler goes on as
    ever. Nothing is saved after the stop, so the last checkpoint is a sound
    one.

    Raises:
        UserError: with the loss, or the weight whose gradient it is, the
            epoch, the iteration, the files of the batch, and the checkpoint
            to go on from.
    """

    def before_train(self, runner: Any) -> None:
        """Listen at the model and at its optimizer."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        self._runner = runner
        self._names = {id(p): name for name, p in model.named_parameters()}
        self._batch: Sequence[Any] = ()
        self._listening = [
            model.register_forward_hook(self._look_at_losses, with_kwargs=True)
        ]
        wrapper = runner.optim_wrapper
        # Several optimizers, where a config has them, are a dictionary.
        for each in getattr(wrapper, 'optim_wrappers', {'': wrapper}).values():
            self._listening.append(
                each.optimizer.register_step_pre_hook(self._look_at_gradients)
            )

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Remember where the training is, counted as the log counts."""
        self._place = f'epoch {runner.epoch + 1}, iteration {batch_idx + 1}'

    def after_train(self, runner: Any) -> None:
        """Listen no more."""
        for handle in self._listening:
            handle.remove()

    def _look_at_losses(
        self, model: Any, args: tuple, kwargs: dict, output: Any
    ) -> None:
        if kwargs.get('mode') != 'loss':
            return
        self._batch = kwargs.get('data_samples') or ()
        for name, value in output.items():
            # MMEngine also takes a list of losses under one name.
            values = value if isinstance(value, (list, tuple)) else [value]
            if not all(torch.isfinite(each).all() for each in values):
                self._stop(f'{name} is {_worst(values)}')

    def _look_at_gradients(self, optimizer: Any, *_: Any) -> None:
        parameters = [
            parameter
            for group in optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None
        ]
        # The length of a gradient is finite only where all of it is; one
        # answer is waited for, not one a tensor.
        lengths = torch.stack([p.grad.norm() for p in parameters])
        if not torch.isfinite(lengths).all():
            first = parameters[int((~lengths.isfinite()).nonzero()[0])]
            name = self._names.get(id(first), 'a weight')
            self._stop(f'the gradient of {name} is not finite')

    def _stop(self, what: str) -> None:
        """Log the whole batch and raise the sentence."""
        names = batch_names(self._batch)
        self._runner.logger.error(
            f'{what} at {self._place}; its batch:\n' + '\n'.join(names)
        )
        some = ', '.join(names[:MOST_NAMED]) or 'without names'
        if len(names) > MOST_NAMED:
            some += f' and {len(names) - MOST_NAMED} more, see the log'
        latest = find_latest_checkpoint(self._runner.work_dir)
        kept = f'{latest} is sound' if latest else 'no checkpoint was written'
        raise UserError(
            f'{what} at {self._place}, the training was stopped before its '
            f'weights changed ({kept}; its batch: {some}); look at these '
            'files with tools/dataset/browse_dataset.py, or go on with a '
            'smaller learning rate'
        )


def batch_names(samples: Iterable[Any]) -> list[str]:
    """The image files of a batch, those of a clip in one line.

    Args:
        samples (Iterable[BaseDataElement]): One a frame, clip by clip.
    """
    names = []
    for _, group in groupby(
        samples, lambda s: s.metainfo.get('track') or id(s)
    ):
        about = [sample.metainfo for sample in group]
        paths = [str(each.get('img_path', each.get('id'))) for each in about]
        name = paths[0]
        if len(paths) > 1:
            name += f' to {paths[-1]} (track {about[0]["track"]})'
        names.append(name)
    return names


def _worst(values: Iterable[Tensor]) -> str:
    """NaN or infinity, in words, whichever is worse."""
    flat = torch.cat([each.detach().float().reshape(-1) for each in values])
    return 'NaN' if flat.isnan().any() else 'infinite'
