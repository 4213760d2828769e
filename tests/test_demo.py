"""The notebook runs from its first cell to its last."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_inferencer_demo_runs(tmp_path):
    """Its cells as one program; without an index the video is drawn."""
    notebook = json.loads((ROOT / 'demo/inferencer_demo.ipynb').read_text())
    cells = [
        ''.join(cell['source'])
        for cell in notebook['cells']
        if cell['cell_type'] == 'code'
    ]
    assert len(cells) == 3
    # Below the checkout: the notebook looks for its folders upwards.
    (tmp_path / 'data_converters').symlink_to(ROOT / 'data_converters')
    run = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', '\n'.join(cells)],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT), PIP_NO_INDEX='1'),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert re.search(r'^8 frames, [1-9]\d* faces$', run.stdout, re.M)
    assert '(68, 2)' in run.stdout
    assert list(tmp_path.rglob('visualizations/*'))
