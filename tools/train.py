"""Train a model: python tools/train.py CONFIG [options]."""

import argparse
from typing import Optional

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from rednet_mm.engine.hooks.checkpoint_hook import latest_complete_checkpoint
from rednet_mm.engine.processes import prepare_processes
from rednet_mm.utils.checkpoint import check_checkpoint
from rednet_mm.utils.cli import (
    add_run_arguments,
    report_user_errors,
    run_config,
)
from rednet_mm.utils.memory import keep_freed_memory


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a landmark model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint; without a path, from the latest '
        'in the work dir, if there is one',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 on a GPU, bfloat16 on a CPU',
    )
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='no validation during the training',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the actual batch size',
    )
    add_run_arguments(parser)
    return parser.parse_args()


def build_config(args: argparse.Namespace) -> Config:
    """The config file with the command line's wishes written into it."""
    cfg = run_config(args)
    if args.amp:
        cfg.optim_wrapper.type = (
            'AmpOptimWrapper'
            if torch.cuda.is_available()
            else 'BFloat16OptimWrapper'
        )
    _choose_start(cfg, args.resume)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.default_hooks.checkpoint.pop('save_best', None)
    if args.auto_scale_lr:
        cfg.setdefault('auto_scale_lr', {})
        cfg.auto_scale_lr['enable'] = True
    return cfg


def _choose_start(cfg: Config, resume: Optional[str]) -> None:
    """Decide which checkpoint the training goes on from, if any.

    A run that was stopped before its first checkpoint has nothing to resume:
    it starts as it did, from ``load_from`` or from the beginning.
    """
    if resume and resume != 'auto':
        cfg.resume, cfg.load_from = True, resume
    elif resume or (cfg.get('resume') and not cfg.load_from):
        latest = latest_complete_checkpoint(cfg.work_dir)
        cfg.resume = latest is not None
        cfg.load_from = latest or cfg.load_from
    if cfg.load_from and 'init_cfg' in cfg.model.backbone:
        # The checkpoint brings the encoder too: weights that it would
        # overwrite at once need not be fetched.
        cfg.model.backbone.init_cfg = None


def main() -> None:
    args = parse_args()
    with report_user_errors('interrupted; --resume goes on from here'):
        keep_freed_memory()
        cfg = build_config(args)
        prepare_processes(cfg)
        runner = Runner.from_cfg(cfg)
        if cfg.load_from:
            purpose = 'resume' if cfg.resume else 'load'
            check_checkpoint(runner.model, cfg.load_from, purpose)
        runner.train()


if __name__ == '__main__':
    main()
