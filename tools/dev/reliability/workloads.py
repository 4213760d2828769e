"""The work that is disturbed: small, but by the tools that users run."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from integrity import other_bytes, other_training
from running import ROOT, Job, environment

from rednet_mm.utils.errors import UserError

# Three epochs of narrow networks on drawn videos.
CLIPS = """\
_base_ = [{base!r}]
train_cfg = dict(max_epochs=3, val_interval=1)
model = dict(
    backbone=dict(base_channels=16),
    neck=dict(in_channels=128),
    identity_head=dict(in_channels=64),
)
train_dataloader = dict(
    batch_size=2, dataset=dict(data_root={data!r}, clips_per_video=1)
)
val_dataloader = dict(dataset=dict(data_root={data!r}))
test_dataloader = dict(dataset=dict(data_root={data!r}))
"""

# Augmented in data workers, with averaged weights.
STILLS = """\
_base_ = [{base!r}]
train_cfg = dict(max_epochs=3)
custom_hooks = [dict(type='EMAHook')]
model = dict(
    backbone=dict(base_channels=16), neck=dict(in_channels=128)
)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        datasets=[
            dict(
                type='Face300WDataset',
                data_root={data!r},
                ann_file='annotations/csv_train.json',
                data_prefix=dict(img=''),
                indices=72,
            )
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root={data!r}, ann_file='annotations/csv_val.json', indices=32
    )
)
test_dataloader = val_dataloader
"""


@dataclass(frozen=True)
class Material:
    """What the jobs work upon.

    Args:
        source (Path): Drawn videos in the layout of 300-VW.
        data (Path): The same, converted.
        clips (Path): Config of a training on their clips.
        still images (Path): Config of one on their frames.
        weights (Path): Of the former's last epoch, when it has run.
    """

    source: Path
    data: Path
    clips: Path
    stills: Path
    weights: Path


def tool(script: str, *words: object) -> list[str]:
    """The words of a command of this repository."""
    return [sys.executable, str(ROOT / script), *map(str, words)]


def call(command: list[str]) -> None:
    """Run a command that prepares something.

    Raises:
        UserError: if it fails.
    """
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f'{command[1]} failed: {done.stderr[-500:]}')


def conversion(source: Path, target: Path) -> list[str]:
    """The command that converts the drawn videos."""
    return tool(
        'data_converters/convert_300vw.py',
        *(source, target, '--protocol', 'csv'),
        *('--subjects', source / 'subjects.csv'),
    )


def prepare(work: Path) -> Material:
    """Draw and convert the videos, and write the configs.

    Args:
        work (Path): Gets ``material``; what is complete there is used.
    """
    folder = work / 'material'
    source, data = folder / 'source', folder / 'data'
    call(
        tool(
            'data_converters/make_tiny_300vw.py',
            *(source, '--videos', 12, '--frames', 60, '--size', 96),
        )
    )
    call(conversion(source, data))
    configs = {}
    for name, text, base in (
        ('clips', CLIPS, 'rednet_r18_tiny300vw.py'),
        ('stills', STILLS, 'rednet_r18_faces.py'),
    ):
        configs[name] = folder / f'{name}.py'
        base = str(ROOT / 'configs' / base)
        configs[name].write_text(text.format(base=base, data=str(data)))
    weights = work / 'clips' / 'unbroken' / 'epoch_3.pth'
    return Material(source, data, **configs, weights=weights)


def jobs_upon(material: Material) -> dict[str, Job]:
    """All jobs by short names; the first makes the weights for the last."""
    return dict(
        clips=Job(
            'training on clips, identity with dropout',
            _training(material.clips),
            True,
            _other_end,
            'weights, optimizer, schedules and best checkpoint, bit by bit',
        ),
        stills=Job(
            'training on still images, augmented, bfloat16, averaged weights',
            _training(material.stills, '--amp'),
            True,
            _other_end,
            'weights, their average, optimizer, schedules and best '
            'checkpoint, bit by bit',
        ),
        conversion=Job(
            'conversion with extraction of frames',
            lambda folder: conversion(material.source, folder),
            True,
            other_bytes,
            'all bytes',
            speaks=False,
        ),
        test=Job(
            'test with dump',
            _test(material),
            False,
            _other_results,
            'all bytes of dump and figures',
        ),
        video=Job(
            'following a face through a video',
            _video(material),
            False,
            _other_results,
            'all bytes of JSON, CSV, video and sheet',
        ),
    )


def _training(config: Path, *words: str) -> Callable[[Path], list[str]]:
    return lambda folder: tool(
        'tools/train.py', config, '--work-dir', folder, '--resume', *words
    )


def _test(material: Material) -> Callable[[Path], list[str]]:
    return lambda folder: tool(
        'tools/test.py',
        *(material.clips, material.weights, '--work-dir', folder / 'logs'),
        *('--dump', folder / 'out' / 'predictions.npz'),
        *('--out', folder / 'out' / 'metrics.json'),
    )


def _video(material: Material) -> Callable[[Path], list[str]]:
    video = material.source / '010'
    return lambda folder: tool(
        'tools/track_video.py',
        *(video / 'vid.avi', '--start-pts', video / 'annot' / '000001.pts'),
        *('--config', material.clips, '--checkpoint', material.weights),
        # Three epochs make no sure network.
        *('--tracker', 'min_score=-1', 'max_spread=1000'),
        *('--out', folder / 'out' / 'video.mp4'),
        *('--json', folder / 'out' / 'video.json'),
        *('--csv', folder / 'out' / 'video.csv'),
        *('--sheet', folder / 'out' / 'sheet.png'),
    )


def _other_end(unbroken: Path, folder: Path, finished: bool) -> list[str]:
    return other_training(unbroken, folder) if finished else []


def _other_results(unbroken: Path, folder: Path, finished: bool) -> list[str]:
    # Logs of the runs, with times in them, are in a folder beside.
    return other_bytes(unbroken / 'out', folder / 'out', finished)
