"""Batches of clips and of still images on their way into the model."""

from __future__ import annotations

import pytest
import torch
from builders import random_samples, tiny_model_cfg
from mmengine.dataset import pseudo_collate
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.registry import MODELS

B, T, SIZE = 2, 3, 32


@pytest.fixture
def settings():
    settings = tiny_model_cfg()['data_preprocessor']
    settings.pop('type')
    return settings


@pytest.fixture
def preprocessor(settings):
    return MODELS.build(dict(type='ClipDataPreprocessor', **settings))


def clip_items():
    """B items of T frames; frame t of clip b is of the gray level 10 b + t."""
    samples = random_samples(B * T)
    return [
        dict(
            inputs=torch.stack(
                [
                    torch.full((3, SIZE, SIZE), 10 * b + t, dtype=torch.uint8)
                    for t in range(T)
                ]
            ),
            data_samples=samples[b * T : (b + 1) * T],
        )
        for b in range(B)
    ]


def test_clip_by_clip_frames_in_order(preprocessor):
    data = preprocessor(pseudo_collate(clip_items()))
    assert data['inputs'].shape == (B, T, 3, SIZE, SIZE)
    assert data['inputs'].dtype == torch.float32
    # Normalised: (level - mean) / std, BGR turned to RGB.
    mean = torch.tensor([123.675, 116.28, 103.53])
    std = torch.tensor([58.395, 57.12, 57.375])
    for b in range(B):
        for t in range(T):
            torch.testing.assert_close(
                data['inputs'][b, t, :, 4, 7], (10 * b + t - mean) / std
            )
    # random_samples numbers them in the order in which they were made.
    ids = [sample.metainfo['id'] for sample in data['data_samples']]
    assert ids == list(range(B * T))


def test_clips_are_stills_side_by_side(preprocessor, settings):
    generator = torch.Generator().manual_seed(0)
    clips = [
        torch.randint(0, 256, (T, 3, SIZE, SIZE), generator=generator)
        for _ in range(B)
    ]
    clips = [clip.to(torch.uint8) for clip in clips]
    stills = [frame for clip in clips for frame in clip]
    theirs = PoseDataPreprocessor(**settings)(
        dict(inputs=stills, data_samples=random_samples(B * T))
    )
    ours = preprocessor(dict(inputs=clips))
    assert torch.equal(ours['inputs'].flatten(0, 1), theirs['inputs'])
    assert ours['data_samples'] is None


def test_stills_are_left_to_mmpose(preprocessor, settings):
    items = [
        dict(
            inputs=torch.full((3, SIZE, SIZE), 50 * i, dtype=torch.uint8),
            data_samples=sample,
        )
        for i, sample in enumerate(random_samples(B))
    ]
    ours = preprocessor(pseudo_collate(items))
    theirs = PoseDataPreprocessor(**settings)(pseudo_collate(items))
    assert ours['inputs'].shape == (B, 3, SIZE, SIZE)
    assert torch.equal(ours['inputs'], theirs['inputs'])
    assert [s.metainfo['id'] for s in ours['data_samples']] == [0, 1]


def test_channels_turn_not_frames(preprocessor):
    # Three frames of three channels: blue first in, red first out.
    clip = torch.zeros(T, 3, SIZE, SIZE, dtype=torch.uint8)
    clip[:, 0] = 200
    frames = preprocessor(dict(inputs=[clip]))['inputs'][0]
    brightest = frames[..., 0, 0].argmax(1)
    assert brightest.tolist() == [2] * T


def test_clips_of_different_length(preprocessor):
    clips = [torch.zeros(t, 3, 8, 8, dtype=torch.uint8) for t in (2, 3)]
    with pytest.raises(ValueError) as caught:
        preprocessor(dict(inputs=clips))
    assert str(caught.value) == (
        'clips of one batch must have one length and size, got '
        '[(2, 3, 8, 8), (3, 3, 8, 8)]'
    )
