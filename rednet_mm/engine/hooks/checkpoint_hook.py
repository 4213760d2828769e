"""Checkpoints that are whole at any moment, and the last of them."""

import logging
import os
import os.path as osp
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional, Union

from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import find_latest_checkpoint

from rednet_mm.utils.checkpoint import read_checkpoint
from rednet_mm.utils.errors import UserError


@register_backend('whole')
class AtomicFileBackend(LocalBackend):
    """MMEngine's local files, which appear complete or not at all.

    What is written goes to ``NAME.part`` first, to the disk itself, and then
    takes the place of ``NAME``. A process that is killed leaves the part,
    which the next one overwrites.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write a file.

        Raises:
            UserError: if it cannot be written; what was there stays.
        """
        part = f'{filepath}.part'
        try:
            os.makedirs(osp.dirname(osp.abspath(part)), exist_ok=True)
            with open(part, 'wb') as stream:
                stream.write(obj)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(part, filepath)
        except OSError as error:
            Path(part).unlink(missing_ok=True)
            raise UserError(
                f'{filepath} cannot be written ({error.strerror}); make room, '
                'or name another --work-dir, and go on with --resume'
            ) from error


class _RemoveLaterBackend:
    """A file backend that only notes what it is told to remove."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.paths: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.paths.append(path)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's hook, for runs that may be killed at any moment.

    * A checkpoint appears complete or not at all, by
      :class:`WholeFileBackend`.
    * An old one, and the best one so far, goes when what replaces it is
      there; MMEngine removes it before.
    * An epoch's checkpoint is saved before its validation. A run that was
      stopped between the two makes up for it when it is resumed, so that the
      best checkpoint, and schedules that go by the validation, are those of
      a run that was not stopped. At the end of the training the last
      checkpoint is saved again, if need be, to say that it is validated.

    Args:
        *args: As for MMEngine's hook.
        backend_args (dict, optional): As there. Defaults to the backend of
            whole files.
        **kwargs: As there.
    """

    file_backend: Any
    # Whether what the last validation changed is in no checkpoint yet.
    _unsaved = False

    def __init__(
        self, *args: Any, backend_args: Optional[dict] = None, **kwargs: Any
    ) -> None:
        backend_args = backend_args or dict(backend='whole')
        super().__init__(*args, backend_args=backend_args, **kwargs)

    def before_train(self, runner: Any) -> None:
        """Make up for a validation that was not reached, or not finished."""
        super().before_train(runner)
        loop, epoch = runner.train_loop, runner.epoch
        known = runner.message_hub.runtime_info
        if runner.val_loop is None or known.get('validated') == epoch:
            return
        # As EpochBasedTrainLoop does it after an epoch.
        loop._decide_current_val_interval()
        last = epoch == runner.max_epochs
        due = last or epoch % loop.val_interval == 0
        if epoch >= max(loop.val_begin, 1) and due:
            runner.logger.info(f'validating epoch {epoch}, once more or late')
            runner.val_loop.run()

    def after_val_epoch(self, runner: Any, metrics: dict) -> None:
        """Note that the epoch is validated; save what is best so far."""
        runner.message_hub.update_info('validated', runner.epoch)
        self._unsaved = True
        super().after_val_epoch(runner, metrics)

    def after_train(self, runner: Any) -> None:
        """Let the last checkpoint know of the last validation."""
        step = runner.epoch
        name = self.filename_tmpl.format(step)
        path = self.file_backend.join_path(self.out_dir, name)
        if self.by_epoch and self._unsaved and self.file_backend.isfile(path):
            meta = dict(epoch=step, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta)
        super().after_train(runner)

    def _save_checkpoint_with_step(
        self, runner: Any, step: int, meta: dict
    ) -> None:
        self._unsaved = False
        with self._removing_last():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _save_best_checkpoint(self, runner: Any, metrics: dict) -> None:
        with self._removing_last():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _removing_last(self) -> Iterator[None]:
        """Put off what is removed until all is saved."""
        backend, later = (
            self.file_backend,
            _RemoveLaterBackend(self.file_backend),
        )
        self.file_backend = later
        try:
            yield
        finally:
            self.file_backend = backend
        kept = {self.last_ckpt, getattr(self, 'best_ckpt_path', None)}
        kept.update(getattr(self, 'best_ckpt_path_dict', {}).values())
        for path in later.paths:
            if path not in kept:
                backend.remove(path)


def latest_complete_checkpoint(work_dir: str) -> Optional[str]:
    """The checkpoint that a training goes on from.

    It is the one that MMEngine noted as the last, or, where that one or the
    note itself is damaged, the newest one that is whole, with a warning.

    Args:
        work_dir (str): Of the training.

    Returns:
        str: None where no checkpoint has been noted yet.

    Raises:
        UserError: if there are checkpoints and none is whole.
    """
    noted = find_latest_checkpoint(work_dir)
    if noted is None:
        return None
    # The note has an absolute path; the folder may have been moved since.
    numbers = {
        path: int(path.stem.rpartition('_')[2])
        for folder in (osp.dirname(noted), work_dir)
        for path in Path(folder).glob('*.pth')
        if re.fullmatch(r'(epoch|iter)_\d+', path.stem)
    }
    newest = sorted(numbers, key=lambda path: -numbers[path])
    for path in dict.fromkeys([noted, *map(str, newest)]):
        try:
            read_checkpoint(path)
        except (FileNotFoundError, UserError) as error:
            print_log(f'passed over: {error}', 'current', logging.WARNING)
            continue
        return path
    raise UserError(
        f'{work_dir} holds no whole checkpoint to resume from; start again '
        'without --resume, or name a copy: --resume FILE'
    )


@HOOKS.register_module()
class WholeCheckpointHook(AtomicCheckpointHook):
    """The name of :class:`AtomicCheckpointHook` in older configs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            'the hook WholeCheckpointHook is deprecated; use '
            'AtomicCheckpointHook',
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(*args, **kwargs)
