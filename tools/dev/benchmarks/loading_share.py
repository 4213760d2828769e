"""How long training waits for its data, as Markdown:

python tools/dev/benchmarks/loading_share.py [--config FILE] [--workers 2] \\
    [--batches 30] [--cfg-options KEY=VALUE ...] [--json FILE]

MMEngine's runner trains for some batches and says itself how long it waited
for each (``data_time``) of how long it took (``time``). Beside it, the loader
alone, without a network that wants the same cores: what a GPU could be fed.
The start of the workers and the first batches are not in it.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import asdict
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from origin import Origin
from training_step import add_config_arguments, read_config

from rednet_mm.utils.cli import atomic_dump, check_suffix, report_user_errors

# Batches before the clock counts: workers start, queues fill.
WARM_UP = 5


def shortened(cfg: Config, batches: int, workers: int, folder: str) -> Config:
    """A training of so many batches that keeps nothing."""
    cfg.train_cfg = dict(
        type='IterBasedTrainLoop',
        max_iters=batches,
        val_interval=batches + 1,
    )
    cfg.param_scheduler = None
    for stage in ('val', 'test'):
        for part in ('dataloader', 'cfg', 'evaluator'):
            cfg[f'{stage}_{part}'] = None
    cfg.train_dataloader.num_workers = workers
    cfg.train_dataloader.persistent_workers = False
    cfg.work_dir, cfg.log_level = folder, 'WARNING'
    cfg.default_hooks = dict(checkpoint=None, logger=None)
    cfg.custom_hooks = []
    return cfg


def frames_of(batch: Any) -> int:
    """Frames in a collated batch of still images or clips."""
    return sum(len(each) if each.ndim == 4 else 1 for each in batch['inputs'])


def while_training(cfg: Config) -> tuple[float, float]:
    """Median seconds waited for a batch, and of a whole iteration."""
    runner = Runner.from_cfg(cfg)
    runner.train()
    scalars = runner.message_hub.log_scalars
    waited, whole = (
        statistics.median(scalars[f'train/{name}'].data[0][WARM_UP:])
        for name in ('data_time', 'time')
    )
    return float(waited), float(whole)


def alone(cfg: Config, batches: int) -> tuple[float, float]:
    """Seconds for a batch of the loader by itself, and frames in one."""
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    seconds, frames, start = [], [], time.perf_counter()
    for batch, _ in zip(loader, range(batches)):
        seconds.append(time.perf_counter() - start)
        frames.append(frames_of(batch))
        start = time.perf_counter()
    # Workers hand over their batches in turns: some wait for two.
    kept = slice(min(WARM_UP, len(seconds) - 1), None)
    return statistics.mean(seconds[kept]), statistics.mean(frames[kept])


def measure(cfg: Config, batches: int, workers: int) -> dict[str, float]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = shortened(cfg, batches, workers, folder)
        loading, frames = alone(cfg, batches)
        waited, whole = while_training(cfg)
    return dict(
        frames=frames,
        step=whole,
        waited=waited,
        share=waited / whole,
        trained=frames / whole,
        loaded=frames / loading,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser, 'configs/rednet_r18_ytfaces.py')
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--batches', type=int, default=30)
    parser.add_argument('--json', metavar='FILE', help='also write it here')
    args = parser.parse_args()
    with report_user_errors():
        run(args)


def run(args: argparse.Namespace) -> None:
    check_suffix('--json', args.json, '.json')
    origin = Origin.here()
    row = measure(read_config(args), args.batches, args.workers)
    print(
        f'{origin}. {args.workers} workers, {args.batches} batches.\n\n'
        '| frames a batch | s a step | of it waiting | share | '
        'frames a second trained | the loader alone |\n'
        '|---|---|---|---|---|---|\n'
        '| {frames:.0f} | {step:.2f} | {waited:.3f} | {share:.1%} | '
        '{trained:.1f} | {loaded:.0f} |'.format(**row)
    )
    if args.json:
        atomic_dump(dict(asdict(origin), **row), args.json)


if __name__ == '__main__':
    main()
