"""Train a model: python tools/train.py CONFIG [options]."""

import argparse
import os
import os.path as osp

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from rednet_mm.checkpoint_safety import read_checkpoint
from rednet_mm.engine.launch import (
    describe_run,
    existing_config,
    one_sentence_errors,
    work_dir_of,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a landmark model')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
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
    parser.add_argument(
        '--show-dir', help='draw predictions of each validation here'
    )
    parser.add_argument(
        '--show', action='store_true', help='show them in a window'
    )
    parser.add_argument(
        '--interval', type=int, default=1, help='of every n-th batch'
    )
    parser.add_argument(
        '--wait-time', type=float, default=1, help='seconds a window stays'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings to override, key=value',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how several processes are started',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def build_config(args: argparse.Namespace) -> Config:
    """The config file with the command line's wishes written into it."""
    import torch

    cfg = Config.fromfile(existing_config(args.config))
    cfg.launcher = args.launcher
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.work_dir = work_dir_of(cfg, args.config, args.work_dir)
    cfg.run_info = describe_run()
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
    if args.show or args.show_dir:
        cfg.default_hooks.visualization.update(
            enable=True,
            show=args.show,
            interval=args.interval,
            wait_time=args.wait_time,
            out_dir=osp.abspath(args.show_dir) if args.show_dir else None,
        )
    return cfg


def main() -> None:
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with one_sentence_errors('interrupted; --resume goes on from here'):
        Runner.from_cfg(build_config(args)).train()


if __name__ == '__main__':
    main()
