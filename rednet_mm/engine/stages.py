"""Trainings that go on from one another (section 5.1)."""

import os
import os.path as osp
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config

from rednet_mm.errors import UserError
from rednet_mm.shipped import resources

from .launch import existing_config
from .scaling import scaled


@dataclass(frozen=True)
class Stage:
    """One training of a chain.

    Args:
        path (str): The config's file.
        cfg (Config): What is in it, at the chosen scale.
        changed (bool): Whether it differs from the file.
    """

    path: str
    cfg: Config
    changed: bool


def read_stages(
    path: str, scale: Optional[Mapping[str, Any]] = None
) -> list[Stage]:
    """A config and those before it, the first to train at the front.

    ``stage.previous`` of a config names the one that it goes on from, beside
    it; ``stage.previous_options`` is what is different in all that come
    before, as for ``--cfg-options``.

    Args:
        path (str): The last config.
        scale (Mapping, optional): See :mod:`rednet_mm.engine.scaling`.

    Raises:
        FileNotFoundError: if a config is missing.
        UserError: if a config has no stage, or the chain is a circle.
    """
    stages: list[Stage] = []
    options: dict[str, Any] = {}
    seen: set[str] = set()
    while True:
        name = osp.abspath(path)
        if name in seen:
            raise UserError(
                f'{path}: the stages go round in a circle; mend stage.previous'
            )
        seen.add(name)
        cfg = Config.fromfile(existing_config(path))
        if 'stage' not in cfg:
            raise UserError(
                f'{path} has no stage=dict(data=..., previous=...): it is '
                'trained by itself, with tools/train.py'
            )
        changed = bool(options) or scale is not None
        if options:
            cfg.merge_from_dict(options)
        if scale is not None:
            cfg = scaled(cfg, scale)
        stages.append(Stage(path, cfg, changed))
        if not cfg.stage.previous:
            return stages[::-1]
        options.update(cfg.stage.get('previous_options', {}))
        path = osp.join(osp.dirname(path), cfg.stage.previous)


def final_checkpoint(cfg: Config, work_dir: str) -> Optional[str]:
    """The last epoch's checkpoint of a training; None before it is whole."""
    note = osp.join(work_dir, 'last_checkpoint')
    if not osp.isfile(note):
        return None
    # MMEngine names a checkpoint in it when the file has been written.
    name = osp.basename(Path(note).read_text().strip())
    path = osp.join(work_dir, name)
    done = name == f'epoch_{cfg.train_cfg.max_epochs}.pth'
    return path if done and osp.isfile(path) else None


def child_environment() -> dict[str, str]:
    """Variables of a command; dist_train.sh calls python: this one."""
    path = os.pathsep.join(
        [osp.dirname(sys.executable), os.environ.get('PATH', '')]
    )
    return dict(os.environ, PATH=path)


def stage_config(stage: Stage, work_dir: str) -> str:
    """The stage's config as a file: its own, or one in the work dir."""
    if not stage.changed:
        return stage.path
    config = osp.join(work_dir, 'scaled', osp.basename(stage.path))
    Path(config).parent.mkdir(parents=True, exist_ok=True)
    stage.cfg.dump(config)
    return config


def training_command(
    stage: Stage,
    work_dir: str,
    start: Optional[str],
    gpus: int = 0,
    options: Sequence[str] = (),
) -> list[str]:
    """The command that trains a stage, from where it stopped.

    Args: as for :func:`train_stage`.
    """
    config = stage_config(stage, work_dir)
    tools = resources() / 'tools'
    command = [sys.executable, str(tools / 'train.py'), config]
    if gpus:
        command = ['bash', str(tools / 'dist_train.sh'), config, str(gpus)]
    command += ['--work-dir', work_dir, *options]
    if osp.isfile(osp.join(work_dir, 'last_checkpoint')):
        return [*command, '--resume']
    if start:
        command += ['--cfg-options', f'load_from={start}']
    return command


def train_stage(
    stage: Stage,
    work_dir: str,
    start: Optional[str],
    gpus: int = 0,
    options: Sequence[str] = (),
) -> str:
    """Train a stage to its end, from where it stopped.

    Args:
        stage (Stage): The stage.
        work_dir (str): Where logs and checkpoints go.
        start (str, optional): The last stage's checkpoint.
        gpus (int): Processes of ``tools/dist_train.sh``; 0 is one process.
        options (Sequence[str]): Further words for ``tools/train.py``.

    Returns:
        str: The checkpoint of the last epoch.

    Raises:
        UserError: if the training did not come to its end.
    """
    done = final_checkpoint(stage.cfg, work_dir)
    if done:
        return done
    command = training_command(stage, work_dir, start, gpus, options)
    status = subprocess.run(command, env=child_environment()).returncode
    done = final_checkpoint(stage.cfg, work_dir)
    if status or not done:
        raise UserError(
            f'the training of {stage.path} stopped (status {status}); what it '
            f'said is above and in {work_dir}, and the same command goes on '
            'from its last checkpoint'
        )
    return done
