"""Time and peak memory of a training step on clips:

python tools/dev/benchmarks/clip_step.py [--clips 5] [--frames 10] [--config
FILE]
"""

import argparse
import resource
import statistics
import time

import torch
from training_step import (
    TrainingStep,
    add_config_arguments,
    default_device,
    read_config,
)

from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.env import run_environment


def peak_gib() -> float:
    """The most memory the process has had, of the GPU where one is used."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser, 'configs/rednet_r18_ytfaces.py')
    parser.add_argument('--clips', type=int, default=5, help='B')
    parser.add_argument('--frames', type=int, default=10, help='T')
    parser.add_argument('--repeats', type=int, default=3)
    args = parser.parse_args()
    with report_user_errors():
        run(args)


def run(args: argparse.Namespace) -> None:
    cfg, device = read_config(args), default_device()
    step = TrainingStep(cfg, args.clips, args.frames, device)
    before, seconds = peak_gib(), []
    for _ in range(args.repeats + 1):
        start = time.perf_counter()
        step()
        if device == 'cuda':
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    about = ', '.join(f'{k} {v}' for k, v in run_environment().items())
    median = statistics.median(seconds[1:])
    width, height = cfg.codec.input_size
    print(f'{args.config}, {args.clips} clips x {args.frames} frames of')
    print(f'{width}x{height}; {about}')
    print(
        f'median of {args.repeats} steps after one: {median:.2f} s, ', end=''
    )
    print(f'{args.clips * args.frames / median:.1f} frames a second')
    print(f'peak memory {peak_gib():.2f} GiB, {before:.2f} before the first')


if __name__ == '__main__':
    main()
