"""Figures do not depend on batches, workers or processes."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from builders import build_model, tiny_model_cfg, write_videos
from mmengine.config import Config
from mmengine.runner import Runner

from rednet_mm.analysis import compare
from rednet_mm.evaluation import named_protocol, read_dump

ROOT = Path(__file__).parents[2]
# Videos of different length: the shares of two processes are not equal.
FRAMES = [7, 3, 5, 4, 8]
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=(64, 64), use_udp=True),
    dict(type='PackPoseInputs'),
]


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """A config of videos and its checkpoint; one thread, as torchrun's."""
    root = tmp_path_factory.mktemp('processes')
    data = write_videos(root, videos=len(FRAMES), frames=FRAMES)
    model = tiny_model_cfg(test_cfg=dict(output_heatmaps=True))
    checkpoint = root / 'tiny.pth'
    torch.save(dict(state_dict=build_model(model).state_dict()), checkpoint)
    cfg = Config(
        dict(
            default_scope='mmpose',
            custom_imports=dict(imports=['rednet_mm']),
            model=model,
            test_cfg=dict(type='VideoTestLoop'),
            test_dataloader=dict(
                batch_size=3,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                batch_sampler=dict(type='VideoBatchSampler'),
                dataset=dict(
                    type='VideoClipDataset',
                    data_root=str(data),
                    ann_file='annotations/all.json',
                    data_prefix=dict(img=''),
                    test_mode=True,
                    pipeline=PIPELINE,
                ),
            ),
            test_evaluator=[
                dict(type='FaceLandmarkMetric', groups='turn'),
                dict(type='ResponseMapMetric', radius=1.5),
            ],
            load_from=str(checkpoint),
            work_dir=str(root / 'work'),
            launcher='none',
        )
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield cfg
    torch.set_num_threads(threads)


def measured(cfg, name, **loader):
    cfg = copy.deepcopy(cfg)
    cfg.test_dataloader.update(loader)
    cfg.experiment_name = name
    return Runner.from_cfg(cfg).test()


@pytest.fixture(scope='module')
def alone(config):
    """Figures and dump of one process."""
    cfg = config.copy()
    dump = Path(cfg.work_dir).parent / 'alone.npz'
    cfg.test_evaluator = [
        *cfg.test_evaluator,
        dict(type='DumpPredictions', out_file_path=str(dump)),
    ]
    return measured(cfg, 'alone'), dump


def test_two_processes_measure_what_one_does(config, alone):
    root = Path(config.work_dir).parent
    config.dump(root / 'config.py')
    command = [
        *('bash', str(ROOT / 'tools' / 'dist_test.sh')),
        *(str(root / 'config.py'), config.load_from, '2'),
        *('--out', str(root / 'two.json'), '--dump', str(root / 'two.npz')),
    ]
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    environment = dict(
        os.environ,
        PYTHONPATH=str(ROOT),
        PYTHONWARNINGS='ignore',
        PATH=path,
        PORT=str(29600 + os.getpid() % 300),
        CUDA_VISIBLE_DEVICES='',
    )
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment,
        cwd=root,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    metrics, dump = alone
    two = json.loads((root / 'two.json').read_text())
    assert two.pop('provenance')['checkpoint'] == config.load_from
    assert two == pytest.approx(metrics, rel=1e-9, abs=1e-9)
    one, other = read_dump(str(dump)), read_dump(str(root / 'two.npz'))
    # Nothing is lost and nothing comes twice.
    assert len(one) == len(other) == sum(FRAMES)
    assert one.keys == other.keys
    assert (one.prediction == other.prediction).all()
    assert other.provenance['checkpoint'] == config.load_from
    assert len(other.provenance['checkpoint_sha256']) == 12
    (summary,) = compare([other], named_protocol('turn'), 10).summaries
    assert summary.metrics['NME'] == pytest.approx(metrics['face/NME'])


def test_workers_change_nothing(config, alone):
    assert measured(config, 'workers', num_workers=2) == alone[0]


@pytest.mark.parametrize('size', [1, 5])
def test_size_of_batches_changes_nothing(config, alone, size):
    # The network's own arithmetic may differ in the last bits of float32.
    metrics = measured(config, f'batch{size}', batch_size=size)
    assert metrics == pytest.approx(alone[0], rel=1e-4, abs=1e-4)
