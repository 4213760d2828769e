"""What the command lines that start a runner share."""

import argparse
import os
import os.path as osp
import re
import signal
import sys
from contextlib import contextmanager
from typing import Any, Iterator, Optional
from urllib.error import URLError

from mmengine.config import Config, DictAction
from mmengine.fileio import dump

from .env import run_environment
from .errors import UserError
from .io import atomic_write


def existing_config(path: str) -> str:
    """``path`` itself.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(
            f'{path} does not exist; name a config file, for instance '
            'configs/rednet_resnet_300vw.py'
        )
    return path


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """What training and testing have in common, named as in MMPose."""
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
    parser.add_argument('--show-dir', help='draw predictions into this folder')
    parser.add_argument(
        '--show', action='store_true', help='show them in a window'
    )
    parser.add_argument(
        '--interval',
        type=int,
        default=1,
        help='of every n-th frame (in training: batch)',
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
        '--seed', type=int, help='of everything that is drawn at random'
    )
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='the same bits from run to run, on a GPU too; slower there',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how several processes are started',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def run_config(args: argparse.Namespace) -> Config:
    """The config file with the common wishes written into it.

    Args:
        args (Namespace): ``config`` and what :func:`add_run_arguments` adds.

    Raises:
        FileNotFoundError: if there is no such config.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(existing_config(args.config))
    cfg.launcher = args.launcher
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    name = osp.splitext(osp.basename(args.config))[0]
    default = cfg.get('work_dir') or osp.join('work_dirs', name)
    cfg.work_dir = args.work_dir or default
    cfg.run_info = run_environment()
    _set_randomness(cfg, args)
    if args.show or args.show_dir:
        cfg.default_hooks.visualization.update(
            enable=True,
            show=args.show,
            interval=args.interval,
            wait_time=args.wait_time,
            out_dir=osp.abspath(args.show_dir) if args.show_dir else None,
        )
    return cfg


def _set_randomness(cfg: Config, args: argparse.Namespace) -> None:
    """MMEngine's ``randomness``, as the command line wants it."""
    # MMEngine insists on a seed, be it None.
    wishes = {'seed': None, **(cfg.get('randomness') or {})}
    if args.seed is not None:
        wishes['seed'] = args.seed
    if args.deterministic:
        wishes['deterministic'] = True
        # cuBLAS reads it when it is first used.
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    cfg.randomness = wishes


@contextmanager
def report_user_errors(interrupted: str = 'interrupted') -> Iterator[None]:
    """Turn what a user can mend into one sentence and exit status 2.

    Args:
        interrupted (str): What is said on Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        sys.exit(130)
    except URLError as error:
        print(
            f'error: a file cannot be downloaded ({error.reason}); fetch it '
            'elsewhere and name the local copy',
            file=sys.stderr,
        )
        sys.exit(2)
    except (UserError, FileNotFoundError) as error:
        # From a worker of a dataloader the error comes with its trace; the
        # sentence is the last line.
        sentence = str(error).strip().splitlines()[-1]
        sentence = re.sub(r'^[\w.]+Error: ', '', sentence)
        print(f'error: {sentence}', file=sys.stderr)
        sys.exit(2)


@contextmanager
def stop_on_sigterm() -> Iterator[None]:
    """Let SIGTERM, as batch systems send it, act as Ctrl-C does.

    By itself it ends Python without a word, and ``finally`` clauses that
    close a file are not reached.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_suffix(option: str, path: Optional[str], *suffixes: str) -> None:
    """See that an output can be written as its name says, before the work.

    Raises:
        UserError: for another suffix.
    """
    if path and not path.lower().endswith(suffixes):
        raise UserError(
            f'{option} {path}: name a file that ends in '
            + ' or '.join(suffixes)
        )


def check_display(option: str) -> None:
    """See that there is a window to show things in.

    Raises:
        UserError: if there is no display.
    """
    # Without one, OpenCV would end the process.
    if sys.platform == 'linux':
        if not {'DISPLAY', 'WAYLAND_DISPLAY'} & set(os.environ):
            raise UserError(f'{option}: there is no display; name an output')


def atomic_dump(data: Any, path: str) -> None:
    """Write a file with mmengine's dump, complete or not at all."""
    with atomic_write(path) as part:
        dump(data, str(part))
