"""What is on disk after a kill: is it whole, and is it the same?"""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import torch

# The converters are not installed: they lie beside the tools.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from data_converters.frames import is_complete_jpeg
from rednet_mm.apis import read_frames
from rednet_mm.evaluation import read_dump
from rednet_mm.utils.checkpoint import read_checkpoint
from rednet_mm.utils.errors import UserError

# What two trainings that end the same have in common, to the bit.
STATES = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')


def is_part(path: Path, folder: Path) -> bool:
    """Whether a file's name says that it is not finished.

    MMEngine's note of the last checkpoint, which has one name only, is
    unfinished while it is empty.
    """
    if path.name == 'last_checkpoint':
        return not path.stat().st_size
    return any('.part' in name for name in path.relative_to(folder).parts)


def files_in(folder: Path) -> Iterator[Path]:
    """The files that pass for finished, by name."""
    for path in sorted(folder.rglob('*')):
        if path.is_file() and not is_part(path, folder):
            yield path


def count_parts(folder: Path, since: float = 0.0) -> int:
    """How many unfinished files there are.

    Args:
        folder (Path): Where. It may change meanwhile.
        since (float): Only those that were written to after this time.
    """
    # What is there now may have been renamed or removed in a moment: unlike
    # rglob, walk does not mind.
    count = 0
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names):
            with suppress(FileNotFoundError):
                if is_part(path, folder):
                    count += path.stat().st_mtime > since
    return count


def faults_in(folder: Path) -> list[str]:
    """What is wrong with the finished files of a folder, a sentence each."""
    faults = []
    for path in files_in(folder):
        key = path.name if path.name == 'last_checkpoint' else path.suffix
        try:
            CHECKS.get(key, _anything)(path)
        except (OSError, UserError, ValueError, LookupError) as error:
            faults.append(f'{path}: {error}')
    return faults


def _anything(path: Path) -> None:
    """Logs: a line that breaks off is no loss."""


def _note(path: Path) -> None:
    if not Path(path.read_text()).is_file():
        raise ValueError(f'names {path.read_text()}, which is not there')


def _checkpoint(path: Path) -> None:
    read_checkpoint(str(path))


def _dump(path: Path) -> None:
    read_dump(str(path))


def _json(path: Path) -> None:
    text = path.read_text()
    if path.parent.name == 'vis_data':
        # MMEngine's logs: a record a line, the last may be on its way.
        for line in text.split('\n')[:-1]:
            json.loads(line)
        return
    content = json.loads(text)
    if isinstance(content, dict) and 'annotations' in content:
        for image in content['images']:
            if not (path.parents[1] / image['file_name']).is_file():
                raise ValueError(f'{image["file_name"]} is not there')


def _csv(path: Path) -> None:
    with path.open(newline='') as stream:
        lengths = {len(row) for row in csv.reader(stream)}
    if len(lengths) != 1:
        raise ValueError(f'has rows of {sorted(lengths)} cells')


def _video(path: Path) -> None:
    with read_frames(str(path)) as reader:
        frames = sum(1 for _ in reader)
        if reader.fault or not frames:
            raise ValueError(reader.fault or 'has no frames')


def _image(path: Path) -> None:
    torn = path.suffix == '.jpg' and not is_complete_jpeg(path)
    if torn or cv2.imread(str(path)) is None:
        raise ValueError('is not a whole image')


def _python(path: Path) -> None:
    try:
        compile(path.read_text(), path, 'exec')
    except SyntaxError as error:
        raise ValueError(f'is not a whole config ({error})') from error


CHECKS: dict[str, Callable[[Path], None]] = {
    'last_checkpoint': _note,
    '.pth': _checkpoint,
    '.npz': _dump,
    '.pkl': _dump,
    '.json': _json,
    '.csv': _csv,
    '.mp4': _video,
    '.jpg': _image,
    '.png': _image,
    '.py': _python,
}


def differences(one: Any, two: Any, name: str) -> list[str]:
    """Names of the parts of two nested states that are not equal.

    Tensors and numbers are compared to the bit.

    Args:
        one: Tensors in dictionaries and lists, as in a checkpoint.
        two: The other one.
        name (str): What both are called.
    """
    if isinstance(one, torch.Tensor):
        same = isinstance(two, torch.Tensor) and torch.equal(one, two)
        return [] if same else [name]
    if type(one) is not type(two):
        return [name]
    if isinstance(one, dict) and one.keys() == two.keys():
        pairs = [(one[key], two[key], f'{name}.{key}') for key in one]
    elif isinstance(one, (list, tuple)) and len(one) == len(two):
        pairs = [
            (*pair, f'{name}.{place}')
            for place, pair in enumerate(zip(one, two))
        ]
    else:
        return [] if one == two else [name]
    return [each for pair in pairs for each in differences(*pair)]


def other_training(unbroken: Path, folder: Path) -> list[str]:
    """Where the last and the best checkpoint are not those of another run.

    Args:
        unbroken (Path): Work dir of a training that was not stopped.
        folder (Path): Of the one that was.
    """
    last = Path((unbroken / 'last_checkpoint').read_text()).name
    faults = []
    for path in [unbroken / last, *sorted(unbroken.glob('best_*.pth'))]:
        if not (folder / path.name).is_file():
            faults.append(f'{folder / path.name} is not there')
            continue
        one, two = (
            read_checkpoint(str(root / path.name))
            for root in (unbroken, folder)
        )
        unequal = [
            name
            for part in STATES
            for name in differences(one.get(part), two.get(part), part)
        ]
        if unequal:
            faults.append(
                f'{folder / path.name}: {len(unequal)} of its states are not '
                f'those of the unbroken run, for instance {unequal[0]}'
            )
    return faults


def other_bytes(unbroken: Path, folder: Path, finished: bool) -> list[str]:
    """Files whose bytes are not those of another run.

    Args:
        unbroken (Path): What a run left that was not stopped.
        folder (Path): What the one left that was.
        finished (bool): Whether it came to its end; before, files may be
            missing, but not from a folder that is there.
    """
    expected = {p.relative_to(unbroken): p for p in files_in(unbroken)}
    found = {p.relative_to(folder): p for p in files_in(folder)}
    faults = [
        f'{path}: not the bytes of the unbroken run'
        for name, path in found.items()
        if name not in expected
        or path.read_bytes() != expected[name].read_bytes()
    ]
    begun = {name.parent for name in found if name.parts[0] == 'frames'}
    faults += [
        f'{folder / name} is missing'
        for name in expected
        if name not in found and (finished or name.parent in begun)
    ]
    return faults
