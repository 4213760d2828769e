"""What all tests share: MMPose's registries, threads, real samples."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from xdist import is_xdist_controller

# Before torch is loaded: threads that wait should sleep. Spinning, they made
# the same tests twenty times slower beside another busy process.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))  # for builders

# Behind the rest: nothing of the tools hides a module of another name.
TOOLS = HERE.parent / 'tools'
FOLDERS = ('', 'dataset', 'analysis_tools', 'dev', 'dev/benchmarks')
sys.path += [str(TOOLS / folder) for folder in FOLDERS]


def pytest_sessionstart(session):
    """Registries and threads, where tests run and not where they are dealt.

    The imports take five seconds.
    """
    if is_xdist_controller(session):
        return
    import torch
    from mmpose.utils import register_all_modules

    import rednet_mm  # noqa: F401

    register_all_modules()
    # Beside each other, processes of the tests take a core each.
    torch.set_num_threads(1 if 'PYTEST_XDIST_WORKER' in os.environ else 2)


def pytest_collection_finish():
    """Leave what was imported out of garbage collection.

    MMEngine collects for each data set that is built; going through all that
    torch and MMPose have made took half a second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope='module')
def mmpose_scope():
    """MMPose's registries, whatever scope a test before has left behind."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmpose')


@pytest.fixture(scope='session')
def shared():
    """The folder of real samples beside the checkout."""
    folder = HERE.parents[1] / 'shared'
    if not folder.is_dir():
        pytest.skip(f'no real samples: {folder} is not there')
    return folder
