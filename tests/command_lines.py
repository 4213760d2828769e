"""Command lines of ``tools/``, called without a process of their own.

Starting one takes five seconds of a core, nearly all of them imports.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / 'tools'


def run_tool(script: str, *arguments: object) -> int:
    """Exit status of ``python tools/SCRIPT ARGUMENTS``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [script, *map(str, arguments)])
        patch.syspath_prepend(str(TOOLS))
        try:
            runpy.run_path(str(TOOLS / script), run_name='__main__')
        except SystemExit as stop:
            return int(stop.code or 0)
    return 0
