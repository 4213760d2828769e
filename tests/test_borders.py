"""The borders between the rooms of the repository, read from the imports."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STDLIB = set(sys.stdlib_module_names)
MM = ('mmcv', 'mmdet', 'mmengine', 'mmpose')
HEAVY = ('torch', 'torchvision', *MM)

# What stands at the top of the package; everything else is in a room.
TOP = {'__init__.py', '__main__.py', 'structures.py', 'version.py'}


@dataclass(frozen=True)
class Room:
    """What the files of a place may import.

    Attributes:
        never (tuple[str]): Forbidden anywhere in a file.
        not_at_import (tuple[str]): Forbidden where a file is imported, and
            free inside functions.
        only (tuple[str], optional): Beside the standard library and the
            room itself nothing else; None: anything.
    """

    never: tuple[str, ...] = ()
    not_at_import: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None


def of_package(*names: str) -> tuple[str, ...]:
    return tuple(f'rednet_mm.{name}' for name in names)


OUTSIDE = ('data_converters', 'tools', 'tests')

# A file belongs to the longest place that its path starts with.
ROOMS = {
    'rednet_mm': Room(OUTSIDE),
    'rednet_mm/structures.py': Room(only=('numpy', 'torch')),
    'rednet_mm/models': Room(
        (
            *OUTSIDE,
            *of_package(
                'datasets',
                'codecs',
                'engine',
                'evaluation',
                'analysis',
                'tracking',
                'apis',
                'visualization',
            ),
        )
    ),
    'rednet_mm/codecs': Room(
        (
            *OUTSIDE,
            *of_package(
                'models',
                'datasets',
                'engine',
                'evaluation',
                'analysis',
                'tracking',
                'apis',
                'visualization',
            ),
        )
    ),
    'rednet_mm/datasets': Room(
        (
            *OUTSIDE,
            *of_package(
                'models',
                'codecs',
                'engine',
                'evaluation',
                'analysis',
                'tracking',
                'apis',
                'visualization',
            ),
        )
    ),
    'rednet_mm/datasets/clip_sampling.py': Room(only=('numpy',)),
    'rednet_mm/datasets/metainfo.py': Room(only=('numpy',)),
    'rednet_mm/engine': Room(
        (
            *OUTSIDE,
            *of_package(
                'models',
                'datasets',
                'evaluation',
                'analysis',
                'apis',
                'visualization',
            ),
        )
    ),
    'rednet_mm/evaluation': Room(
        (
            *OUTSIDE,
            *of_package(
                'models',
                'datasets',
                'engine',
                'analysis',
                'tracking',
                'apis',
                'visualization',
            ),
        )
    ),
    # Frames of a report are read as data sets read them.
    'rednet_mm/analysis': Room(
        (
            *OUTSIDE,
            *of_package('models', 'codecs', 'engine', 'tracking', 'apis'),
        )
    ),
    'rednet_mm/tracking': Room(
        (
            *OUTSIDE,
            *of_package(
                'models',
                'codecs',
                'datasets',
                'engine',
                'evaluation',
                'analysis',
                'apis',
                'visualization',
            ),
            'av',
        ),
        not_at_import=HEAVY,
    ),
    'rednet_mm/tracking/torch_network.py': Room(
        (
            *OUTSIDE,
            *of_package(
                'datasets', 'engine', 'evaluation', 'analysis', 'apis'
            ),
        )
    ),
    'rednet_mm/apis': Room(
        (*OUTSIDE, *of_package('engine', 'evaluation', 'analysis'))
    ),
    # Colours and lines are those of the metainfo, faces those of a tracker.
    'rednet_mm/visualization': Room(
        (
            *OUTSIDE,
            *HEAVY,
            *of_package(
                'models',
                'codecs',
                'engine',
                'evaluation',
                'analysis',
                'apis',
            ),
        )
    ),
    'rednet_mm/utils': Room(
        (
            *OUTSIDE,
            *of_package(
                'models',
                'codecs',
                'datasets',
                'engine',
                'evaluation',
                'analysis',
                'tracking',
                'apis',
                'visualization',
            ),
        )
    ),
    'data_converters': Room(('rednet_mm', 'tools', 'tests', *HEAVY)),
    'tools': Room(('tests',)),
    'tools/dev': Room(('tests',)),
}

# Imports that break a border and have still to go.
KNOWN: tuple[str, ...] = (
    (
        'rednet_mm/tracking/crops.py '
        'imports mmpose.datasets.transforms.GetBBoxCenterScale'
    ),
    (
        'rednet_mm/tracking/crops.py '
        'imports mmpose.datasets.transforms.TopdownAffine'
    ),
)


def resolved(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    """Full dotted names of what an import statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    # One dot is the package of the file, each further one goes up.
    up = len(package) + 1 - node.level
    parts = package[:up] if node.level else ()
    module = '.'.join([*parts, *filter(None, [node.module])])
    return [f'{module}.{alias.name}' for alias in node.names]


def statements(tree: ast.AST, inside: bool = True) -> Iterator[ast.AST]:
    """Import statements; without ``inside`` those of importing the file."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif inside:
            yield from statements(node)
        elif isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.dump(
            node.test
        ):
            continue
        elif not isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        ):
            yield from statements(node, False)


@functools.cache
def imports(
    path: Path, root: Path, inside: bool = True
) -> tuple[tuple[int, str], ...]:
    """Line and full dotted name of everything that a file imports."""
    package = path.relative_to(root).parts[:-1]
    tree = ast.parse(path.read_text())
    return tuple(
        (node.lineno, name)
        for node in statements(tree, inside)
        for name in resolved(node, package)
    )


def is_of(name: str, places: tuple[str, ...]) -> bool:
    return any(f'{name}.'.startswith(f'{place}.') for place in places)


def room_of(file: str) -> str | None:
    """The place of ``ROOMS`` to which a file belongs, a path with '/'."""
    fitting = [
        room for room in ROOMS if file == room or file.startswith(f'{room}/')
    ]
    return max(fitting, key=len, default=None)


def python_files(root: Path) -> list[Path]:
    return [
        path
        for place in ('rednet_mm', 'data_converters', 'tools')
        for path in sorted((root / place).rglob('*.py'))
    ]


def violations(room: str, root: Path = ROOT) -> list[str]:
    """The forbidden imports of a room: ``FILE:LINE imports NAME``."""
    rules = ROOMS[room]
    own = tuple(room.removesuffix('.py').split('/'))
    found = []
    for path in python_files(root):
        file = path.relative_to(root).as_posix()
        if room_of(file) != room:
            continue
        for line, name in imports(path, root):
            top = name.split('.')[0]
            lonely = rules.only is not None and not (
                top in STDLIB
                or is_of(name, rules.only)
                or is_of(name, ('.'.join(own),))
            )
            if is_of(name, rules.never) or lonely:
                found.append(f'{file}:{line} imports {name}')
        for line, name in imports(path, root, inside=False):
            if is_of(name, rules.not_at_import):
                found.append(f'{file}:{line} imports {name}')
    return found


def module_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def circles(root: Path = ROOT) -> list[str]:
    """Modules that import one another, however late: ``a -> b -> a``."""
    modules = {
        module_of(path, root): path
        for place in ('rednet_mm', 'data_converters')
        for path in sorted((root / place).rglob('*.py'))
    }
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        graph[module] = set()
        for _, name in imports(path, root):
            # A name of a module, or a module of a package.
            target = name if name in modules else name.rpartition('.')[0]
            if target in modules and target != module:
                graph[module].add(target)
    found: list[str] = []
    state: dict[str, int] = {}
    trail: list[str] = []

    def visit(module: str) -> None:
        state[module] = 1
        trail.append(module)
        for target in sorted(graph[module]):
            if state.get(target) == 1:
                circle = [*trail[trail.index(target) :], target]
                found.append(' -> '.join(circle))
            elif target not in state:
                visit(target)
        trail.pop()
        state[module] = 2

    for module in graph:
        if module not in state:
            visit(module)
    return found


def tools_that_need_dev(root: Path = ROOT) -> list[str]:
    """Tools of the wheel that import something of ``tools/dev``."""
    dev = {
        path.relative_to(root / 'tools/dev').parts[-1].removesuffix('.py')
        for path in (root / 'tools/dev').rglob('*.py')
    } | {path.name for path in (root / 'tools/dev').iterdir() if path.is_dir()}
    found = []
    for path in sorted((root / 'tools').rglob('*.py')):
        file = path.relative_to(root).as_posix()
        if room_of(file) != 'tools':
            continue
        mates = {each.stem for each in path.parent.glob('*.py')}
        for line, name in imports(path, root):
            if name.split('.')[0] in dev - mates - STDLIB:
                found.append(f'{file}:{line} imports {name}')
    return found


def unknown(found: list[str]) -> list[str]:
    """Those that are not among the known ones, whatever their lines."""
    return [each for each in found if without_line(each) not in KNOWN]


def without_line(sentence: str) -> str:
    file, _, rest = sentence.partition(':')
    return f'{file} {rest.split(" ", 1)[1]}' if rest else sentence


def all_found() -> list[str]:
    found = [each for room in ROOMS for each in violations(room)]
    return [without_line(each) for each in found] + circles()


@pytest.mark.parametrize('room', ROOMS)
def test_room_keeps_its_borders(room):
    assert unknown(violations(room)) == []


def test_every_room_has_files():
    rooms = {
        room_of(path.relative_to(ROOT).as_posix())
        for path in python_files(ROOT)
    }
    assert rooms == set(ROOMS)


def test_every_folder_of_the_package_is_a_room():
    places = {
        path.name
        for path in (ROOT / 'rednet_mm').iterdir()
        if any(path.rglob('*.py'))
    }
    assert {f'rednet_mm/{place}' for place in places} <= set(ROOMS)
    files = {path.name for path in (ROOT / 'rednet_mm').glob('*.py')}
    assert files == TOP


def test_no_circle():
    assert unknown(circles()) == []


def test_what_is_known_is_still_there():
    assert set(KNOWN) <= set(all_found())


def test_tools_of_the_wheel_do_without_dev():
    assert tools_that_need_dev() == []


def test_files_of_both_are_links():
    """What converters and package both need is one file, linked."""
    links = [
        path
        for path in (ROOT / 'data_converters').rglob('*.py')
        if path.is_symlink()
    ]
    for path in links:
        file = ROOT / 'rednet_mm/utils' / path.name
        assert path.resolve() == file.resolve()


@pytest.mark.parametrize(
    ('file', 'line'),
    [
        ('rednet_mm/structures.py', 'import mmengine.structures'),
        ('rednet_mm/datasets/metainfo.py', 'from ..structures import State'),
        ('rednet_mm/models/heads/a.py', 'from ...datasets import FACE_68'),
        ('rednet_mm/models/heads/a.py', 'from rednet_mm import apis'),
        ('rednet_mm/codecs/a.py', 'def f():\n    import rednet_mm.models.b'),
        ('rednet_mm/evaluation/a.py', 'from ..analysis import compare'),
        ('rednet_mm/tracking/a.py', 'import torch'),
        ('rednet_mm/tracking/a.py', 'from rednet_mm.apis import read_frames'),
        ('rednet_mm/utils/a.py', 'from data_converters.errors import short'),
        ('rednet_mm/apis/a.py', 'from rednet_mm.analysis import compare'),
        ('data_converters/a.py', 'from mmpose.registry import DATASETS'),
        ('data_converters/a.py', 'import rednet_mm'),
        ('tools/dev/a.py', 'from tests.builders import face_shape'),
    ],
)
def test_forbidden_import_is_found(tmp_path, file, line):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f'import json\nimport numpy as np\n{line}\n')
    (sentence,) = violations(room_of(file), tmp_path)
    assert sentence.startswith(f'{file}:')


def test_what_is_allowed_is_not_found(tmp_path):
    allowed = {
        'rednet_mm/codecs/a.py': (
            'import mmap\nfrom rednet_mm import models_of_trains\n'
            'from . import models\n'
        ),
        'rednet_mm/tracking/a.py': 'def late():\n    import torch\n',
        'rednet_mm/tracking/torch_network.py': 'import torch\n',
    }
    for file, text in allowed.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        assert violations(room_of(file), tmp_path) == []


@pytest.mark.parametrize(
    'line', ['from . import a', 'def late():\n    from rednet_mm.a import x']
)
def test_circle_is_found(tmp_path, line):
    package = tmp_path / 'rednet_mm'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / 'a.py').write_text('from .b import x\n')
    (package / 'b.py').write_text(f'{line}\n')
    (circle,) = circles(tmp_path)
    assert circle == 'rednet_mm.a -> rednet_mm.b -> rednet_mm.a'


if __name__ == '__main__':
    for each in all_found():
        print(f'  known: {each}')
