"""Measure a checkpoint: python tools/test.py CONFIG CHECKPOINT [options]."""

import argparse

from mmengine.config import Config
from mmengine.runner import Runner

from rednet_mm.checkpoint_safety import check_checkpoint
from rednet_mm.engine.launch import (
    add_run_arguments,
    check_suffix,
    dump_whole,
    one_sentence_errors,
    run_config,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure a checkpoint')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='save the figures here (.json, .yml)')
    parser.add_argument(
        '--dump', help='save all predictions here (.pkl), for later figures'
    )
    add_run_arguments(parser)
    return parser.parse_args()


def build_config(args: argparse.Namespace) -> Config:
    """The config file with the command line's wishes written into it."""
    check_suffix('--dump', args.dump, '.pkl', '.pickle')
    check_suffix('--out', args.out, '.json', '.yml', '.yaml', '.pkl')
    cfg = run_config(args)
    cfg.load_from = args.checkpoint
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
    with one_sentence_errors():
        runner = Runner.from_cfg(build_config(args))
        check_checkpoint(runner.model, args.checkpoint)
        metrics = runner.test()
        if runner.rank == 0:
            print_table(metrics)
            if args.out:
                dump_whole(metrics, args.out)


if __name__ == '__main__':
    main()
