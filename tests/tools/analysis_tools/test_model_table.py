"""The table tool: its figures by hand, and the page that quotes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch._subclasses import FakeTensorMode

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / 'tools'))

from model_table import (  # noqa: E402
    as_markdown,
    build,
    count_networks,
    count_parts,
    run_frame,
)


@pytest.fixture(scope='module')
def rows():
    """Cells of every table row of VGG-16 and ResNet-18, in order."""
    text = as_markdown(['VGG-16', 'ResNet-18'])
    found: dict[str, list[list[str]]] = {'VGG-16': [], 'ResNet-18': []}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if cells[0] in found:
            found[cells[0]].append(cells[1:])
    return found


def test_output_sizes_are_those_of_table_1(rows):
    sizes = [cell.split(' @ ') for cell in rows['VGG-16'][0]]
    sides = [int(side) for _, side in sizes]
    # The second row of the paper's Table 1, then the response maps.
    assert sides == [128, 64, 32, 16, 8, 16, 32, 64, 128, 128]
    channels = [int(channel) for channel, _ in sizes]
    assert channels[:5] == [64, 128, 256, 512, 512]
    assert channels[-2:] == [128, 68]


def test_parameters_by_hand():
    with torch.device('meta'):
        counts = count_parts(build('VGG-16'))
    # Convolutions of A0..A4, with biases and norms as in torchvision.
    assert counts['encoder'] == 14_723_136
    # B4: 3 x 512 x 512 x 9; B3: 2 x 512 x 512 x 9 + 512 x 256 x 9;
    # B2: 2 x 256 x 256 x 9 + 256 x 128 x 9; B1: 2 x 128 x 128 x 9;
    # norms 2 x (3 x 512 + 2 x 512 + 256 + 2 x 256 + 128 + 2 x 128).
    weights = 7_077_888 + 4_718_592 + 1_179_648 + 1_179_648 + 294_912 + 294_912
    assert counts['decoder'] == weights + 2 * 3_712
    assert counts['skips'] == 0
    # Unit: 3x3 7 -> 64, 3x3 64 -> 64, 1x1 7 -> 64, three norms.
    assert counts['feedback'] == 4_032 + 36_864 + 448 + 3 * 128
    # LSTM: 4 gates of 256 from 256 + 256, and two biases each.
    assert counts['neck'] == 4 * 256 * (512 + 2)
    # 7 discs and 68 Gaussians out of 128 channels.
    assert counts['head'] == 75 * 129
    assert counts['identity'] == 90 * 257


def test_multiply_adds_by_hand():
    with FakeTensorMode():
        _, work = run_frame(build('VGG-16', None, ('reg',)), 64)
    # Sides and weights of the convolutions of each stage, at 64 pixels.
    down = (
        (64, 3 * 64 + 64 * 64),
        (32, 64 * 128 + 128 * 128),
        (16, 128 * 256 + 2 * 256 * 256),
        (8, 256 * 512 + 2 * 512 * 512),
        (4, 3 * 512 * 512),
    )
    up = (
        (4, 3 * 512 * 512),
        (8, 2 * 512 * 512 + 512 * 256),
        (16, 2 * 256 * 256 + 256 * 128),
        (32, 2 * 128 * 128),
    )
    convolutions = sum(side * side * 9 * n for side, n in (*down, *up))
    lstm = 4 * 256 * 512
    assert work == convolutions + lstm + 32 * 32 * 128 * 68


def test_cascade_is_twice_the_network(rows):
    with torch.device('meta'):
        one = count_networks(build('ResNet-18', 'input'))
        both = count_networks(build('ResNet-18', 'input', cascade=True))
    assert both == 2 * one
    # Third table, column 'cascade : one'.
    assert {tables[2][7] for tables in rows.values()} == {'2.000'}


def test_the_page_has_these_rows(rows):
    page = (ROOT / 'docs' / 'reports' / 'architecture.md').read_text()
    for name, tables in rows.items():
        assert len(tables) == 4
        for cells in tables:
            assert f'| {" | ".join([name, *cells])} |' in page


@pytest.mark.slow
def test_command_writes_what_it_prints(tmp_path):
    out = tmp_path / 'table.md'
    done = subprocess.run(
        [
            sys.executable,
            ROOT / 'tools/analysis_tools/model_table.py',
            '--out',
            out,
        ],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert out.read_text() == done.stdout
    assert done.stdout.count('| ResNet-152 |') == 4
    # The paper's figures stand beside ours.
    for figure in ('| 14.8 |', '| 184 |', '| 257 |', '| 468 |'):
        assert figure in done.stdout
