"""The tool that kills sees what is torn, and what differs."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / 'tools' / 'dev' / 'reliability'))

from integrity import (  # noqa: E402
    count_parts,
    differences,
    faults_in,
    other_bytes,
    other_training,
)
from kill import Disturbed, disturb  # noqa: E402
from rows import read_rows  # noqa: E402
from running import Job, run  # noqa: E402

from rednet_mm.apis import VideoWriter  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A file of each kind, whole."""
    folder = tmp_path_factory.mktemp('whole')
    torch.save(dict(state_dict=dict(a=torch.ones(9))), folder / 'epoch_1.pth')
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
    (folder / 'figures.json').write_text('{"face/NME": 1.5}')
    logs = folder / 'vis_data'
    logs.mkdir()
    (logs / 'scalars.json').write_text('{"loss": 1}\n{"loss": 2}\n{"lo')
    picture = np.full((32, 32, 3), 90, np.uint8)
    for name in ('sheet.png', 'frame.jpg'):
        cv2.imwrite(str(folder / name), picture)
    writer = VideoWriter(str(folder / 'video.mp4'), 25)
    for _ in range(3):
        writer.write(picture)
    writer.close()
    (folder / 'video.csv').write_text('a,b\n1,2\n')
    (folder / 'config.py').write_text('a = 1\n')
    (folder / 'note.part.json').write_text('{"ha')
    return folder


def test_whole_files_and_parts_are_no_faults(whole):
    assert faults_in(whole) == []
    assert count_parts(whole) == 1
    assert count_parts(whole, since=time.time() + 60) == 0


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('epoch_1.pth', None),
        ('last_checkpoint', b'/nowhere/epoch_3.pth'),
        ('figures.json', None),
        ('vis_data/scalars.json', b'{"loss": \n{"loss": 2}\n'),
        ('sheet.png', b''),
        ('frame.jpg', None),
        ('video.mp4', None),
        ('video.csv', b'a,b\n1,2\n3\n'),
        ('config.py', b'a = dict('),
        ('annotations/all.json', b'{"annotations": [], "images": '
         b'[{"file_name": "frames/001/000001.jpg"}]}'),
        ('predictions.npz', b'PK'),
        ('predictions.pkl', b'\x80\x04]'),
    ],
)  # fmt: skip
def test_a_torn_file_is_a_fault(whole, tmp_path, name, content):
    folder = tmp_path / 'torn'
    shutil.copytree(whole, folder)
    path = folder / name
    if content is None:
        content = path.read_bytes()
        content = content[: len(content) // 2]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    (fault,) = faults_in(folder)
    assert fault.startswith(f'{path}: ')


def test_an_empty_note_is_on_its_way(whole, tmp_path):
    folder = tmp_path / 'torn'
    shutil.copytree(whole, folder)
    (folder / 'last_checkpoint').write_text('')
    assert faults_in(folder) == []
    assert count_parts(folder) == 2


def test_differences_are_named():
    one = dict(a=[torch.zeros(2), 1.0], b=dict(c=3))
    assert (
        differences(one, dict(a=[torch.zeros(2), 1.0], b=dict(c=3)), 'x') == []
    )
    other = dict(a=[torch.zeros(2) + 1e-45, 1.0], b=dict(c=None))
    assert differences(one, other, 'x') == ['x.a.0', 'x.b.c']
    assert differences(one, dict(a=one['a']), 'x') == ['x']


def test_another_training_is_seen(tmp_path):
    for name, weight in (('one', 1.0), ('two', 1.0), ('three', 2.0)):
        folder = tmp_path / name
        folder.mkdir()
        state = dict(state_dict=dict(a=torch.tensor(weight)))
        torch.save(state, folder / 'epoch_3.pth')
        torch.save(state, folder / 'best_NME_epoch_1.pth')
        (folder / 'last_checkpoint').write_text(str(folder / 'epoch_3.pth'))
    one, two, three = (tmp_path / name for name in ('one', 'two', 'three'))
    assert other_training(one, two) == []
    faults = other_training(one, three)
    assert len(faults) == 2 and 'instance state_dict.a' in faults[0]
    (two / 'best_NME_epoch_1.pth').unlink()
    assert other_training(one, two) == [
        f'{two / "best_NME_epoch_1.pth"} is not there'
    ]


def test_other_bytes_are_seen(tmp_path):
    for name in ('one', 'two'):
        for video in ('001', '002'):
            frames = tmp_path / name / 'frames' / video
            frames.mkdir(parents=True)
            (frames / '1.jpg').write_bytes(b'1')
            (frames / '2.jpg').write_bytes(b'2')
    one, two = tmp_path / 'one', tmp_path / 'two'
    assert other_bytes(one, two, True) == []
    # A video that is not begun may be missing until the end ...
    shutil.rmtree(two / 'frames' / '002')
    assert other_bytes(one, two, False) == []
    assert len(other_bytes(one, two, True)) == 2
    # ... a frame of one that is there may not.
    (two / 'frames' / '001' / '2.jpg').unlink()
    assert len(other_bytes(one, two, False)) == 1
    (two / 'frames' / '001' / '1.jpg').write_bytes(b'3')
    assert len(other_bytes(one, two, False)) == 2


# Writes numbers.json in place or by a part, a number at a time.
WRITER = """
import json, os, pathlib, sys, time
folder, way = pathlib.Path(sys.argv[1]), sys.argv[2]
folder.mkdir(exist_ok=True)
name = folder / ('numbers.json' if way == 'torn' else 'numbers.part.json')
with open(name, 'w') as out:
    out.write('[')
    print('begun', flush=True)
    for number in range(10):
        out.write(f'{number}, ')
        out.flush()
        time.sleep(0.02)
    out.write('10]')
os.replace(name, folder / 'numbers.json')
"""


def writer(way: str) -> Job:
    return Job(
        'a writer',
        lambda folder: [sys.executable, '-c', WRITER, str(folder), way],
        way == 'goes on',
        other_bytes,
        'all bytes',
    )


def test_work_that_writes_in_place_loses(tmp_path, capsys):
    # Killed while it writes, again and again, until late.
    disturbed = Disturbed(writer('torn'), tmp_path, random.Random(0))
    disturb(disturbed, 2, time.monotonic() + 60)
    row = disturbed.row()
    assert row.lost >= 1 and row.injected == 2
    assert 'numbers.json: Expecting' in capsys.readouterr().err


@pytest.mark.parametrize('way', ['stays', 'goes on'])
def test_work_that_writes_parts_loses_nothing(tmp_path, way):
    disturbed = Disturbed(writer(way), tmp_path, random.Random(1))
    disturb(disturbed, 3, time.monotonic() + 60)
    row = disturbed.row()
    assert (row.injected, row.survived, row.lost) == (3, 3, 0)
    assert row.note.endswith('3 kills left a part')
    assert disturbed.completed >= 1


def test_work_that_hangs_is_ended(tmp_path):
    job = Job(
        'a sleeper',
        lambda folder: [sys.executable, '-c', 'import time; time.sleep(600)'],
        True,
        other_bytes,
        '',
    )
    with pytest.raises(ValueError, match='a sleeper has not ended after 0'):
        run(job, tmp_path / 'out', 0.2)


def test_the_tool(tmp_path):
    command = [
        sys.executable,
        str(ROOT / 'tools' / 'dev' / 'reliability' / 'kill.py'),
    ]
    done = subprocess.run(
        [
            *(*command, '--work-dir', str(tmp_path), '--times', '1'),
            *('--only', 'clips', 'conversion'),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = read_rows(str(tmp_path / 'reliability' / 'kill.json'))
    assert [(row.injected, row.lost) for row in found.rows] == [(1, 0)] * 2
