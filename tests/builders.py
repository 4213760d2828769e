"""Tiny models, samples and videos, shared by all tests.

Letters: N frames, K = 68 landmarks.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import nn

from data_converters.convert_300vw import convert
from data_converters.pts import write_pts
from data_converters.schema import DatasetWriter
from rednet_mm.utils.landmarks import SEVEN_OF_21, SEVEN_OF_68

# Where tests start processes: not forked from their own, since a child of a
# process with threads may wait for ever for a lock that one of them held, nor
# spawned, which imports for five seconds each time.
FORKSERVER = multiprocessing.get_context('forkserver')
FORKSERVER.set_forkserver_preload(['rednet_mm.apis'])


def tiny_model_cfg(
    depth: int = 18,
    steps: Sequence[str] = ('det', 'reg'),
    feedback: str | None = 'stem',
    recurrent: bool = True,
    unpool: str = 'index',
    num_subjects: int | None = None,
    size: int = 64,
    norm_per_step: bool = True,
    width: int = 16,
    **kwargs: Any,
) -> dict:
    """Config of a RecurrentPoseEstimator with maps of half the input.

    All ratios of widths are those of the full network: 1x1 convolutions
    before and after the LSTM are there from depth 50 on.

    Args:
        depth: Of the ResNet.
        steps: Kinds of the recurrent steps.
        feedback: As for the backbone.
        recurrent: Whether the neck has its LSTM.
        unpool: As for the neck.
        num_subjects: N, adds an identity head; None leaves it out.
        size: Side of the input in pixels, a multiple of 32.
        norm_per_step: As for backbone and neck.
        width: ``base_channels`` of the backbone; torchvision's is 64.
        **kwargs: Further fields of the config's top level, in place of
            those that are there (``neck=None``, ``test_cfg=...``). A
            backbone ``REDNetVGG`` gets the same width.
    """
    code_channels = width * (8 if depth in (18, 34) else 32)
    embed_channels = 4 * width
    per_step = dict(num_steps=len(steps), norm_per_step=norm_per_step)
    config = dict(
        type='RecurrentPoseEstimator',
        data_preprocessor=dict(
            type='ClipDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        ),
        backbone=dict(
            type='REDNetResNet',
            depth=depth,
            base_channels=width,
            feedback=feedback,
            **per_step,
        ),
        neck=dict(
            type='TemporalRecurrentNeck',
            in_channels=code_channels,
            hidden_channels=embed_channels,
            recurrent=recurrent,
            unpool=unpool,
            **per_step,
        ),
        head=dict(
            type='REDNetHead',
            in_channels=128,
            decoder=dict(
                type='ResponseMap',
                input_size=(size, size),
                response_size=(size // 2, size // 2),
                radius=1.5,
                sigma=1.5,
            ),
            steps=tuple(steps),
            loss_det=dict(type='ResponseMapBCELoss'),
            loss_reg=dict(type='ResponseMapL2Loss', loss_weight=10.0),
        ),
    )
    if num_subjects is not None:
        config['identity_head'] = dict(
            type='IdentityHead',
            in_channels=code_channels // 2,
            embed_channels=embed_channels,
            num_subjects=num_subjects,
            loss_weight=0.1,
        )
    config.update(kwargs)
    if config['backbone']['type'] == 'REDNetVGG':
        config['backbone'] = dict(config['backbone'], base_channels=width)
        config['head']['in_channels'] = 2 * width
    return config


def tracker_config(size: int = 64, **kwargs: Any) -> Config:
    """Config of a tiny model, with what a tracker reads of it.

    Args:
        size: Side of the input in pixels.
        **kwargs: Further sections.
    """
    pipeline = [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale', padding=1.25),
        dict(type='TopdownAffine', input_size=(size, size), use_udp=True),
        dict(type='PackPoseInputs'),
    ]
    dataset = dict(type='VideoClipDataset', pipeline=pipeline, test_mode=True)
    return Config(
        dict(
            default_scope='mmpose',
            model=tiny_model_cfg(size=size),
            test_dataloader=dict(dataset=dataset),
            **kwargs,
        )
    )


def build_model(cfg: dict, seed: int = 0) -> nn.Module:
    """A model with the same random weights for the same seed."""
    torch.manual_seed(seed)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def face_shape(size: float = 64) -> np.ndarray:
    """68 keypoints of a drawn face, (68, 2), in the middle of a square image.

    Left and right mirror each other by construction (every part is drawn by
    its own formula, no list of pairs is used), so that x of a mark is
    ``size - 1 - x`` of its partner.

    Args:
        size: Side of the image in pixels.
    """

    def oval(count: int, x: float, y: float, rx: float, ry: float):
        # From the left end over the top to the right, back at the bottom.
        angle = np.pi * (1 + 2 * np.arange(count) / count)
        return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], 1)

    arc = np.linspace(0, np.pi, 17)
    jaw = np.stack([-0.36 * np.cos(arc), 0.4 * np.sin(arc) - 0.05], 1)
    along = np.linspace(0, 1, 5)
    arch = -0.22 - 0.04 * np.sin(np.pi * along)
    nose = np.linspace(0, 1, 4)
    parts = [
        jaw,
        np.stack([-0.28 + 0.2 * along, arch], 1),
        np.stack([0.08 + 0.2 * along, arch], 1),
        np.stack([0 * nose, -0.12 + 0.16 * nose], 1),
        np.stack([-0.07 + 0.14 * along, 0.1 + 0.1 * arch], 1),
        oval(6, -0.17, -0.12, 0.06, 0.025),
        oval(6, 0.17, -0.12, 0.06, 0.025),
        oval(12, 0, 0.2, 0.13, 0.05),
        oval(8, 0, 0.2, 0.1, 0.025),
    ]
    return (size - 1) / 2 + size * np.concatenate(parts)


def crop_pipeline(size: int = 64) -> list[dict]:
    """The pipeline that cuts out faces for testing, as in configs/.

    Args:
        size: Side of the crops in pixels.
    """
    return [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale', padding=1.25),
        dict(type='TopdownAffine', input_size=(size, size), use_udp=True),
        dict(type='PackPoseInputs'),
    ]


def random_samples(
    n: int,
    size: int = 64,
    num_subjects: int = 3,
    seed: int = 0,
    num_keypoints: int = 68,
) -> list[PoseDataSample]:
    """N data samples with random keypoints, as the pipelines pack them.

    The crop is the whole image: keypoints in input pixels and in pixels of the
    image are the same. Sample i is frame i of track (1, 0).

    Args:
        n: N.
        size: Side of the input in pixels.
        num_subjects: Labels go round: i % num_subjects.
        seed: Of the keypoints.
        num_keypoints: K.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for i in range(n):
        shape = (1, num_keypoints, 2)
        marks = rng.uniform(0, size - 1, shape).astype(np.float32)
        visible = np.ones(shape[:2], np.float32)
        sample = PoseDataSample()
        sample.gt_instances = InstanceData(
            bboxes=np.array([[0, 0, size - 1, size - 1]], np.float32),
            bbox_scores=np.ones(1, np.float32),
            keypoints=marks,
            keypoints_visible=visible,
        )
        sample.gt_instance_labels = InstanceData(
            keypoint_labels=torch.from_numpy(marks.copy()),
            keypoint_weights=torch.from_numpy(visible.copy()),
        )
        # MMPose's UDP: input 0 .. size - 1 is spread over the scale.
        middle = np.full(2, (size - 1) / 2, np.float32)
        sample.set_metainfo(
            dict(
                id=i,
                img_id=i,
                img_path=f'frame_{i}.jpg',
                ori_shape=(size, size),
                img_shape=(size, size),
                input_size=(size, size),
                input_center=middle,
                input_scale=2 * middle,
                subject_label=i % num_subjects,
                track=(1, 0),
                video_id=1,
                frame_id=i,
            )
        )
        samples.append(sample)
    return samples


def write_videos(
    root: Path,
    videos: int = 3,
    frames: int | Sequence[int] = 6,
    size: int = 64,
    subjects: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    motion: float = 0.5,
    seed: int = 0,
) -> Path:
    """A converted data set of videos of noise.

    Args:
        root: Gets ``source`` (300-VW's extracted layout, videos 001, 002,
            ... and subjects.csv) and ``data``.
        videos: How many.
        frames: Of each video, or one number for all.
        size: Side of a frame in pixels.
        subjects: Of each video; each its own by default.
        splits: Of each video; one split by default.
        motion: Pixels that the keypoints move from frame to frame.
        seed: Of the noise.

    Returns:
        The folder ``data`` with ``frames/`` and ``annotations/all.json``, or
        with ``splits`` ``annotations/csv_SPLIT.json``.
    """
    rng = np.random.default_rng(seed)
    source = Path(root) / 'source'
    lengths = [frames] * videos if isinstance(frames, int) else frames
    lines = ['video,subject' + (',split' if splits else '')]
    for video in range(videos):
        name = f'{video + 1:03d}'
        row = [name, subjects[video] if subjects else f'subject_{name}']
        lines.append(','.join([*row, splits[video]] if splits else row))
        imgs, annot = source / name / 'imgs', source / name / 'annot'
        imgs.mkdir(parents=True)
        annot.mkdir()
        for frame in range(lengths[video]):
            noise = rng.integers(0, 256, (size, size, 3), np.uint8)
            cv2.imwrite(str(imgs / f'{frame + 1:06d}.jpg'), noise)
            marks = face_shape(size) + video + motion * frame
            write_pts(annot / f'{frame + 1:06d}.pts', marks)
    table = Path(root) / 'subjects.csv'
    table.write_text('\n'.join(lines) + '\n')
    convert(
        source,
        Path(root) / 'data',
        protocol='csv' if splits else 'all',
        subjects=table,
        workers=1,
    )
    return Path(root) / 'data'


def write_stills(
    path: Path,
    points: int = 68,
    images: int = 4,
    size: int = 64,
    subjects: bool = False,
    yaw: bool = False,
    seed: int = 0,
) -> None:
    """A converted data set of still images of noise,

    As the converters write it.

    Args:
        path: The JSON file, ``ROOT/annotations/NAME.json``; the images go
            to ``ROOT/images``.
        points: 68, AFLW's 21 or LFW's 7: those of the 68 that they have,
            the rest at random.
        images: How many, one face each.
        size: Side of an image in pixels.
        subjects: Whether each face is a subject of its own.
        yaw: Whether faces have a yaw: 0, 50, 0, 50, ... degrees.
        seed: Of the noise.
    """
    rng = np.random.default_rng(seed)
    path = Path(path)
    root = path.parents[1]
    (root / 'images').mkdir(parents=True, exist_ok=True)
    writer = DatasetWriter(
        'tests', 'builders', path.stem, 'all', 0, num_keypoints=points
    )
    for number in range(images):
        name = f'images/{path.stem}_{number}.jpg'
        noise = rng.integers(0, 256, (size, size, 3), np.uint8)
        cv2.imwrite(str(root / name), noise)
        face = face_shape(size) + rng.uniform(-3, 3)
        marks = face[list(SEVEN_OF_68)]
        if points == 68:
            marks = face
        elif points == 21:
            marks = rng.uniform(10, size - 10, (21, 2))
            marks[list(SEVEN_OF_21)] = face[list(SEVEN_OF_68)]
        writer.add_face(
            writer.add_image(name, size, size),
            marks,
            subject_id=writer.add_subject(name) if subjects else None,
            pose={'yaw': 50.0 * (number % 2)} if yaw else None,
        )
    writer.save(path)
