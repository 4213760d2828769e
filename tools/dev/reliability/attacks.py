"""Pickles that would write a file if they were let."""

import functools
import logging
import marshal
import operator
import os
import pickle
import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple:
        return self.function, self.arguments

    def __call__(self) -> None:
        # A pickler asks whether what will be called can be: it may itself be
        # what a call returns.
        raise NotImplementedError


def attacks(folder: Path) -> dict[str, Any]:
    """Objects that, unpickled without care, leave a file.

    Args:
        folder (Path): Where the file would be; exists. Beside it a script
            is written that some of them run.
    """
    mark = str(folder / 'ran')
    code = f'open({mark!r}, "w").close()'
    script = folder.with_name('script.py')
    script.write_text(code + '\n')
    compiled = marshal.dumps(compile(code, 'attack', 'exec'))
    # What is on the allow-list, as the way to the rest of Python.
    init = Call(getattr, HistoryBuffer, '__init__')
    known = Call(getattr, Call(getattr, init, '__globals__'), 'get')
    builtins = Call(getattr, Call(known, '__builtins__'), 'get')
    return {
        'os.system': Call(os.system, f'touch {mark}'),
        'subprocess': Call(subprocess.call, ['touch', mark]),
        'exec': Call(exec, code),
        'eval': Call(eval, code),
        'open': Call(open, mark, 'w'),
        'Path.touch': Call(Path.touch, Path(mark)),
        'shutil': Call(shutil.copy, str(script), mark),
        'runpy': Call(runpy.run_path, str(script)),
        'marshal': Call(exec, Call(marshal.loads, compiled)),
        'partial': Call(functools.partial(os.system, f'touch {mark}')),
        'methodcaller': Call(operator.methodcaller('touch'), Path(mark)),
        'FileHandler': Call(logging.FileHandler, mark),
        'numpy.save': Call(np.save, mark, 0),
        'numpy.memmap': Call(np.memmap, mark, 'uint8', 'w+', 0, (8,)),
        'ndarray.tofile': Call(Call(getattr, np.zeros(1), 'tofile'), mark),
        'torch.save': Call(torch.save, 0, mark),
        'mmengine.dump': Call(mmengine.dump, 0, f'{mark}.json'),
        'mmengine.Config': Call(mmengine.Config.fromfile, str(script)),
        'getattr': Call(Call(builtins, 'eval'), code),
    }


def left_behind(folder: Path) -> bool:
    """Whether anything ran; what it left is taken away."""
    found = list(folder.iterdir())
    for path in found:
        path.unlink()
    return bool(found)


def works(attack: Any, folder: Path) -> bool:
    """Whether an attack does what it is meant to, where nobody is careful."""
    pickle.loads(pickle.dumps(attack, 2))
    return left_behind(folder)


def _zip(attack: Any, whole: dict, path: Path) -> None:
    torch.save(dict(whole, evil=attack), path)


def _among_weights(attack: Any, whole: dict, path: Path) -> None:
    weights = dict(whole['state_dict'], evil=attack)
    torch.save(dict(whole, state_dict=weights), path)


def _old_form(attack: Any, whole: dict, path: Path) -> None:
    torch.save(
        dict(whole, evil=attack), path, _use_new_zipfile_serialization=False
    )


def _pickle(protocol: int, attack: Any, whole: dict, path: Path) -> None:
    path.write_bytes(pickle.dumps(dict(whole, evil=attack), protocol))


# Ways to put an attack into a file.
CONTAINERS: dict[str, Callable[[Any, dict, Path], None]] = {
    'zip': _zip,
    'zip, among the weights': _among_weights,
    'form of torch 1.5': _old_form,
    'pickle, protocol 0': functools.partial(_pickle, 0),
    'pickle, protocol 4': functools.partial(_pickle, 4),
}
