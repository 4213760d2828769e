"""The paper's three stages from original layouts to a followed face."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from config_tools import CONFIGS, shrunk, write_config
from original_trees import ROOT, convert_all

STAGES = [
    f'rednet_resnet_{stage}' for stage in ('stage1_images', 'stage2_lfw')
]
LAST = 'rednet_resnet_300vw'
SCALE = """
depth = 18
base_channels = dict(REDNetResNet=8)
pretrained = False
input_size = 64
num_workers = 0
"""
OPTIONS = [
    'train_cfg.max_epochs=2',
    'train_dataloader.batch_size=2',
    'train_dataloader.batch_sampler.max_batches=2',
    'train_dataloader.dataset.clips_per_video=1',
    'val_dataloader.batch_size=8',
    'custom_imports.imports=rednet_mm,killer',
]
# Imported by the trainings: kills the second stage's, once, after an epoch.
KILLER = """
import os, pathlib, signal
from rednet_mm.engine.hooks.checkpoint_hook import AtomicCheckpointHook

original = AtomicCheckpointHook.after_train_epoch
mark = pathlib.Path('killed')


def after_train_epoch(self, runner):
    original(self, runner)
    if 'stage2' in runner.work_dir and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


if 'KILLED' in os.environ:
    AtomicCheckpointHook.after_train_epoch = after_train_epoch
"""


def tool(name: str, *arguments: object) -> None:
    """A tool's command line, in this process: imports take longest."""
    words = [f'{name}.py', *map(str, arguments)]
    with mock.patch.object(sys, 'argv', words):
        runpy.run_path(str(ROOT / 'tools' / words[0]), run_name='__main__')


@pytest.fixture(scope='module')
def chain(tmp_path_factory):
    """What a killed, then a second call of train_stages.py leave."""
    root = convert_all(tmp_path_factory.mktemp('chain'))
    (root / 'scale.py').write_text(SCALE)
    (root / 'killer.py').write_text(KILLER)
    path = os.pathsep.join([str(ROOT), str(root)])
    command = [CONFIGS / f'{LAST}.py', '--scale', 'scale.py']
    command += ['--cfg-options', *OPTIONS]
    here = Path.cwd()
    os.chdir(root)
    try:
        with mock.patch.dict(os.environ, PYTHONPATH=path, KILLED='1'):
            with pytest.raises(SystemExit) as caught:
                tool('train_stages', *command)
            first = root / 'work_dirs' / STAGES[0] / 'epoch_2.pth'
            written = first.stat().st_mtime_ns
            second = root / 'work_dirs' / STAGES[1]
            state = dict(
                status=caught.value.code,
                left=sorted(path.name for path in second.glob('*.pth')),
            )
            tool('train_stages', *command)
            state['kept'] = first.stat().st_mtime_ns == written
        yield dict(state, root=root, work=root / 'work_dirs')
    finally:
        os.chdir(here)


def log_of(folder: Path) -> str:
    return ''.join(path.read_text() for path in folder.rglob('*.log'))


def test_killed_and_run_again(chain):
    assert chain['status'] == 2 and chain['left'] == ['epoch_1.pth']
    assert chain['kept']
    assert 'resumed epoch: 1' in log_of(chain['work'] / STAGES[1])
    for name in (*STAGES, LAST):
        assert (chain['work'] / name / 'epoch_2.pth').is_file()


def test_each_stage_goes_on_from_the_last(chain):
    for before, name in zip(STAGES, (STAGES[1], LAST)):
        log = log_of(chain['work'] / name)
        assert f'{before}/epoch_2.pth' in log
    assert (
        'fresh, not in the checkpoint: neck.lstm; fresh, since the '
        'checkpoint knows 5371 subjects and the config 90'
    ) in log_of(chain['work'] / LAST).replace('\n', ' ')


def test_what_is_done_with_it(chain, monkeypatch):
    monkeypatch.syspath_prepend(chain['root'])
    root, work = chain['root'], chain['work'] / LAST
    config = work / 'scaled' / f'{LAST}.py'
    checkpoint = work / 'epoch_2.pth'
    dump, metrics = root / 'ours.npz', root / 'metrics.json'
    tool('test', config, checkpoint, '--dump', dump, '--out', metrics)
    # Two videos of three frames.
    assert np.isfinite(json.loads(metrics.read_text())['face/NME'])
    tables = root / 'tables'
    tool('evaluate', dump, '--protocol', '300vw', '--out', tables)
    assert any(tables.iterdir())
    network = root / 'network.onnx'
    tool('export_onnx', config, checkpoint, network)
    frames = next((root / 'data' / '300vw' / 'frames').iterdir())
    followed = root / 'followed.json'
    tool(
        'track_video',
        *(frames, '--onnx', network, '--box', 8, 8, 48, 48),
        *('--json', followed),
    )
    assert len(json.loads(followed.read_text())['frames']) == len(
        list(frames.iterdir())
    )


@pytest.mark.parametrize(
    'data, sets',
    [('talking_face', {'7'}), ('face_movies', {'68', '7'})],
)
def test_table_9(data, sets, chain):
    """By the command of docs/evaluation.md, with a tiny network."""
    root = chain['root']
    name = f'resnet_{data}'
    config = write_config(root / f'{name}.py', shrunk(f'table9/{name}.py'))
    checkpoint = chain['work'] / LAST / 'epoch_2.pth'
    dump, out = root / f'{data}.npz', root / f'{data}.json'
    tool(
        'test',
        *(config, checkpoint, '--boxes', 'tracking'),
        *('--dump', dump, '--out', out),
    )
    metrics = json.loads(out.read_text())
    assert metrics['face/NME'] > 0
    assert ('face/NME_7' in metrics) == ('68' in sets)
    assert 'face/NME_51' not in metrics or '68' in sets
    for points in sets:
        tables = root / f'{data}_{points}'
        tool('evaluate', dump, '--points', points, '--out', tables)
        text = ''.join(path.read_text() for path in tables.iterdir())
        assert f'{points} points' in text
