"""Train by one process and by several, write how far apart they come out:

python tools/dev/benchmarks/scale_out.py [--processes 2] [--epochs 1]

The same config, seed and whole batch, by tools/train.py and by
tools/dist_train.sh; with the batch norms of all processes together
(``sync_norm``) and with those of each alone. Nothing is drawn at random that
would differ between processes: there is no augmentation and no dropout. What
is left is the order in which numbers are added, which a training makes more of
from step to step. How much, one process shows whose weights are nudged at the
start by about what float32 rounds off.
"""

import argparse
import copy
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from loss_curve import LossCurveHook
from mmengine.config import Config
from origin import Origin
from torch import Tensor
from tqdm import tqdm
from training_step import add_config_arguments, read_config

from rednet_mm.engine.stages import child_environment
from rednet_mm.utils.checkpoint import read_checkpoint, state_dict_of
from rednet_mm.utils.cli import atomic_dump, check_suffix, report_user_errors
from rednet_mm.utils.errors import UserError

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parents[1]
CONFIG = 'configs/rednet_r18_tiny300vw.py'
NUDGE = 1e-7


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Args:
        losses (list[float]): Of each iteration, the mean over processes.
        start (dict[str, Tensor]): What it began with.
        end (dict[str, Tensor]): What came out.
    """

    losses: list[float]
    start: Mapping[str, Tensor]
    end: Mapping[str, Tensor]


def without_chance(cfg: Config, epochs: int, nudge: float = 0.0) -> Config:
    """The config without what one process draws and another does not."""
    cfg = copy.deepcopy(cfg)
    data = cfg.train_dataloader.dataset
    drawn = [step for step in data.pipeline if step.type == 'GenerateTarget']
    *seen, packed = cfg.val_dataloader.dataset.pipeline
    data.pipeline = [*seen, *drawn, packed]
    if cfg.model.get('identity_head'):
        cfg.model.identity_head.dropout = 0.0
    cfg.train_dataloader.num_workers = 0
    cfg.train_cfg.max_epochs = epochs
    imports = [*cfg.custom_imports.imports, LossCurveHook.__module__]
    cfg.custom_imports = dict(imports=imports, allow_failed_imports=False)
    cfg.custom_hooks = [
        *cfg.get('custom_hooks', []),
        dict(type=LossCurveHook.__name__, nudge=nudge),
    ]
    return cfg


def shared(cfg: Config, processes: int, sync: bool) -> Config:
    """The config with its batch shared between the processes.

    Args:
        cfg (Config): Of one process.
        processes (int): How many.
        sync (bool): ``sync_norm`` of backbone and neck.

    Raises:
        UserError: if the batch cannot be shared.
    """
    cfg = copy.deepcopy(cfg)
    loader = cfg.train_dataloader
    if loader.batch_size % processes:
        raise UserError(
            f'a batch of {loader.batch_size} cannot be shared between '
            f'{processes} processes; change train_dataloader.batch_size'
        )
    loader.batch_size //= processes
    for part in filter(None, (cfg.model.backbone, cfg.model.get('neck'))):
        part.sync_norm = sync
    return cfg


def train(cfg: Config, folder: Path, processes: int) -> Trained:
    """Train as a user would.

    Args:
        cfg (Config): Of :func:`shared`.
        folder (Path): New; gets all files.
        processes (int): How many.

    Raises:
        UserError: if the training fails.
    """
    folder.mkdir(parents=True)
    config = folder / 'config.py'
    cfg.dump(str(config))
    command = [sys.executable, str(TOOLS / 'train.py'), str(config)]
    if processes > 1:
        script = str(TOOLS / 'dist_train.sh')
        command = ['bash', script, str(config), str(processes)]
    command += ['--no-validate', '--work-dir', str(folder)]
    with open(folder / 'log', 'w') as log:
        done = subprocess.run(
            command, stdout=log, stderr=log, env=_environment(), check=False
        )
    if done.returncode:
        tail = (folder / 'log').read_text()[-2000:]
        print(tail, file=sys.stderr)
        raise UserError(
            f'{shlex.join(command)} ended with an error, see above'
        )
    return read(folder)


def read(folder: Path) -> Trained:
    """What a training has left in its work dir."""
    last = (folder / 'last_checkpoint').read_text()
    return Trained(
        json.loads((folder / 'losses.json').read_text()),
        torch.load(folder / 'start.pth', weights_only=True),
        state_dict_of(read_checkpoint(last)),
    )


def _environment() -> dict[str, str]:
    """Of a training: this Python, these sources, a port that is free."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    paths = [str(TOOLS.parent), str(HERE), os.environ.get('PYTHONPATH')]
    return dict(
        child_environment(),
        PYTHONPATH=os.pathsep.join(filter(None, paths)),
        PORT=str(port),
        # As torchrun sets it, so that all add in the same order.
        OMP_NUM_THREADS='1',
    )


def apart(one: Trained, other: Trained) -> dict[str, float]:
    """How far two trainings came apart, as shares.

    Returns:
        dict[str, float]: ``first_loss`` and ``loss``, the difference of the
        losses of the first and of the worst iteration, as a share of the
        loss; ``weights`` and ``statistics`` (running ones), the length of
        the difference at the end as a share of the way from the start.
    """
    assert len(one.losses) == len(other.losses)
    shares = [abs(b - a) / abs(a) for a, b in zip(one.losses, other.losses)]
    metrics = dict(first_loss=shares[0], loss=max(shares))
    running = {name for name in one.end if '.running_' in name}
    for kind, names in (
        ('weights', one.end.keys() - running),
        ('statistics', running),
    ):
        between, way = (
            sum((a[k].double() - b[k].double()).square().sum() for k in names)
            for a, b in ((other.end, one.end), (one.end, one.start))
        )
        metrics[kind] = float((between / way) ** 0.5)
    return metrics


def collect(
    cfg: Config, processes: int, epochs: int
) -> tuple[Trained, dict[str, dict[str, float]]]:
    """Train four times.

    Returns:
        tuple: What one process trained, and how far from it the others
        came out, by the name of the row.
    """
    ways = {
        'one': (1, False, 0.0),
        f'one process, nudged by {NUDGE:.0e}': (1, False, NUDGE),
        f'{processes} processes, `sync_norm`': (processes, True, 0.0),
        f'{processes} processes': (processes, False, 0.0),
    }
    with tempfile.TemporaryDirectory() as folder:
        trained = {
            name: train(
                shared(without_chance(cfg, epochs, nudge), number, sync),
                Path(folder) / str(place),
                number,
            )
            for place, (name, (number, sync, nudge)) in enumerate(
                tqdm(ways.items(), 'trainings', disable=None)
            )
        }
    one = trained.pop('one')
    return one, {name: apart(one, each) for name, each in trained.items()}


def as_markdown(
    one: Trained, rows: Mapping[str, Mapping[str, float]], about: str
) -> str:
    """The table and how it was made."""
    lines = [
        f'{about} {len(one.losses)} iterations; the loss of one process went '
        f'from {one.losses[0]:.4f} to {one.losses[-1]:.4f}.',
        '',
        '| beside one process | loss, first iteration | loss, worst iteration '
        '| weights | running statistics |',
        '|---|---|---|---|---|',
    ]
    for name, row in rows.items():
        cells = ' | '.join(f'{value:.1e}' for value in row.values())
        lines.append(f'| {name} | {cells} |')
    return '\n'.join(lines)


def run(args: argparse.Namespace) -> None:
    check_suffix('--json', args.json, '.json')
    cfg, origin = read_config(args), Origin.here()
    batch = cfg.train_dataloader.batch_size
    one, rows = collect(cfg, args.processes, args.epochs)
    print(as_markdown(one, rows, f'{origin}. A whole batch of {batch};'))
    if args.json:
        content = dict(asdict(origin), losses=one.losses, rows=rows)
        atomic_dump(content, args.json)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser, CONFIG)
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--epochs', type=int, default=1)
    parser.add_argument('--json', metavar='FILE', help='also write it here')
    args = parser.parse_args()
    with report_user_errors():
        run(args)


if __name__ == '__main__':
    main()
