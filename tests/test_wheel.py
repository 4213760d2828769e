"""The wheel, installed and used in an empty folder without the checkout."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from rednet_mm import version
from rednet_mm.errors import UserError
from rednet_mm.shipped import copy_folders

ROOT = Path(__file__).parents[1]

# Runs every script in a process of its own, forked where all that they
# import is loaded: one start of torch instead of twenty.
HELP = """
import os, runpy, sys
import mmpose.apis, rednet_mm.apis
for script in sys.argv[1:]:
    if os.fork() == 0:
        sys.argv = [script, '--help']
        sys.path[0] = os.path.dirname(script)
        try:
            runpy.run_path(script, run_name='__main__')
        except SystemExit as end:
            # Taking all of it down costs a second and a half.
            os._exit(end.code or 0)
        sys.exit('it did not end')
    if os.wait()[1]:
        sys.exit(f'{script} --help fails')
"""

# The quickstart's network, narrower, for one epoch of few batches.
TINY = """
_base_ = ['./rednet_r18_tiny300vw.py']
stage = dict(data='clips', previous={previous!r})
train_cfg = dict(max_epochs=1)
model = dict(
    backbone=dict(base_channels=8),
    neck=dict(in_channels=64),
    identity_head=dict(in_channels=32),
)
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(clips_per_video=1)
)
"""


class Installed:
    """An environment with the wheel, and a working folder.

    What the wheel needs is taken from the environment of the tests. The
    checkout, which that has too, is out of reach.

    Args:
        root: Holds both.
    """

    def __init__(self, root: Path) -> None:
        (self.wheel,) = build_wheel(root / 'dist')
        self.work = root / 'work'
        self.work.mkdir()
        venv.create(root / 'env', symlinks=True)
        self.python = root / 'env' / 'bin' / 'python'
        (self.site,) = (root / 'env' / 'lib').glob('*/site-packages')
        # Of a folder named in a .pth no .pth is read: nothing editable.
        needs = sysconfig.get_path('purelib')
        (self.site / 'needs.pth').write_text(f'{needs}\n')
        pip = [sys.executable, '-m', 'pip', '--python', str(self.python)]
        run([*pip, 'install', '-q', '--no-deps', '--no-index', self.wheel])
        self.mim = self.site / 'rednet_mm' / '.mim'

    def run(self, *words: object, status: int = 0) -> str:
        """Run the environment's Python, or a shell, in the working folder.

        Returns:
            What it printed, errors too.
        """
        command = list(words)
        if command[0] != 'bash':
            command.insert(0, self.python)
        return run(command, status, self.work, self.python.parent)


def run(
    command: Sequence[object],
    status: int = 0,
    folder: Path | None = None,
    first: Path | None = None,
) -> str:
    """Run a command without the variables that lead to the checkout."""
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        env['PORT'] = str(free.getsockname()[1])
    env |= dict(PYTHONWARNINGS='ignore', OMP_NUM_THREADS='1')
    env |= dict(
        PATH=f'{first}{os.pathsep}{env["PATH"]}' if first else env['PATH']
    )
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == status, done.stdout[-3000:]
    return done.stdout


def build_wheel(target: Path) -> list[Path]:
    """The wheel of the checkout, which stays as it is."""
    base = target / 'build'
    base.mkdir(parents=True)
    run(
        [
            *(sys.executable, 'setup.py', '-q'),
            *('egg_info', '--egg-base', base),
            *('build', '--build-base', base),
            *('bdist_wheel', '--dist-dir', target),
        ],
        folder=ROOT,
    )
    return list(target.glob('*.whl'))


@pytest.fixture(scope='module')
def installed(tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp('wheel'))


@pytest.fixture(scope='module')
def copied(installed) -> Path:
    """The working folder with copies, as the README makes them."""
    said = installed.run('-m', 'rednet_mm', 'copy', '.')
    assert re.search(r'^[1-9]\d+ files copied to ', said, re.M)
    return installed.work


@pytest.fixture(scope='module')
def videos(installed, copied) -> Path:
    """Tiny videos as the README's commands make and convert them."""
    source = Path('data/tiny300vw_src')
    tool = 'data_converters/make_tiny_300vw.py'
    installed.run(tool, source, '--videos', 4, '--frames', 8)
    installed.run(
        *('data_converters/convert_300vw.py', source, 'data/tiny300vw'),
        *('--protocol', 'csv', '--subjects', source / 'subjects.csv'),
    )
    return copied / 'data'


# -- what is in it -----------------------------------------------------------


def test_one_package_is_installed(installed):
    own = {path.name for path in installed.site.iterdir()}
    assert own == {
        'needs.pth',
        'rednet_mm',
        f'rednet_mm-{version.__version__}.dist-info',
    }
    (info,) = installed.site.glob('*.dist-info')
    # The first line is where MIM looks for .mim.
    assert (info / 'top_level.txt').read_text().split() == ['rednet_mm']
    assert (info / 'licenses' / 'LICENSE').read_bytes() == (
        ROOT / 'LICENSE'
    ).read_bytes()
    metadata = (info / 'METADATA').read_text()
    assert '\nLicense: Apache-2.0\n' in metadata
    reasons = (ROOT / 'requirements' / 'README.md').read_text()
    for name in re.findall(r'^Requires-Dist: ([\w-]+)', metadata, re.M):
        assert f'`{name}' in reasons
    assert {path.name for path in installed.mim.iterdir()} == {
        'configs',
        'data_converters',
        'model-index.yml',
        'tools',
    }


@pytest.mark.parametrize('found', ['1.3.0', '1.4.0', None])
def test_another_mmpose_is_refused(monkeypatch, found):
    """pip does not look: the wheel does not name it."""
    other = found and SimpleNamespace(__version__=found)
    monkeypatch.setitem(sys.modules, 'mmpose', other)
    with pytest.raises(ImportError, match=f'there is {found or "none"}; pip'):
        version.check_mmpose()


@pytest.mark.parametrize('found', ['1.3.2', '1.3.99'])
def test_mmpose_as_tried(monkeypatch, found):
    tried = SimpleNamespace(__version__=found)
    monkeypatch.setitem(sys.modules, 'mmpose', tried)
    version.check_mmpose()


def test_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == version.__version__
    paper = citation['preferred-citation']
    collection = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())[
        'Collections'
    ][0]['Paper']
    assert paper['title'].lower() == collection['Title'].lower()
    assert collection['URL'].endswith(paper['doi'])


# -- where it is -------------------------------------------------------------


def test_every_path_of_the_readme_is_in_the_folder(copied):
    text = (ROOT / 'README.md').read_text()
    paths = set(
        re.findall(r'\b(?:tools|data_converters|configs)/[\w/.-]+\.\w+', text)
    )
    assert len(paths) > 20
    missing = {path for path in paths if not (copied / path).is_file()}
    # Of the checkout: its checks.
    assert missing == {'tools/run_tests.sh'}


def test_copies_overwrite_nothing(tmp_path):
    assert copy_folders(tmp_path / 'new') > 100
    assert copy_folders(tmp_path / 'new') == 0
    other = tmp_path / 'other' / 'configs' / 'rednet_r18_faces.py'
    other.parent.mkdir(parents=True)
    other.write_text('mine = 1\n')
    with pytest.raises(UserError, match='r18_faces.py is there already'):
        copy_folders(tmp_path / 'other')
    assert other.read_text() == 'mine = 1\n'
    assert [*other.parents[1].iterdir()] == [other.parent]


# -- every tool runs ---------------------------------------------------------


def test_every_script_explains_itself(installed):
    """In place; the README's commands are run on copies."""
    folder = installed.mim
    scripts = [
        *folder.glob('tools/*.py'),
        *folder.glob('data_converters/convert_*.py'),
        *folder.glob('data_converters/make_*.py'),
    ]
    assert len(scripts) > 20
    installed.run('-c', HELP, *scripts)
    for script in folder.glob('tools/*.sh'):
        installed.run('bash', '-n', script)
    for script in folder.glob('tools/dist_*.sh'):
        assert 'usage: ' in installed.run('bash', script, status=2)


def test_a_converter_of_the_wheel_finds_the_others(installed):
    """Alone, without what another script has imported."""
    script = installed.mim / 'data_converters' / 'convert_helen194.py'
    assert 'usage: ' in installed.run('-I', script, '--help')


def test_converted_data_is_whole(installed, videos):
    said = installed.run(
        'tools/check_dataset.py',
        *sorted((videos / 'tiny300vw' / 'annotations').glob('*.json')),
    )
    assert said.endswith('0 errors, 0 warnings\n')


def test_faces_are_followed(installed, videos):
    film = next((videos / 'tiny300vw_src').glob('*/vid.avi'))
    start = film.parent / 'annot' / '000001.pts'
    installed.run(
        *('tools/track_video.py', film, '--start-pts', start),
        *('--out', 'tracked.mp4', '--json', 'tracked.json'),
    )
    assert (installed.work / 'tracked.mp4').stat().st_size
    log = json.loads((installed.work / 'tracked.json').read_text())
    assert log['environment']['commit'] == 'not in a git checkout'
    assert str(ROOT) not in json.dumps(log)


def test_mmpose_runs_the_shipped_model(installed):
    script = (
        'import numpy as np, rednet_mm\n'
        'from rednet_mm.shipped import shipped_model\n'
        'from mmpose.apis import init_model, inference_topdown\n'
        'model = shipped_model()\n'
        'network = init_model(str(model.config), str(model.weights), "cpu")\n'
        'image = np.zeros((90, 90, 3), np.uint8)\n'
        'found = inference_topdown(network, image)[0]\n'
        'print(rednet_mm.__file__, model.config)\n'
        'print(found.pred_instances.keypoints.shape)\n'
    )
    said = installed.run('-c', script)
    *_, paths, shape = said.strip().splitlines()
    assert all(path.startswith(str(installed.site)) for path in paths.split())
    assert shape == '(1, 68, 2)'


@pytest.mark.slow
def test_stages_are_trained_measured_and_exported(installed, videos):
    """The chain starts tools/train.py itself, and dist_train.sh."""
    folder = installed.work
    first, second = folder / 'configs/first.py', folder / 'configs/second.py'
    first.write_text(TINY.format(previous=None))
    second.write_text(TINY.format(previous='first.py'))
    train = ('tools/train_stages.py', '--no-validate')
    assert 'trained: ' in installed.run(*train, second)
    said = installed.run(*train, first, '--work-dirs', 'dist', '--gpus', 1)
    assert 'trained: dist' in said
    trained = second, 'work_dirs/second/epoch_1.pth'
    installed.run(
        *('tools/test.py', *trained),
        *('--dump', 'ours.npz', '--out', 'metrics.json'),
    )
    metrics = json.loads((folder / 'metrics.json').read_text())
    assert metrics['provenance']['commit'] == 'not in a git checkout'
    installed.run('tools/evaluate.py', 'ours.npz', '--report', 'page')
    assert [*(folder / 'page').glob('*.html')]
    installed.run('tools/export_onnx.py', *trained, 'network.onnx')
    assert (folder / 'network.onnx').stat().st_size
