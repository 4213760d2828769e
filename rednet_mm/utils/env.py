"""Where weights, metrics and predictions come from."""

import os.path as osp
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from rednet_mm.version import __version__

# Whose versions decide what a run gives, as pip names them.
PACKAGES = (
    'torchvision',
    'numpy',
    'opencv-python',
    'mmengine',
    'mmcv',
    'mmdet',
    'mmpose',
)


def run_environment() -> dict[str, str]:
    """Where a run comes from: commit, machine, versions.

    It goes into every checkpoint and beside every value.

    Returns:
        dict[str, str]: ``commit``, ``processor``, ``threads``, ``gpu``,
        ``python``, ``torch``, ``rednet_mm`` and :data:`PACKAGES`; ``-``
        where there is none.
    """
    root = str(Path(__file__).resolve().parents[2])
    git = ['git', '-C', root]
    commit = ''
    # Not the commit of a repository that an environment happens to lie in.
    if osp.isfile(osp.join(root, 'setup.py')):
        commit = _output([*git, 'rev-parse', '--short', 'HEAD'])
    if commit and _output([*git, 'status', '--porcelain']):
        commit += ' with changes'
    return dict(
        commit=commit or 'not in a git checkout',
        processor=_processor(),
        threads=str(torch.get_num_threads()),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else '-',
        python=platform.python_version(),
        # A class of torch's own, which a checkpoint must not hold.
        torch=str(torch.__version__),
        rednet_mm=__version__,
        **{name: _version(name) for name in PACKAGES},
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return '-'


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
