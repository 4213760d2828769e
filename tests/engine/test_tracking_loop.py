"""Tracking as a test mode: the same figures, lost faces counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import build_model, crop_pipeline, tiny_model_cfg, write_videos
from drawn_faces import SquareNetwork, box, frame
from mmengine.config import Config
from mmengine.runner import Runner

from rednet_mm.engine.tracking_loop import GroundTruthTracker, whole_frames
from rednet_mm.utils.errors import UserError

ROOT = Path(__file__).parents[2]
FRAMES = [7, 3, 5]
# Whole image pixels: the square network sees them exactly enough.
NEAR = 1.0


def follow(places, truths=None, track='a', follower=None):
    """Landmarks and re-initialisations of a square at each of the places."""
    follower = follower or GroundTruthTracker(SquareNetwork())
    found = []
    for place, truth in zip(places, truths or places):
        image = frame() if place is None else frame(place)
        found.append(follower.step(image, box(*(truth or (0, 0)))[0], track))
    return [each[0] for each in found], [each[2] for each in found]


def test_perfect_landmarks_need_the_truth_once():
    places = [(20 + 2 * i, 30) for i in range(8)]
    # After the first frame the annotated box is a lie that nobody reads.
    keypoints, again = follow(places, [places[0], *[(90, 5)] * 7])
    assert again == [False] * 8
    for (x, y), marks in zip(places, keypoints):
        np.testing.assert_allclose(marks[0], [x, y], atol=NEAR)
        np.testing.assert_allclose(marks[3], [x + 15, y + 15], atol=NEAR)


def test_a_jump_is_one_asking_and_is_found_in_the_same_frame():
    # Frame 2 is 60 pixels away, far outside the crop of 1.5 boxes.
    places = [(20, 30), (22, 30), (82, 30), (84, 30)]
    keypoints, again = follow(places)
    assert again == [False, False, True, False]
    np.testing.assert_allclose(keypoints[2][0], [82, 30], atol=NEAR)


def test_a_face_that_is_not_there_is_missing_and_asked_for_each_time():
    places = [(20, 30), None, None, (20, 30), (22, 30)]
    keypoints, again = follow(places)
    # Asked in the frame where it goes, in the next, and where it is back.
    assert again == [False, True, True, True, False]
    missing = [bool(np.isnan(marks).all()) for marks in keypoints]
    assert missing == [False, True, True, False, False]


def test_another_track_begins_anew_and_is_no_reinitialisation():
    follower = GroundTruthTracker(SquareNetwork())
    follow([(20, 30)] * 2, track=(1, 0), follower=follower)
    _, again = follow([(80, 60)] * 2, track=(2, 0), follower=follower)
    assert again == [False, False]
    assert follower.tracker.network.memories == [[0], [1], [0], [1]]


def test_a_frame_of_another_size_keeps_one_face():
    follower = GroundTruthTracker(SquareNetwork())
    follow([(20, 30)], follower=follower)
    # Twice as large: the face is where it was, the annotated box elsewhere.
    image = frame((40, 60), side=32, size=(192, 256))
    marks, _, again = follower.step(image, box(150, 100)[0], 'a')
    assert not again
    np.testing.assert_allclose(marks[0], [40, 60], atol=2 * NEAR)
    assert len(follower._state.faces) == 1


def test_pipeline_ends_before_boxes():
    loader = dict(
        batch_size=32,
        dataset=dict(
            pipeline=[
                dict(type='LoadVideoFrame'),
                dict(type='GetBBoxCenterScale', padding=1.25),
                dict(type='TopdownAffine', input_size=(64, 64)),
                dict(type='PackPoseInputs'),
            ]
        ),
    )
    types = [s['type'] for s in whole_frames(loader).dataset.pipeline]
    assert types == ['LoadVideoFrame', 'PackPoseInputs']
    assert loader['batch_size'] == 32
    loader['dataset']['pipeline'] = [dict(type='LoadImage')]
    with pytest.raises(UserError, match='GetBBoxCenterScale'):
        whole_frames(loader)


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    root = tmp_path_factory.mktemp('tracking')
    data = write_videos(root, videos=len(FRAMES), frames=FRAMES)
    model = tiny_model_cfg()
    checkpoint = root / 'tiny.pth'
    torch.save(dict(state_dict=build_model(model).state_dict()), checkpoint)
    dataset = dict(
        type='VideoClipDataset',
        data_root=str(data),
        ann_file='annotations/all.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=crop_pipeline(),
    )
    return Config(
        dict(
            default_scope='mmpose',
            custom_imports=dict(imports=['rednet_mm']),
            model=model,
            # A network without training is sure of nothing.
            tracker=dict(min_score=-1.0),
            test_cfg=dict(type='TrackingTestLoop'),
            test_dataloader=dict(
                batch_size=3,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dataset,
            ),
            test_evaluator=dict(type='FaceLandmarkMetric', boxes='tracking'),
            load_from=str(checkpoint),
            work_dir=str(root / 'work'),
        )
    )


def measured(cfg, name):
    cfg = cfg.copy()
    cfg.experiment_name = name
    return Runner.from_cfg(cfg).test()


def test_every_frame_is_measured_once(config):
    metrics = measured(config, 'tracking-once')
    assert np.isfinite(metrics['face/NME'])
    assert metrics['face/missing'] == 0


def test_nothing_is_found_below_the_threshold(config):
    cfg = config.copy()
    cfg.tracker = dict(min_score=2.0)
    metrics = measured(cfg, 'tracking-lost')
    assert metrics['face/missing'] == sum(FRAMES)


def test_a_video_of_one_frame_each_equals_truth_boxes(config, tmp_path):
    # A first frame has the annotated box in either mode.
    data = write_videos(tmp_path, videos=4, frames=1)
    metrics = []
    for loop in ('TrackingTestLoop', 'VideoTestLoop'):
        cfg = config.copy()
        cfg.test_dataloader.dataset.data_root = str(data)
        cfg.test_dataloader.batch_sampler = dict(type='VideoBatchSampler')
        cfg.test_cfg = dict(type=loop)
        metrics.append(measured(cfg, f'tracking-{loop}')['face/NME'])
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-4)


def test_importing_the_package_registers_it():
    # A process of its own: the tests have imported everything.
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            'import rednet_mm; from mmengine.registry import LOOPS; '
            'from mmpose.registry import INFERENCERS; '
            "print(LOOPS.get('TrackingTestLoop').__name__, "
            "INFERENCERS.get('REDNetInferencer').__name__)",
        ],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ['TrackingTestLoop', 'REDNetInferencer'], (
        done.stderr
    )


@pytest.mark.slow
def test_two_processes_measure_the_same(config, tmp_path):
    config.dump(tmp_path / 'config.py')
    torch.set_num_threads(1)
    one = measured(config, 'tracking-one')
    out = tmp_path / 'two.json'
    command = [
        sys.executable,
        '-m',
        'torch.distributed.run',
        '--nproc_per_node=2',
        f'--master_port={20000 + os.getpid() % 20000}',
        str(ROOT / 'tools' / 'test.py'),
        str(tmp_path / 'config.py'),
        config.load_from,
        '--launcher=pytorch',
        '--boxes=tracking',
        f'--out={out}',
        f'--work-dir={tmp_path}',
    ]
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    two = json.loads(out.read_text())
    assert two.pop('provenance')['checkpoint'] == config.load_from
    assert two.keys() == one.keys()
    for name, value in two.items():
        assert value == pytest.approx(one[name], rel=1e-6), name
