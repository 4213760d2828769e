"""Every config that runs, on every data set's own files.

From sources in the original layouts through the converters' command lines:
nothing is lazy, nothing is replaced but the size of the network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from config_tools import (
    CONFIGS,
    SIDES,
    need_extras,
    shrunk,
    write_config,
)
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpose.apis import MMPoseInferencer
from mmpose.registry import DATASETS
from original_trees import (
    COMMANDS,
    ROOT,
    convert_all,
    documented,
    real_aflw,
    run_converter,
    vw,
)

RUNNABLE = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if path.parent.name not in ('_base_', 'scales')
)
STAGES = [
    f'rednet_{network}_{stage}.py'
    for network in ('resnet', 'vgg')
    for stage in ('stage1_images', 'stage2_lfw')
]


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
    """A folder with every data set, as the converters leave it."""
    return convert_all(tmp_path_factory.mktemp('converted'))


@pytest.mark.parametrize('name', RUNNABLE)
def test_config_on_its_own_data(name, converted, monkeypatch, tmp_path):
    monkeypatch.chdir(converted)
    # None of them is of interest here, and they take longest: MMEngine
    # collects garbage for every data set.
    monkeypatch.setattr('gc.collect', int)
    monkeypatch.setattr(Config, 'pretty_text', '')
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    cfg, written = shrunk(name), Config.fromfile(CONFIGS / name)
    need_extras(written)
    head = cfg.model.head
    points = head.get('num_keypoints', head.get('out_channels', 68))
    seen = set()
    for side in SIDES:
        # As written: the size of the input too.
        settings = written[f'{side}_dataloader'].dataset
        if str(settings) in seen:
            continue
        seen.add(str(settings))
        assert not settings.get('lazy_init')
        item = DATASETS.build(settings)[0]
        assert item['inputs'].shape[-3] == 3
        samples = item['data_samples']
        for sample in samples if isinstance(samples, list) else [samples]:
            truth = sample.gt_instances
            assert truth.keypoints.shape == (1, points, 2)
            assert (np.asarray(truth.keypoints_visible) > 0).any()
            if side == 'train':
                labels = sample.gt_instance_labels
                assert labels.keypoint_weights.sum() > 0
    # One iteration, then all of the (small) validation and test data.
    cfg.train_cfg = dict(
        type='IterBasedTrainLoop', max_iters=1, val_interval=1
    )
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.pop('epoch_seed')
    cfg.work_dir = str(tmp_path)
    cfg.experiment_name = tmp_path.name
    runner = Runner.from_cfg(cfg)
    head = runner.model.head
    last = getattr(head, 'final', None) or {'reg': head.final_layer}
    before = [p.clone() for layer in last.values() for p in layer.parameters()]
    runner.train()
    after = [p for layer in last.values() for p in layer.parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(before, after))
    metrics = runner.test()
    assert np.isfinite(next(iter(metrics.values())))
    # MMPose's inferencer runs the test pipeline on images from anywhere.
    image = np.zeros((64, 64, 3), np.uint8)
    box = np.array([[8, 8, 56, 56]], np.float32)
    bare = dict(img=image, bbox=box, bbox_score=np.ones(1, np.float32))
    pipeline = Compose(cfg.test_dataloader.dataset.pipeline)
    assert pipeline(bare)['inputs'].shape[0] == 3


@pytest.mark.parametrize('name', STAGES)
def test_mmpose_inferencer(name, converted, tmp_path):
    config = write_config(tmp_path / name, shrunk(name))
    inferencer = MMPoseInferencer(
        pose2d=str(config), det_model='whole_image', device='cpu'
    )
    (result,) = inferencer(np.zeros((64, 64, 3), np.uint8))
    assert np.shape(result['predictions'][0][0]['keypoints']) == (68, 2)


def test_commands_are_those_of_the_documentation():
    text = documented()
    for _, command in COMMANDS.values():
        assert f'python data_converters/{command}' in text


def test_a_converter_by_its_command_line(tmp_path):
    src = tmp_path / 'vw'
    src.mkdir()
    vw(src)
    script, *words = COMMANDS['300vw'][1].replace('SRC', str(src)).split()
    subprocess.run(
        [sys.executable, ROOT / 'data_converters' / script, *words],
        cwd=tmp_path,
        check=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
    )
    annotations = tmp_path / 'data' / '300vw' / 'annotations'
    assert len(json.loads((annotations / 'rednet_train.json').read_text()))


def test_seven_keypoints_beside_a_network_of_68(converted, monkeypatch):
    """Table 9 on Talking Face: predictions of 68, truth of seven."""
    monkeypatch.chdir(converted)
    cfg = Config.fromfile(CONFIGS / 'table9' / 'resnet_talking_face.py')
    init_default_scope('mmpose')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    truth = dataset[0]['data_samples'].gt_instances
    seen = np.asarray(truth.keypoints_visible)[0, :, 0] > 0
    assert np.flatnonzero(seen).tolist() == [30, 36, 39, 42, 45, 48, 54]
    raw = json.loads(Path(dataset.ann_file).read_text())['annotations'][0]
    np.testing.assert_allclose(
        truth.keypoints[0][[36, 39, 42, 45, 30, 48, 54]],
        np.reshape(raw['keypoints'], (7, 3))[:, :2],
        atol=1e-3,
    )


def test_another_data_set_is_refused(converted, monkeypatch):
    """By its name and both numbers, wherever the pipeline is."""
    monkeypatch.chdir(converted)
    init_default_scope('mmpose')
    one = Config.fromfile(CONFIGS / STAGES[0]).train_dataloader.dataset
    one.datasets[0].update(
        data_root='data/helen/', ann_file='annotations/helen_all.json'
    )
    two = Config.fromfile(CONFIGS / STAGES[1]).train_dataloader.dataset
    two.update(data_root='data/aflw/', ann_file='annotations/aflw_train.json')
    for settings, says in (
        (one, 'helen_all.json: .* has 68 keypoints .* takes 21'),
        (two, 'aflw_train.json: .* has 21 keypoints .* takes 7'),
    ):
        with pytest.raises(ValueError, match=says):
            DATASETS.build(settings)


@pytest.mark.parametrize('network', ['resnet', 'vgg'])
def test_real_files(network, shared, tmp_path, monkeypatch):
    """The fixtures of real layouts through converters and both stages."""
    monkeypatch.chdir(tmp_path)
    fixtures = shared / 'fixtures'
    real_aflw(fixtures / 'aflw_sample', tmp_path / 'aflw')
    sources = dict(
        aflw=tmp_path / 'aflw',
        lfw=fixtures / 'lfw_dantone',
        helen=fixtures / '300w_original_headers',
        lfpw=fixtures / '300w_original_headers',
    )
    for name, src in sources.items():
        run_converter(COMMANDS[name][1], src)
    init_default_scope('mmpose')
    for stage, faces in (('stage1_images', 22), ('stage2_lfw', 20)):
        cfg = Config.fromfile(CONFIGS / f'rednet_{network}_{stage}.py')
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        assert len(dataset) == faces
        inputs = dataset[0]['inputs']
        assert inputs.shape[-3:] == (3, 256, 256) and inputs.any()
        tested = DATASETS.build(cfg.test_dataloader.dataset)[0]
        assert tested['inputs'].shape == (3, 256, 256)
