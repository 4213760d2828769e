"""What all tests share: MMPose's registries, threads, real samples."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Before torch is loaded: threads that wait should sleep. Spinning, they made
# the same tests twenty times slower beside another busy process.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))  # for builders

import torch  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from mmpose.utils import register_all_modules  # noqa: E402

import rednet_mm  # noqa: E402, F401

register_all_modules()
# Beside each other, processes of the tests take a core each.
torch.set_num_threads(1 if 'PYTEST_XDIST_WORKER' in os.environ else 2)


@pytest.fixture(autouse=True, scope='module')
def mmpose_scope():
    """MMPose's registries, whatever scope a test before has left behind."""
    init_default_scope('mmpose')


@pytest.fixture(scope='session')
def shared():
    """The folder of real samples beside the checkout."""
    folder = HERE.parents[1] / 'shared'
    if not folder.is_dir():
        pytest.skip(f'no real samples: {folder} is not there')
    return folder
