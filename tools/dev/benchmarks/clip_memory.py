"""Write the peak memory of training steps on clips as Markdown:

python tools/dev/benchmarks/clip_memory.py [--clips 1] [--frames 1 2 4 6]
[--fake]

Without and with activation checkpointing, each in a process of its own: on a
GPU the most that its tensors took, on a CPU the most that was resident, less
what was before the model was built. ``--fake`` also counts the bytes of all
tensors, on fake ones that take no memory, so that a step can be counted that
does not fit the machine.
"""

import argparse
import sys
import warnings
import weakref
from dataclasses import asdict
from typing import Any, Optional, Sequence

import torch
from lines import line_through
from mmengine.config import Config
from origin import Origin
from own_process import apart, resident
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary
from training_step import (
    TrainingStep,
    add_config_arguments,
    default_device,
    read_config,
)

from rednet_mm.utils.cli import atomic_dump, check_suffix, report_user_errors
from rednet_mm.utils.errors import UserError

MODES = ('plain', 'with_cp')

# The optimizer's momentum is there from the second step on.
STEPS = 2

GB = 1e9


class StorageCounter(TorchDispatchMode):
    """Counts the bytes of all tensors made under it that are still alive.

    What an operator takes and gives back while it runs (cuDNN's workspace)
    is not seen. torch's own MemTracker would say to which part of the model
    the bytes belong, but refuses modules that are called more than once.

    Attributes:
        peak (int): The most bytes there have been.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self._add(leaf.untyped_storage())
        self.peak = max(self.peak, self.alive)
        return out

    def _add(self, storage: Any) -> None:
        if storage not in self._known:
            self._known[storage] = None
            self.alive += storage.nbytes()
            weakref.finalize(storage, self._remove, storage.nbytes())

    def _remove(self, size: int) -> None:
        self.alive -= size


def config_of(args: argparse.Namespace, mode: str) -> Config:
    """The config with or without activation checkpointing."""
    cfg = read_config(args)
    cfg.model.backbone.with_cp = mode == 'with_cp'
    return cfg


def count(cfg: Config, clips: int, frames: int) -> int:
    """Bytes of all tensors of a step at its peak, on fake tensors."""
    # Clipping wants the size of the gradients, which fake ones do not have.
    cfg.optim_wrapper.clip_grad = None
    counter = StorageCounter()
    with FakeTensorMode(), counter, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        step = TrainingStep(cfg, clips, frames, 'cpu')
        for _ in range(STEPS):
            step()
    return counter.peak


def measure(args: argparse.Namespace, mode: str, frames: int) -> int:
    """Bytes that a step takes at its peak; for a process without a past."""
    cfg, device = config_of(args, mode), default_device()
    before = resident('VmRSS') if device == 'cpu' else 0
    step = TrainingStep(cfg, args.clips, frames, device)
    for _ in range(STEPS):
        step()
    if device == 'cpu':
        return resident('VmHWM') - before
    return torch.cuda.max_memory_allocated()


def collect(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a mode and step, the target's among them."""
    b, t = args.target
    rows: list[dict[str, Any]] = []
    for mode in args.modes:
        for frames in args.frames:
            tell(f'{mode}: {args.clips} x {frames} frames')
            size = apart(measure, args, mode, frames)
            if size is None:
                tell('  does not fit this machine')
            rows.append(
                dict(mode=mode, clips=args.clips, frames=frames, measured=size)
            )
        if b != args.clips or t not in args.frames:
            rows.append(dict(mode=mode, clips=b, frames=t, measured=None))
    for row in rows if args.fake else ():
        tell(f'{row["mode"]}: counting {row["clips"]} x {row["frames"]}')
        cfg = config_of(args, row['mode'])
        row['counted'] = count(cfg, row['clips'], row['frames'])
    return rows


def tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def fit(
    rows: Sequence[dict[str, Any]], target: int
) -> Optional[tuple[float, float]]:
    """The straight line through what was measured of smaller steps.

    Args:
        rows (Sequence[dict]): Of one mode.
        target (int): Frames of the step that the line is to foretell; as
            many or more do not take part.

    Returns:
        tuple: Bytes at no frame, bytes a frame; None where fewer than three
        sizes were measured, through which a line says nothing.
    """
    points = {
        row['clips'] * row['frames']: row['measured']
        for row in rows
        if row['measured'] and row['clips'] * row['frames'] < target
    }
    if len(points) < 3:
        return None
    line = line_through(list(points), list(points.values()))
    return line.start, line.slope


def in_gb(size: Optional[float]) -> str:
    return '-' if size is None else f'{size / GB:.2f}'


def as_markdown(
    rows: Sequence[dict[str, Any]], target: tuple[int, int], about: str
) -> str:
    """The table, the lines, and how they were made.

    Args:
        rows (Sequence[dict]): Of :func:`collect`.
        target (tuple[int]): B and T of the step that is asked for.
        about (str): Command, commit and machine.
    """
    b, t = target
    cells = [
        [
            row['mode'],
            f'{row["clips"]} x {row["frames"]}',
            in_gb(row['measured']),
            in_gb(row.get('counted')),
        ]
        for row in rows
    ]
    sentences = []
    for mode in dict.fromkeys(row['mode'] for row in rows):
        own = [row for row in rows if row['mode'] == mode]
        line = fit(own, b * t)
        if line is None:
            sentences.append(
                f'* {mode}: fewer than three sizes below {b} x {t} frames '
                'were measured, too few for a line; name more with --frames.'
            )
            continue
        start, slope = line
        sentences.append(
            f'* {mode}: {in_gb(start)} GB and {slope / GB:.3f} GB a frame, '
            f'so {in_gb(start + b * t * slope)} GB for {b} x {t} frames.'
        )
    head = ['mode', 'clips x frames', 'measured, GB', 'counted, GB']
    table = [head, ['---'] * len(head), *cells]
    lines = [about, '', *(f'| {" | ".join(each)} |' for each in table), '']
    if any(row['measured'] for row in rows):
        lines += [
            'Straight lines (least squares) through what was measured below '
            f'{b} x {t} frames:',
            '',
            *sentences,
            '',
        ]
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser, 'configs/rednet_resnet_300vw.py')
    parser.add_argument('--clips', type=int, default=1, help='B')
    parser.add_argument(
        '--frames',
        type=int,
        nargs='*',
        default=[1, 2, 4, 6],
        help='T of each step that is measured; may be none with --fake',
    )
    parser.add_argument('--modes', nargs='+', choices=MODES, default=MODES)
    parser.add_argument(
        '--target',
        type=int,
        nargs=2,
        default=(5, 10),
        metavar=('B', 'T'),
        help='the step whose memory is asked for',
    )
    parser.add_argument(
        '--fake', action='store_true', help='also count, on fake tensors'
    )
    parser.add_argument('--json', metavar='FILE', help='also write it here')
    args = parser.parse_args()
    args.target = tuple(args.target)
    with report_user_errors():
        run(args)


def run(args: argparse.Namespace) -> None:
    check_suffix('--json', args.json, '.json')
    if not args.frames and not args.fake:
        raise UserError(
            'nothing to measure: name lengths with --frames, or count with '
            '--fake'
        )
    width, height = read_config(args).codec.input_size
    origin = Origin.here()
    about = f'{origin}. Input {width} x {height}, float32; GB are 10^9 bytes.'
    rows = collect(args)
    print(as_markdown(rows, args.target, about), end='')
    if args.json:
        atomic_dump(dict(asdict(origin), rows=rows), args.json)


if __name__ == '__main__':
    main()
