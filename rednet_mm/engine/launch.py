"""What the command lines that start a runner share."""

import os
import os.path as osp
import pickle
import platform
import subprocess
import sys
from contextlib import contextmanager
from typing import Any, Iterator, Optional

import torch
from mmengine.config import Config
from mmengine.fileio import dump
from mmengine.model import is_model_wrapper
from torch import nn

# Errors whose message already is one clear sentence for the user.
USER_ERRORS = (FileNotFoundError, ValueError)

# What torch.load raises over a file that is cut short, damaged, or asks for
# something that is not on the allow-list.
UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


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


def work_dir_of(cfg: Config, config_path: str, wish: Optional[str]) -> str:
    """The wish, else what the config says, else work_dirs/CONFIG_NAME."""
    if wish:
        return wish
    name = osp.splitext(osp.basename(config_path))[0]
    return cfg.get('work_dir') or osp.join('work_dirs', name)


def describe_run() -> dict[str, str]:
    """Where a run comes from: commit, machine, versions.

    It goes into the config, and with the config into every checkpoint.
    """
    root = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))
    git = ['git', '-C', root]
    commit = _output([*git, 'rev-parse', '--short', 'HEAD'])
    if commit and _output([*git, 'status', '--porcelain']):
        commit += ' with changes'
    return dict(
        commit=commit or 'not in a git checkout',
        processor=_processor(),
        threads=str(torch.get_num_threads()),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else '-',
        python=platform.python_version(),
        torch=torch.__version__,
    )


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''


def _processor() -> str:
    try:
        with open('/proc/cpuinfo') as lines:
            for line in lines:
                if line.startswith('model name'):
                    return line.split(':', 1)[1].strip()
    except FileNotFoundError:
        pass
    return platform.processor() or platform.machine()


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Turn what a user can mend into one sentence and exit status 2."""
    try:
        yield
    except KeyboardInterrupt:
        print('interrupted; --resume goes on from here', file=sys.stderr)
        sys.exit(130)
    except USER_ERRORS as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)


def check_checkpoint(model: nn.Module, path: str) -> None:
    """See that a checkpoint is whole and made for this model.

    Weights that only training needs (the identity head's) may be missing or
    of another size.

    Args:
        model (nn.Module): The model that will load it.
        path (str): The checkpoint, a local file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or lacks weights of the model.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(
            f'{path} does not exist; name a checkpoint that tools/train.py '
            'wrote'
        )
    try:
        loaded = torch.load(path, map_location='cpu', weights_only=True)
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'{path} is not a whole checkpoint, or holds more than weights '
            f'({reason}); use another copy of it'
        ) from error
    if not isinstance(loaded, dict):
        raise ValueError(
            f'{path} holds a {type(loaded).__name__}, not weights; name a '
            'checkpoint that tools/train.py wrote'
        )
    weights = loaded.get('state_dict', loaded)
    network: Any = model.module if is_model_wrapper(model) else model
    unfit = [
        name
        for name, value in network.named_parameters()
        if not name.startswith('identity_head.')
        and (name not in weights or weights[name].shape != value.shape)
    ]
    if unfit:
        raise ValueError(
            f'{path} does not fit the config: {len(unfit)} weights are '
            f'missing or of another shape, for instance {unfit[0]}; use the '
            'config it was trained with'
        )


def dump_whole(data: Any, path: str) -> None:
    """Write a file with mmengine's dump, whole or not at all."""
    stem, suffix = osp.splitext(path)
    os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
    dump(data, f'{stem}.part{suffix}')
    os.replace(f'{stem}.part{suffix}', path)
