"""What the command lines say when a file is missing: one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / 'configs' / 'rednet_r18_ytfaces.py'


def run(script: str, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools' / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
        timeout=120,
    )


@pytest.mark.parametrize('missing', ['config', 'annotations', 'checkpoint'])
def test_missing_file_is_one_sentence(tmp_path, missing):
    path = tmp_path / f'no_{missing}'
    work = ('--work-dir', tmp_path / 'work')
    if missing == 'config':
        done = run('train.py', path, *work)
    elif missing == 'annotations':
        data = f'train_dataloader.dataset.data_root={path}'
        done = run('train.py', CONFIG, *work, '--cfg-options', data)
    else:
        done = run('test.py', CONFIG, path, *work)
    assert done.returncode == 2
    assert 'Traceback' not in done.stdout + done.stderr
    (sentence,) = [
        line for line in done.stderr.splitlines() if line.startswith('error:')
    ]
    assert str(path) in sentence
    assert ' does not exist; ' in sentence
    # It is the last word, not lost among others.
    assert done.stderr.strip().endswith(sentence)
