"""Train a model: python tools/train.py CONFIG [options]."""

import argparse

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from rednet_mm.checkpoint_safety import read_checkpoint
from rednet_mm.engine.launch import (
    add_run_arguments,
    one_sentence_errors,
    run_config,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a landmark model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint; without a path, from the latest '
        'in the work dir',
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
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if cfg.load_from and '://' not in cfg.load_from:
        read_checkpoint(cfg.load_from)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.default_hooks.checkpoint.pop('save_best', None)
    if args.auto_scale_lr:
        cfg.setdefault('auto_scale_lr', {})
        cfg.auto_scale_lr['enable'] = True
    return cfg


def main() -> None:
    args = parse_args()
    with one_sentence_errors('interrupted; --resume goes on from here'):
        Runner.from_cfg(build_config(args)).train()


if __name__ == '__main__':
    main()
