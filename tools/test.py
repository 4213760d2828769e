"""Measure a checkpoint: python tools/test.py CONFIG CHECKPOINT [options]."""

import argparse
import hashlib
import os.path as osp

from mmengine.config import Config
from mmengine.runner import Runner

from rednet_mm.engine.processes import prepare_processes
from rednet_mm.evaluation.dumps import SUFFIXES
from rednet_mm.utils.checkpoint import check_checkpoint
from rednet_mm.utils.cli import (
    add_run_arguments,
    atomic_dump,
    check_suffix,
    report_user_errors,
    run_config,
)
from rednet_mm.utils.memory import keep_freed_memory


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure a checkpoint')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='save the metrics here (.json, .yml)')
    parser.add_argument(
        '--dump',
        help='save all predictions here, for tools/evaluate.py (.npz, or '
        ".pkl as MMEngine's)",
    )
    parser.add_argument(
        '--boxes',
        choices=('truth', 'tracking'),
        default='truth',
        help="where a video's boxes come from: the annotations, or the "
        'landmarks of the frame before',
    )
    add_run_arguments(parser)
    return parser.parse_args()


def build_config(args: argparse.Namespace) -> Config:
    """The config file with the command line's wishes written into it."""
    check_suffix('--dump', args.dump, *SUFFIXES)
    check_suffix('--out', args.out, '.json', '.yml', '.yaml', '.pkl')
    cfg = run_config(args)
    cfg.load_from = args.checkpoint
    evaluators = cfg.test_evaluator
    if not isinstance(evaluators, (list, tuple)):
        evaluators = [evaluators]
    if args.boxes == 'tracking':
        cfg.test_cfg = dict(type='TrackingTestLoop')
        for evaluator in evaluators:
            if evaluator.type == 'FaceLandmarkMetric':
                evaluator.boxes = args.boxes
    if args.dump:
        dump = dict(
            type='DumpPredictions',
            out_file_path=args.dump,
            provenance=provenance(args, cfg),
        )
        evaluators = [*evaluators, dump]
    cfg.test_evaluator = evaluators
    return cfg


def provenance(args: argparse.Namespace, cfg: Config) -> dict[str, str]:
    """What predictions come from."""
    digest = ''
    if osp.isfile(args.checkpoint):
        with open(args.checkpoint, 'rb') as stream:
            digest = hashlib.file_digest(stream, 'sha256').hexdigest()[:12]
    data = cfg.test_dataloader.dataset
    files = [
        osp.join(part.get('data_root') or '', part.get('ann_file', ''))
        for part in data.get('datasets') or [data]
    ]
    return dict(
        config=args.config,
        checkpoint=args.checkpoint,
        checkpoint_sha256=digest,
        data=', '.join(files),
        boxes=args.boxes,
        seed=str(cfg.get('randomness', {}).get('seed')),
        options=str(args.cfg_options or {}),
        **cfg.run_info,
    )


def print_table(metrics: dict[str, float]) -> None:
    """The metrics as lines a person can read."""
    width = max(map(len, metrics))
    print(f'\n{"metric":<{width}}  value')
    for name, value in metrics.items():
        print(f'{name:<{width}}  {value:.3f}')


def main() -> None:
    args = parse_args()
    with report_user_errors():
        cfg = build_config(args)
        keep_freed_memory()
        prepare_processes(cfg)
        runner = Runner.from_cfg(cfg)
        check_checkpoint(runner.model, args.checkpoint)
        metrics = runner.test()
        if runner.rank == 0:
            print_table(metrics)
            if args.out:
                about = provenance(args, cfg)
                atomic_dump(dict(metrics, provenance=about), args.out)


if __name__ == '__main__':
    main()
