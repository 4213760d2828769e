"""Still images as a plain MMPose model: MMPose's data sets, metric, flip
test.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from builders import face_shape
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.apis import inference_topdown, init_model
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS, METRICS

from data_converters.convert_300w import convert
from data_converters.pts import write_pts

CONFIGS = Path(__file__).parents[2] / 'configs'
AFLW, W300 = 'rednet_resnet_aflw', 'rednet_resnet_300w'
SIZE = 64


def picture(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8))


def write_300w(root: Path) -> None:
    """Four faces to train with and two to test, through the converter."""
    rows = ['file,split']
    for i in range(6):
        picture(root / 'source' / f'helen/{i}.jpg', i)
        write_pts(root / 'source' / f'helen/{i}.pts', face_shape(SIZE) + i / 2)
        rows.append(f'helen/{i}.jpg,{"train" if i < 4 else "val"}')
    (root / 'split.csv').write_text('\n'.join(rows) + '\n')
    convert(root / 'source', root / 'data', split=root / 'split.csv')


def shrunk(name: str, root: Path) -> Config:
    """A config for 64 pixels, depth 18, one epoch of two iterations."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    small = dict(input_size=(64, 64), response_size=(32, 32))
    cfg.model.head.decoder.update(small)
    cfg.model.backbone.update(depth=18, init_cfg=None)
    cfg.model.neck.in_channels = 512
    for side in ('train', 'val', 'test'):
        loader = cfg[f'{side}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(root / 'data')
        for transform in loader.dataset.pipeline:
            if transform.type == 'TopdownAffine':
                transform.input_size = small['input_size']
            if transform.type == 'GenerateTarget':
                transform.encoder.update(small)
    cfg.train_cfg.max_epochs = 1
    # The weights alone: saving is the largest part of the time.
    cfg.default_hooks.checkpoint.update(save_best=None, save_optimizer=False)
    cfg.work_dir = str(root / 'work')
    cfg.experiment_name = name
    return cfg


def test_train_test_infer(tmp_path):
    write_300w(tmp_path)
    cfg = shrunk(W300, tmp_path)
    runner = Runner.from_cfg(cfg)
    before = runner.model.head.final['reg'].weight.clone()
    runner.train()
    assert runner.iter == 2
    assert not torch.equal(before, runner.model.head.final['reg'].weight)
    assert runner.model.test_cfg.flip_test
    seen = []
    runner.model.backbone.conv1.register_forward_hook(
        lambda _, inputs, output: seen.append(len(output))
    )
    metrics = runner.test()
    assert np.isfinite(metrics['NME']) and metrics['NME'] > 0
    # One batch of two faces and their mirror images.
    assert seen == [4]

    last = tmp_path / 'work' / 'epoch_1.pth'
    model = init_model(cfg, str(last), device='cpu')
    image = str(tmp_path / 'data' / 'images' / 'helen' / '0.jpg')
    (found,) = inference_topdown(model, image, [[8, 8, 56, 56]])
    assert found.pred_instances.keypoints.shape == (1, 68, 2)
    assert np.isfinite(found.pred_instances.keypoints).all()


@pytest.mark.parametrize('name', [W300, AFLW])
def test_detected_landmarks_are_a_mirrored_set(name):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    dataset = DATASETS.get(cfg.dataset_type)
    partners = parse_pose_metainfo(dataset.METAINFO)['flip_indices']
    head = cfg.model.head
    indices = head.get('det_indices', (36, 39, 42, 45, 30, 48, 54))
    # Right and left of the image change places; the nose tip stays.
    a, b, c, d, nose, e, f = indices
    expected = [d, c, b, a, nose, f, e]
    assert [partners[i] for i in indices] == expected


@pytest.fixture
def aflw_samples(shared):
    """The real AFLW images through the config's test pipeline, and it."""
    folder = shared / 'fixtures' / 'aflw_sample'
    cfg = Config.fromfile(CONFIGS / f'{AFLW}.py')
    dataset = cfg.test_dataloader.dataset
    dataset.update(
        data_root=str(folder),
        ann_file='test_aflw.json',
        data_prefix=dict(img=''),
    )
    # MMPose's own file has these 19 already.
    assert dataset.pipeline.pop(0).type == 'FaceKeypointConverter'
    dataset.pipeline[-1].pack_transformed = True
    return cfg, list(DATASETS.build(dataset))


def test_order_of_real_aflw_marks(aflw_samples):
    _, samples = aflw_samples
    assert len(samples) == 2
    for sample in samples:
        assert sample['inputs'].shape == (3, 256, 256)
        truth = sample['data_samples'].gt_instances
        x, y = truth.transformed_keypoints[0].T
        assert min(*x, *y) >= 0 and max(*x, *y) <= 255
        # Eye corners from the image's left to its right, then the mouth's.
        assert x[6] < x[8] < x[9] < x[11] and x[15] < x[17]
        # Eyes above the tip of the nose, this above the mouth.
        assert max(y[[6, 8, 9, 11]]) < y[13] < min(y[[15, 17]])
        # The tip of the nose is between the eyes and between its wings.
        assert x[6] < x[13] < x[11] and x[12] < x[13] < x[14]


def test_error_of_real_aflw_marks_is_over_the_box(aflw_samples):
    cfg, samples = aflw_samples
    metric = METRICS.build(cfg.test_evaluator)
    # The sides of the boxes are 200 x scale: 362 and 128 pixels. An error of
    # 3.62 and one of 2.56 pixels at every point are 1 % and 2 %.
    for sample, error in zip(samples, (3.62, 2.56)):
        sample = sample['data_samples']
        truth = sample.gt_instances
        sample.pred_instances = truth.clone()
        sample.pred_instances.keypoints = truth.keypoints + [error, 0]
        metric.process(None, [sample.to_dict()])
    assert metric.evaluate(2)['NME'] == pytest.approx(0.015, abs=1e-5)
