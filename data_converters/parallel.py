"""Runs a function over many items in threads, with a progress bar."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar('Item')
Result = TypeVar('Result')


def run_parallel(
    function: Callable[[Item, threading.Event], Result],
    items: Sequence[Item],
    *,
    workers: int | None,
    label: str,
) -> list[Result]:
    """Call ``function(item, stop)`` for every item.

    Threads do, because reading, decoding and encoding release the GIL. The
    first failure sets ``stop``, on which a long call should end early and
    clean up; it is raised when all calls that had begun have ended.

    Args:
        function: Called with the item and the event.
        items: What to work on.
        workers: Number of threads; None means one per core, at most 4.
        label: Title of the progress bar, shown on terminals only.

    Returns:
        The results in the order of the items.
    """
    stop = threading.Event()
    count = workers or min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(function, item, stop) for item in items]
        try:
            done = as_completed(futures)
            for future in tqdm(done, label, len(futures), disable=None):
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
