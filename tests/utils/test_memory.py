"""Memory that is kept: the same figures, and no blocks of the system's own."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

# A process of its own: the setting is one of the whole process.
SCRIPT = """
import ctypes
import torch
from rednet_mm.utils.memory import keep_freed_memory

class Account(ctypes.Structure):  # struct mallinfo2 of malloc.h
    _fields_ = [(name, ctypes.c_size_t) for name in (
        'arena', 'ordblks', 'smblks', 'hblks', 'hblkhd', 'usmblks',
        'fsmblks', 'uordblks', 'fordblks', 'keepcost')]

account = ctypes.CDLL(None).mallinfo2
account.restype = Account

def mapped():
    before = account().hblks
    # Larger than any block that the C library keeps by itself (32 MiB).
    block = torch.empty(2**24)
    return account().hblks - before

torch.manual_seed(0)
layer = torch.nn.Conv2d(8, 8, 3)
frames = torch.randn(8, 8, 64, 64)

def step():
    layer.zero_grad()
    layer(frames).relu().square().mean().backward()
    return layer.weight.grad.clone()

given_back = mapped(), step()
keep_freed_memory()
kept = mapped(), step()
assert torch.equal(kept[1], given_back[1])
print(given_back[0], kept[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), 'mallinfo2'),
    reason='only the GNU C library since 2.33 gives an account of its blocks',
)
def test_a_step_is_the_same_and_its_blocks_are_kept():
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['1', '0']
