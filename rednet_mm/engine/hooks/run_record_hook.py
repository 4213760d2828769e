"""What a checkpoint says of the run that wrote it."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from rednet_mm.utils.env import run_environment


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Store commit, machine and versions in every checkpoint.

    They lie in ``meta['environment']`` beside MMEngine's ``cfg`` and
    ``seed``, whoever started the training.
    """

    def before_run(self, runner: Any) -> None:
        """Take them down once: a checkout may change while a run goes on."""
        self._environment = run_environment()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Put them into a checkpoint."""
        checkpoint['meta']['environment'] = dict(self._environment)
