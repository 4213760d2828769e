"""The borders between the rooms of the package, read from the imports."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STDLIB = set(sys.stdlib_module_names)
OPENMMLAB = ('mmcv', 'mmdet', 'mmengine', 'mmpose')

# Room: what it may import (None: anything) and what it never may.
ROOMS = {
    'rednet_mm': (None, ('data_converters', 'tools', 'tests')),
    'rednet_mm/files.py': (set(), ()),
    'rednet_mm/untrusted.py': (set(), ()),
    'rednet_mm/structures.py': ({'numpy', 'torch'}, ()),
    'rednet_mm/datasets/clip_sampling.py': ({'numpy'}, ()),
    'rednet_mm/datasets/metainfo.py': ({'numpy'}, ()),
    'rednet_mm/models': (
        None,
        ('rednet_mm.datasets', 'rednet_mm.apis', 'tools'),
    ),
    'rednet_mm/codecs': (None, ('rednet_mm.models', 'tools')),
    'rednet_mm/datasets': (
        None,
        ('rednet_mm.models', 'rednet_mm.apis', 'tools'),
    ),
    'rednet_mm/drawing.py': (
        None,
        ('rednet_mm.models', 'rednet_mm.apis', 'torch', 'tools'),
    ),
    'rednet_mm/evaluation': (
        None,
        ('rednet_mm.models', 'rednet_mm.apis', 'tools'),
    ),
    'rednet_mm/engine': (
        None,
        ('rednet_mm.models', 'rednet_mm.apis', 'rednet_mm.datasets'),
    ),
    'rednet_mm/apis': (None, ('tools',)),
    'data_converters': (None, ('torch', 'torchvision', 'rednet_mm', 'tools')),
    'tools': (None, ('tests',)),
}


def imported_names(path: Path, root: Path) -> list[tuple[int, str]]:
    """Line and full dotted name of everything that a file imports."""
    package = path.relative_to(root).with_suffix('').parts[:-1]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # One dot is the package of the file, each further one goes up.
            up = len(package) + 1 - node.level
            parts = package[:up] if node.level else ()
            module = '.'.join([*parts, *filter(None, [node.module])])
            found += [
                (node.lineno, f'{module}.{alias.name}') for alias in node.names
            ]
    return found


def violations(room: str, root: Path = ROOT) -> list[str]:
    """The forbidden imports of a room, one sentence each."""
    allowed, never = ROOMS[room]
    if room == 'data_converters':
        never = (*never, *OPENMMLAB)
    place = root / room
    files = [place] if place.is_file() else sorted(place.rglob('*.py'))
    assert files, f'{place} holds no Python files'
    sentences = []
    for path in files:
        for line, name in imported_names(path, root):
            top = name.split('.')[0]
            known = allowed is None or top in STDLIB | allowed
            barred = any(f'{name}.'.startswith(f'{n}.') for n in never)
            if barred or not known:
                sentences.append(f'{path}:{line} imports {name}')
    return sentences


@pytest.mark.parametrize('room', ROOMS)
def test_room_keeps_its_borders(room):
    assert violations(room) == []


@pytest.mark.parametrize(
    ('room', 'file', 'line'),
    [
        (
            'rednet_mm/structures.py',
            'rednet_mm/structures.py',
            'import mmengine.structures',
        ),
        (
            'rednet_mm/datasets/metainfo.py',
            'rednet_mm/datasets/metainfo.py',
            'from ..structures import RecurrentState',
        ),
        (
            'rednet_mm/models',
            'rednet_mm/models/heads/head.py',
            'from ...datasets.metainfo import FACE_68',
        ),
        (
            'rednet_mm/models',
            'rednet_mm/models/heads/head.py',
            'from rednet_mm import apis',
        ),
        (
            'rednet_mm/codecs',
            'rednet_mm/codecs/codec.py',
            'def late():\n    import rednet_mm.models.heads as heads',
        ),
        (
            'data_converters',
            'data_converters/convert.py',
            'from mmpose.registry import DATASETS',
        ),
        ('data_converters', 'data_converters/convert.py', 'import rednet_mm'),
        (
            'rednet_mm',
            'rednet_mm/apis/video.py',
            'from data_converters.frames import read_frames',
        ),
    ],
)
def test_forbidden_import_is_found(tmp_path, room, file, line):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f'import json\nimport numpy as np\n{line}\n')
    (sentence,) = violations(room, tmp_path)
    assert sentence.startswith(f'{path}:')


def test_likely_named_neighbours_are_not_forbidden(tmp_path):
    path = tmp_path / 'rednet_mm' / 'codecs' / 'codec.py'
    path.parent.mkdir(parents=True)
    path.write_text(
        'import mmap\nfrom rednet_mm import models_of_trains\n'
        'from . import models\n'
    )
    assert violations('rednet_mm/codecs', tmp_path) == []


def test_what_both_need_is_one_file():
    """Of package and converters, neither of which imports the other."""
    link, file = (
        ROOT / room / 'untrusted.py'
        for room in ('data_converters', 'rednet_mm')
    )
    assert link.resolve() == file.resolve()
