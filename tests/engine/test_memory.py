"""Memory that is kept: the same figures, and no pages asked for again."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A process of its own: the setting is one of the whole process.
SCRIPT = """
import resource
import torch
from rednet_mm.engine.memory import keep_freed_memory

torch.manual_seed(0)
layer = torch.nn.Conv2d(8, 8, 3)
frames = torch.randn(8, 8, 256, 256)

def step():
    layer.zero_grad()
    layer(frames).relu().square().mean().backward()
    return layer.weight.grad.clone()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    grad = step()
    return grad, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

step()
given_back, many = faults()
keep_freed_memory()
step()
kept, few = faults()
assert torch.equal(kept, given_back)
print(many, few)
"""


@pytest.mark.skipif(
    not sys.platform.startswith('linux'),
    reason='what the system does with memory is asked of Linux alone',
)
def test_a_step_is_the_same_and_asks_for_no_pages():
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    many, few = map(int, done.stdout.split())
    # Two maps of 8 x 8 x 254 x 254 in float32 alone are 8,000 pages.
    assert many > 8000
    assert few < many / 20
