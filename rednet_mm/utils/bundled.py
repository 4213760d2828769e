"""What comes with the package beside its code: where it is, copies of it."""

import filecmp
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError
from .io import atomic_write

NAME = 'rednet_r18w32_faces'

# Folders that a working folder has, as the README's commands name them.
FOLDERS = ('configs', 'tools', 'data_converters')

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class BundledModel:
    """Files that any tool or inferencer takes as it takes others.

    Attributes:
        name (str): Of the config, without its suffix.
        config (Path): Config file.
        weights (Path): Its weights, half precision, safetensors.
        card (Path): What they were trained on, how good they are, and what
            they may be used for.
    """

    name: str
    config: Path
    weights: Path
    card: Path


def resources() -> Path:
    """The folder with ``configs/``, ``tools/`` and ``data_converters/``.

    A wheel has it inside the package, as MMPose's own; a checkout is it.

    Raises:
        UserError: if there is none.
    """
    for folder in (PACKAGE / '.mim', PACKAGE.parent):
        if (folder / 'configs' / '_base_' / 'default_runtime.py').is_file():
            return folder
    raise UserError(
        f'{PACKAGE} has no configs beside it; install the package from a '
        'wheel, or with pip install -e from a checkout'
    )


def copy_folders(target: Path) -> int:
    """Copy configs, tools and converters into a working folder.

    What is there already and is the same stays; a copy that was interrupted
    is completed.

    Args:
        target (Path): The folder; it is made where it is missing.

    Returns:
        int: How many files were copied.

    Raises:
        UserError: if a file with other content is there. Nothing is copied
            then, and no file is ever overwritten.
    """
    source = resources()
    wanted = {
        path: target / path.relative_to(source)
        for folder in FOLDERS
        for path in sorted((source / folder).rglob('*'))
        if path.is_file() and '__pycache__' not in path.parts
    }
    there = [path for path, copy in wanted.items() if os.path.lexists(copy)]
    for path in there:
        copy = wanted[path]
        if not copy.is_file() or not filecmp.cmp(path, copy, shallow=False):
            raise UserError(
                f'{copy} is there already and is not the one of this version; '
                'nothing was copied: name another folder, or move it away'
            )
    for path in wanted.keys() - there:
        with atomic_write(wanted[path]) as part:
            shutil.copy(path, part)
    return len(wanted) - len(there)


def bundled_model() -> BundledModel:
    """The small model for CPUs.

    Raises:
        UserError: if its files are not there.
    """
    weights = PACKAGE / 'weights'
    found = BundledModel(
        NAME,
        resources() / 'configs' / f'{NAME}.py',
        weights / f'{NAME}.safetensors',
        weights / 'README.md',
    )
    for path in (found.config, found.weights):
        if not path.is_file():
            raise UserError(f'{path} is missing; install the package again')
    return found
