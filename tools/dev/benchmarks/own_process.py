"""What a process of its own takes, shared by the benchmarks here."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Optional, TypeVar

import torch

from rednet_mm.utils.errors import UserError

R = TypeVar('R')


def resident(field: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``VmHWM`` at the most.

    Raises:
        UserError: on a system that does not tell.
    """
    try:
        with open('/proc/self/status') as lines:
            sizes = dict(line.split(':', 1) for line in lines)
    except FileNotFoundError as error:
        raise UserError(
            'the memory of a process is read from /proc/self/status, which '
            'this system does not have; use Linux or a GPU'
        ) from error
    return 1024 * int(sizes[field].split()[0])


def apart(call: Callable[..., R], *args: Any) -> Optional[R]:
    """What a function gives in a new process; None if its memory ran out."""
    # Give every tensor its own pages and those back when it is gone: what is
    # resident is then what is in use. Read at the start of a process.
    os.environ.setdefault('MALLOC_MMAP_THRESHOLD_', str(2**16))
    spawn = multiprocessing.get_context('spawn')
    try:
        with ProcessPoolExecutor(1, spawn) as pool:
            return pool.submit(call, *args).result()
    except (BrokenProcessPool, torch.OutOfMemoryError):
        return None
