"""Trainings that go on from one another (section 5.1)."""

import copy
import os
import os.path as osp
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

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
        options (tuple[str]): Keys of the options that it was given.
    """

    path: str
    cfg: Config
    changed: bool
    options: tuple[str, ...] = ()


def read_stages(
    path: str,
    scale: Optional[Mapping[str, Any]] = None,
    options: Optional[Mapping[str, Any]] = None,
) -> list[Stage]:
    """A config and those before it, the first to train at the front.

    ``stage.previous`` of a config names the one that it goes on from, beside
    it; ``stage.previous_options`` is what is different in all that come
    before, as for ``--cfg-options``.

    Args:
        path (str): The last config.
        scale (Mapping, optional): See :mod:`rednet_mm.engine.scaling`.
        options (Mapping, optional): As for ``--cfg-options``, for the stages
            that have the part; see :func:`reached`.

    Raises:
        FileNotFoundError: if a config is missing.
        UserError: if a config has no stage, the chain is a circle, or a
            stage cannot take an option.
    """
    stages: list[Stage] = []
    before: dict[str, Any] = {}
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
        changed = bool(before) or scale is not None
        if before:
            cfg.merge_from_dict(before)
        if scale is not None:
            cfg = scaled(cfg, scale)
        stages.append(Stage(path, cfg, changed))
        if not cfg.stage.previous:
            return with_options(stages[::-1], options or {})
        before.update(cfg.stage.get('previous_options', {}))
        path = osp.join(osp.dirname(path), cfg.stage.previous)


def _at(node: Any, words: Sequence[str]) -> Any:
    """What lies at a place of a config; None where there is nothing."""
    for word in words:
        if isinstance(node, (list, tuple)) and word.isdigit():
            node = node[int(word)] if int(word) < len(node) else None
        elif isinstance(node, Mapping):
            node = node.get(word)
        else:
            return None
    return node


def reached(key: str, cfgs: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Which stages an option is for: those that have the part it is of.

    ``model.identity_head.in_channels`` is for the stages with an identity
    head, ``train_dataloader.dataset.clip_length`` for those whose data set
    is of the type that has clips. A part that no stage has is new to all.

    Args:
        key (str): Of the option, with dots.
        cfgs (Sequence[Mapping]): Of the stages.
    """
    *part, last = key.split('.')
    parents = [_at(cfg, part) for cfg in cfgs]
    lists = (list, tuple)
    has = [isinstance(parent, (Mapping, *lists)) for parent in parents]
    if not any(has):
        return [True] * len(cfgs)
    kinds = [
        parent.get('type') if isinstance(parent, Mapping) else None
        for parent in parents
    ]
    known = {
        kind
        for kind, parent, there in zip(kinds, parents, has)
        if there and (isinstance(parent, lists) or last in parent)
    }
    return [
        there and (not known or kind in known)
        for kind, there in zip(kinds, has)
    ]


def with_options(
    stages: Sequence[Stage], options: Mapping[str, Any]
) -> list[Stage]:
    """The stages with the options that are for them.

    Args:
        stages (Sequence[Stage]): As they are without.
        options (Mapping): Values by keys with dots.

    Raises:
        UserError: if a stage cannot take one of its options.
    """
    own: list[dict[str, Any]] = [{} for _ in stages]
    plain = [stage.cfg.to_dict() for stage in stages]
    for key, value in options.items():
        for given, there in zip(own, reached(key, plain)):
            if there:
                given[key] = value
    changed = []
    for stage, given in zip(stages, own):
        if not given:
            changed.append(stage)
            continue
        cfg = copy.deepcopy(stage.cfg)
        try:
            cfg.merge_from_dict(given)
        except (KeyError, TypeError) as error:
            raise UserError(
                f'{stage.path} cannot take {", ".join(given)}: {error.args[0]}'
            ) from error
        changed.append(Stage(stage.path, cfg, True, tuple(given)))
        if any(key.startswith('model.') for key in given):
            check_model(changed[-1])
    return changed


def check_model(stage: Stage) -> None:
    """See that a stage's network can be built and its parts fit together.

    No weights are made for it, unless something fails: some faults are of
    PyTorch's meta device alone, so then it is tried for real.

    Raises:
        UserError: if it cannot; the message names the stage.
    """
    init_default_scope(stage.cfg.get('default_scope', 'mmpose'))
    try:
        try_model(stage.cfg, 'meta')
    except Exception:
        try:
            try_model(stage.cfg, 'cpu')
        except Exception as error:
            reason = ' '.join(str(error.args[0] if error.args else '').split())
            raise UserError(
                f'{stage.path}: its model cannot be run with these options '
                f'({type(error).__name__}: {reason[-300:]}); change with an '
                'option what goes with it (configs/README.md)'
            ) from error


@torch.no_grad()
def try_model(cfg: Config, device: str) -> None:
    """A clip of two frames through the network, without trained weights.

    Args:
        cfg (Config): With a ``RecurrentPoseEstimator``.
        device (str): ``'meta'``: shapes alone.
    """
    settings = copy.deepcopy(cfg.model)
    settings.backbone.pop('init_cfg', None)
    with torch.device(device):
        model = MODELS.build(settings).eval()
        width, height = settings.head.decoder.input_size
        _, identities, _ = model.unroll(torch.zeros(1, 2, 3, height, width))
        if model.identity_head is not None:
            model.identity_head(identities[0])


def last_step(cfg: Config) -> tuple[str, int]:
    """Form of the names of a training's checkpoints, number of the last.

    Args:
        cfg (Config): Of the training, by epochs or by iterations.
    """
    hook = cfg.get('default_hooks', {}).get('checkpoint') or {}
    last = cfg.train_cfg.get('max_epochs')
    # To a hook that counts epochs, a training by iterations is one of them.
    kind, number = 'epoch', last or 1
    if last is None and not hook.get('by_epoch', True):
        kind, number = 'iter', cfg.train_cfg.max_iters
    return str(hook.get('filename_tmpl') or kind + '_{}.pth'), number


def final_checkpoint(cfg: Config, work_dir: str) -> Optional[str]:
    """The last checkpoint of a training; None before it is whole.

    One of a longer training, before its end was set earlier, is one too.
    """
    note = osp.join(work_dir, 'last_checkpoint')
    if not osp.isfile(note):
        return None
    # MMEngine names a checkpoint in it when the file has been written.
    name = osp.basename(Path(note).read_text().strip())
    path = osp.join(work_dir, name)
    form, last = last_step(cfg)
    number = re.fullmatch(re.escape(form).replace(r'\{\}', r'(\d+)'), name)
    done = number is not None and int(number[1]) >= last
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
