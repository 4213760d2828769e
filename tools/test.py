"""Measure a checkpoint: python tools/test.py CONFIG CHECKPOINT [options]."""

import argparse
import os
import os.path as osp

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from rednet_mm.checkpoint_safety import check_checkpoint
from rednet_mm.engine.launch import (
    check_suffix,
    describe_run,
    dump_whole,
    existing_config,
    one_sentence_errors,
    work_dir_of,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure a checkpoint')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='where logs go')
    parser.add_argument('--out', help='save the figures here (.json, .yml)')
    parser.add_argument(
        '--dump', help='save all predictions here (.pkl), for later figures'
    )
    parser.add_argument(
        '--show-dir', help='draw the predictions into this folder'
    )
    parser.add_argument(
        '--show', action='store_true', help='show them in a window'
    )
    parser.add_argument(
        '--interval', type=int, default=1, help='draw every n-th frame'
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
    check_suffix('--dump', args.dump, '.pkl', '.pickle')
    check_suffix('--out', args.out, '.json', '.yml', '.yaml', '.pkl')
    cfg = Config.fromfile(existing_config(args.config))
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.work_dir = work_dir_of(cfg, args.config, args.work_dir)
    cfg.run_info = describe_run()
    if args.show or args.show_dir:
        cfg.default_hooks.visualization.update(
            enable=True,
            show=args.show,
            interval=args.interval,
            wait_time=args.wait_time,
            out_dir=osp.abspath(args.show_dir) if args.show_dir else None,
        )
    if args.dump:
        evaluators = cfg.test_evaluator
        if not isinstance(evaluators, (list, tuple)):
            evaluators = [evaluators]
        dump = dict(type='DumpResults', out_file_path=args.dump)
        cfg.test_evaluator = [*evaluators, dump]
    return cfg


def print_table(metrics: dict[str, float]) -> None:
    """The figures as lines a person can read."""
    width = max(map(len, metrics))
    print(f'\n{"figure":<{width}}  value')
    for name, value in metrics.items():
        print(f'{name:<{width}}  {value:.3f}')


def main() -> None:
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with one_sentence_errors():
        runner = Runner.from_cfg(build_config(args))
        if '://' not in args.checkpoint:
            check_checkpoint(runner.model, args.checkpoint)
        metrics = runner.test()
        if runner.rank == 0:
            print_table(metrics)
            if args.out:
                dump_whole(metrics, args.out)


if __name__ == '__main__':
    main()
