"""The main job through the command lines and MMPose's own inferencer."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from builders import write_videos
from command_lines import run_tool
from mmengine.config import Config
from mmengine.utils import get_installed_path
from mmpose.apis import MMPoseInferencer

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / 'configs' / 'rednet_r18_tiny300vw.py'


def process(script: str, *arguments: object) -> str:
    """What a tool says, run as a user runs it."""
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS='ignore'),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.fixture
def tool(capfd):
    """What a tool says, run in this process."""

    def run(script: str, *arguments: object) -> str:
        status = run_tool(script, *arguments)
        said = ''.join(capfd.readouterr())
        assert status == 0, said[-2000:]
        return said

    return run


def write_config(path: Path, data: Path) -> None:
    """The config of the quickstart for other videos, four times narrower."""
    cfg = Config.fromfile(CONFIG)
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    cfg.merge_from_dict(
        {
            'model.backbone.base_channels': 16,
            'model.neck.in_channels': 128,
            'model.identity_head.in_channels': 64,
            **{f'{each}.dataset.data_root': str(data) for each in loaders},
        }
    )
    cfg.dump(path)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A training of two epochs, stopped after the first and resumed."""
    root = tmp_path_factory.mktemp('run')
    data = write_videos(
        root,
        videos=5,
        frames=6,
        splits=['train', 'train', 'train', 'val', 'val'],
    )
    config = root / CONFIG.name
    write_config(config, data)
    options = [
        'train_dataloader.batch_size=2',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'train_dataloader.dataset.clips_per_video=1',
        'val_dataloader.num_workers=0',
        'val_dataloader.persistent_workers=False',
        'train_cfg.val_interval=1',
    ]
    work = root / 'work'
    command = ('train.py', config, '--work-dir', work, '--cfg-options')
    process(*command, *options, 'train_cfg.max_epochs=1', '--amp')
    more = (*options, 'train_cfg.max_epochs=2', '--resume')
    assert run_tool(*command, *more) == 0
    first, second = (path.read_text() for path in sorted(work.glob('*/*.log')))
    return dict(
        root=root, data=data, config=config, work=work, logs=[first, second]
    )


def test_training_stops_and_resumes(run):
    assert (run['work'] / 'epoch_2.pth').is_file()
    assert 'resumed epoch: 1' in run['logs'][1]
    assert 'Epoch(train)  [1]' not in run['logs'][1].replace('] [', '][')


def test_amp_on_a_cpu_is_bfloat16(run):
    dumped = Config.fromfile(run['work'] / CONFIG.name)
    assert 'type' not in dumped.optim_wrapper  # of the second run
    meta = torch.load(run['work'] / 'epoch_1.pth', weights_only=True)['meta']
    wrapper = (
        'AmpOptimWrapper'
        if torch.cuda.is_available()
        else 'BFloat16OptimWrapper'
    )
    assert wrapper in meta['cfg']


def test_checkpoint_says_where_it_comes_from(run):
    meta = torch.load(run['work'] / 'epoch_2.pth', weights_only=True)['meta']
    assert 'run_info' in meta['cfg']
    assert meta['environment']['commit'] and meta['environment']['torch']


def test_dump_holds_every_frame_and_its_metrics_are_the_printed_ones(
    run, tool
):
    root = run['root']
    printed = tool(
        'test.py',
        run['config'],
        run['work'] / 'epoch_2.pth',
        '--work-dir',
        root / 'test',
        '--dump',
        root / 'predictions.pkl',
        '--out',
        root / 'metrics.json',
        '--show-dir',
        root / 'shown',
        '--interval',
        3,
    )
    frames = pickle.loads((root / 'predictions.pkl').read_bytes())
    # Two videos of six frames, in order.
    assert [frame['frame_id'] for frame in frames] == [*range(6)] * 2
    errors = []
    for frame in frames:
        truth = np.asarray(frame['gt_instances']['keypoints'][0])
        found = np.asarray(frame['pred_instances']['keypoints'][0])
        eyes = np.linalg.norm(truth[36] - truth[45])
        errors.append(
            100 * np.linalg.norm(found - truth, axis=1).mean() / eyes
        )
    metrics = json.loads((root / 'metrics.json').read_text())
    assert metrics['face/NME'] == pytest.approx(np.mean(errors), rel=1e-6)
    assert metrics['face/NME_std'] == pytest.approx(np.std(errors), rel=1e-6)
    failed = 100 * np.mean(np.array(errors) > 10)
    assert metrics['face/failure_rate'] == pytest.approx(failed)
    assert set(metrics) >= {'face/NME', 'face/AUC@8'}
    assert 'protocol: 12 frames' in printed
    assert f'{np.mean(errors):.3f}' in printed
    # Every third of 12 frames.
    assert len(list((root / 'shown').rglob('*.jpg'))) == 4


def test_learning_curve_has_a_line_an_epoch(run, tool):
    table = tool('analysis_tools/learning_curve.py', run['work'])
    lines = [line for line in table.splitlines() if line.startswith('|')]
    assert [line.split('|')[1].strip() for line in lines[2:]] == ['1', '2']
    assert 'seed 0' in table and 'commit' in table


def test_track_video(run, tool):
    root, data = run['root'], run['data']
    folder = next((data / 'frames').iterdir())
    out = tool(
        'track_video.py',
        folder,
        '--config',
        run['config'],
        '--checkpoint',
        run['work'] / 'epoch_2.pth',
        '--box',
        *(10, 10, 40, 40),
        '--out',
        root / 'tracked.mp4',
        '--json',
        root / 'tracked.json',
        '--sheet',
        root / 'sheet.png',
    )
    assert '6 frames' in out
    assert len(json.loads((root / 'tracked.json').read_text())['frames']) == 6
    video = cv2.VideoCapture(str(root / 'tracked.mp4'))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 6
    assert cv2.imread(str(root / 'sheet.png')) is not None


@pytest.fixture(scope='module')
def inferencer(run):
    return MMPoseInferencer(
        pose2d=str(run['config']),
        pose2d_weights=str(run['work'] / 'epoch_2.pth'),
        det_model='whole_image',
        device='cpu',
    )


def shapes(results) -> list[tuple[int, ...]]:
    """The shape of the landmarks of the one face of each result."""
    return [
        np.shape(result['predictions'][0][0]['keypoints'])
        for result in results
    ]


def test_inferencer_on_a_file_a_folder_and_an_array(run, inferencer):
    folder = next((run['data'] / 'frames').iterdir()).resolve()
    file = sorted(folder.iterdir())[0]
    out = run['root'] / 'inferred'
    assert shapes(inferencer(str(file), out_dir=str(out))) == [(68, 2)]
    assert (out / 'visualizations' / file.name).is_file()
    saved = json.loads((out / 'predictions' / '000001.json').read_text())
    assert np.shape(saved[0]['keypoints']) == (68, 2)
    assert shapes(inferencer(str(folder))) == [(68, 2)] * 6
    assert shapes(inferencer(cv2.imread(str(file)))) == [(68, 2)]


def test_inferencer_on_a_video(run, inferencer):
    video = run['root'] / 'video.mp4'
    writer = cv2.VideoWriter(
        str(video), cv2.VideoWriter.fourcc(*'mp4v'), 25, (64, 64)
    )
    for level in (50, 100, 150):
        writer.write(np.full((64, 64, 3), level, np.uint8))
    writer.release()
    out = run['root'] / 'video'
    assert shapes(inferencer(str(video), out_dir=str(out))) == [(68, 2)] * 3
    assert (out / 'visualizations' / 'video.mp4').stat().st_size > 0
    saved = json.loads((out / 'predictions' / 'video.json').read_text())
    assert [frame['frame_id'] for frame in saved] == [0, 1, 2]


def test_inferencer_with_an_mmdet_detector(run):
    # Random weights find nothing; MMPose then takes the whole image. What is
    # shown is that a detector's config is accepted and asked.
    folder = Path(get_installed_path('mmdet')) / '.mim' / 'configs' / 'yolox'
    both = MMPoseInferencer(
        pose2d=str(run['config']),
        pose2d_weights=str(run['work'] / 'epoch_2.pth'),
        det_model=str(folder / 'yolox_tiny_8xb8-300e_coco.py'),
        det_cat_ids=[0],
        device='cpu',
    )
    assert both.inferencer.detector is not None
    image = np.zeros((96, 96, 3), np.uint8)
    assert shapes(both(image)) == [(68, 2)]
