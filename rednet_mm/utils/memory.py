"""Memory that tensors give back, kept for the next ones."""

import ctypes
import sys

import torch

# Of mallopt: malloc.h of the GNU C library.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Let this process keep what its tensors give back.

    Large blocks usually go back to the system at once, which then clears
    pages for the next ones: on a CPU, a fifth of the time of a training step
    (docs/reports/speed.md). What is computed is the same. The process keeps as
    much as it took at its peak, and more where pieces do not fit.

    With a GPU, whose memory torch keeps anyway, and without the GNU C library
    nothing is done.
    """
    if torch.cuda.is_available() or not sys.platform.startswith('linux'):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
