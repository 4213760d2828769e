"""The same chance for a training that was stopped and one that was not.

MMEngine seeds a run once and its data workers when they start. A run that is
resumed begins with these seeds in the middle of the training: it would see
the augmentation of the first epoch again and drop out other channels than the
unbroken run.
"""

import random
from functools import partial
from typing import Any, Callable, Optional

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


def seed_all(*numbers: int) -> None:
    """Seed the generators of Python, NumPy and torch, the last everywhere.

    Args:
        *numbers (int): Together they are the seed, each 0 or more.
    """
    words = np.random.SeedSequence(numbers).generate_state(4)
    random.seed(words.tobytes())
    np.random.seed(words)
    torch.manual_seed(int(words[0]) << 32 | int(words[1]))


def seed_worker(
    worker: int, numbers: tuple[int, ...], before: Optional[Callable]
) -> None:
    """Start a data worker with a seed of its own.

    Args:
        worker (int): Its number.
        numbers (tuple[int]): The seed of the epoch and the process.
        before (Callable, optional): What the config wants to be done then,
            given the worker's number; it is done first.
    """
    if before is not None:
        before(worker)
    # SeedSequence takes numbers that end in zeros for those without: the
    # first worker would draw what its main process draws.
    seed_all(*numbers, worker + 1)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds the run and its data workers anew before each epoch.

    The seeds come from those of the run, the epoch, the process and the
    worker. So what an epoch draws, be it augmentation or dropout, does not
    depend on whether the run has just been resumed, and no epoch repeats
    another's. For this the workers must begin anew with each epoch, which
    ``persistent_workers=True`` prevents: then, and where a run is resumed from
    within an epoch, it warns that the weights will differ.
    """

    def before_train(self, runner: Any) -> None:
        """Warn where a resumed run cannot end as an unbroken one."""
        loader = runner.train_dataloader
        self._start_worker = loader.worker_init_fn
        if loader.persistent_workers:
            runner.logger.warning(
                'train_dataloader.persistent_workers=True: workers keep '
                'their random state over epochs, so that this run, once '
                'stopped and resumed, ends at other weights; leave it out'
            )
        if runner.iter != runner.epoch * len(loader):
            runner.logger.warning(
                f'resumed at iteration {runner.iter}, which is not the end '
                f'of an epoch of {len(loader)}: the run ends at other '
                'weights than one that was not stopped'
            )

    def before_train_epoch(self, runner: Any) -> None:
        """Seed, before the data workers of the epoch are started."""
        numbers = (runner.seed, runner.epoch, get_rank())
        seed_all(*numbers)
        runner.train_dataloader.worker_init_fn = partial(
            seed_worker, numbers=numbers, before=self._start_worker
        )
