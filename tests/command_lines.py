"""Command lines of ``tools/``, called without a process of their own.

Starting one takes five seconds of a core, nearly all of them imports.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import init_default_scope
from mmengine.visualization import Visualizer

TOOLS = Path(__file__).parents[1] / 'tools'


def forget_runners() -> None:
    """Leave MMEngine no logger and no visualizer of an earlier runner.

    It keeps them by name and takes the last one that was made, so a runner
    in the same process would write into the files of another.
    """
    for kept in (MMLogger, MessageHub, Visualizer):
        kept._instance_dict.clear()
    init_default_scope('mmpose')


def run_tool(script: str, *arguments: object) -> int:
    """Exit status of ``python tools/SCRIPT ARGUMENTS``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [script, *map(str, arguments)])
        patch.syspath_prepend(str(TOOLS))
        forget_runners()
        try:
            runpy.run_path(str(TOOLS / script), run_name='__main__')
        except SystemExit as stop:
            return int(stop.code or 0)
    return 0
