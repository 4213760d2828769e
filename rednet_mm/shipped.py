"""The model that comes with the package: where its files are."""

from dataclasses import dataclass
from pathlib import Path

from rednet_mm.errors import UserError

NAME = 'rednet_r18w32_faces'

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class ShippedModel:
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
    """The folder with ``configs/`` and ``tools/``.

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


def shipped_model() -> ShippedModel:
    """The small model for CPUs.

    Raises:
        UserError: if its files are not there.
    """
    weights = PACKAGE / 'weights'
    found = ShippedModel(
        NAME,
        resources() / 'configs' / f'{NAME}.py',
        weights / f'{NAME}.safetensors',
        weights / 'README.md',
    )
    for path in (found.config, found.weights):
        if not path.is_file():
            raise UserError(f'{path} is missing; install the package again')
    return found
