"""A tiny network's files, its inferencer and a video of noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import build_model, tracker_config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from rednet_mm.apis import REDNetInferencer, VideoWriter
from rednet_mm.datasets.metainfo import FACE_68


@pytest.fixture(scope='session')
def weights(tmp_path_factory):
    """Config and checkpoint files of a tiny model."""
    folder = tmp_path_factory.mktemp('inferencer')
    config = tracker_config(64, tracker=dict(min_score=-1, merge=0))
    config.custom_imports = dict(imports=['rednet_mm'])
    config.merge_from_dict(
        dict(
            dataset_type='VideoClipDataset',
            data_mode='topdown',
            visualizer=dict(type='PoseLocalVisualizer'),
        )
    )
    config.dump(folder / 'config.py')
    meta = dict(dataset_meta=parse_pose_metainfo(FACE_68))
    model = build_model(config.model)
    torch.save(
        dict(meta=meta, state_dict=model.state_dict()), folder / 'weights.pth'
    )
    return str(folder / 'config.py'), str(folder / 'weights.pth')


@pytest.fixture(scope='session')
def inferencer(weights):
    return REDNetInferencer(*weights, device='cpu', det_model='whole_image')


@pytest.fixture
def video(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / 'video.mp4'
    writer = VideoWriter(str(path), 25)
    for _ in range(4):
        writer.write(rng.integers(0, 256, (80, 96, 3), np.uint8))
    writer.close()
    return str(path)
