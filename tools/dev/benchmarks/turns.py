"""Calls that take turns against the clock, shared by the benchmarks here."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from tqdm import tqdm

Call = Callable[[], Any]

# What calls are named by.
K = TypeVar('K')


def in_turns(
    calls: Mapping[K, Call],
    repeats: int,
    title: str = '',
    warm_up: int = 1,
    in_a_row: int = 1,
) -> dict[K, list[float]]:
    """The seconds of each call, one after the other and again.

    So whatever else the machine does falls on all of them.

    Args:
        calls (Mapping[str, Callable]): By name.
        repeats (int): How many turns each has.
        title (str): Of the bar. Defaults to none.
        warm_up (int): Calls of each before the clock runs: memory is laid
            out, code compiled. Defaults to 1.
        in_a_row (int): Calls of a turn, each timed. Where it is more than
            one, a call mostly finds its own data in the caches. Defaults to
            1.
    """
    seconds: dict[K, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(warm_up):
            _timed(call)
    for _ in tqdm(range(repeats), title or None, disable=None):
        for name, call in calls.items():
            seconds[name] += [_timed(call) for _ in range(in_a_row)]
    return seconds


def median_seconds(
    calls: Mapping[K, Call], repeats: int, title: str = '', warm_up: int = 1
) -> dict[K, float]:
    """:func:`in_turns`, of each call the median."""
    seconds = in_turns(calls, repeats, title, warm_up)
    return {name: statistics.median(each) for name, each in seconds.items()}


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
