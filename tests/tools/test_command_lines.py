"""What the command lines say when a file is missing: one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_lines import run_tool

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs' / 'rednet_r18_ytfaces.py'


@pytest.mark.parametrize('missing', ['config', 'annotations', 'checkpoint'])
def test_missing_file_is_one_sentence(tmp_path, capfd, missing):
    path = tmp_path / f'no_{missing}'
    work = ('--work-dir', tmp_path / 'work')
    if missing == 'config':
        status = run_tool('train.py', path, *work)
    elif missing == 'annotations':
        data = f'train_dataloader.dataset.data_root={path}'
        status = run_tool('train.py', CONFIG, *work, '--cfg-options', data)
    else:
        status = run_tool('test.py', CONFIG, path, *work)
    assert status == 2
    out, err = capfd.readouterr()
    assert 'Traceback' not in out + err
    (sentence,) = [
        line for line in err.splitlines() if line.startswith('error:')
    ]
    assert str(path) in sentence
    assert ' does not exist; ' in sentence
    # It is the last word, not lost among others.
    assert err.strip().endswith(sentence)
