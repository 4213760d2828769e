"""The benchmark of a conversion runs and measures what it says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parents[3] / 'tools' / 'dev' / 'benchmarks')
)

import convert_frames

pytestmark = pytest.mark.slow


def test_conversion(monkeypatch, capsys):
    arguments = ['x', '--videos', '2', '--frames', '3', '--side', '64']
    monkeypatch.setattr(sys, 'argv', arguments)
    convert_frames.main()
    printed = capsys.readouterr().out
    assert 'all: 2 videos, 6 frames, 2 subjects -> ' in printed
    line = printed.splitlines()[-1]
    assert line.startswith('6 frames of 64 x 64, JSON of ')
    times = re.search(
        r'decoding (.*) s, conversion (.*) s, beyond decoding (.*) s, '
        r'peak of memory (\d+) MB \((\d+) MB',
        line,
    )
    decoding, whole, beyond, peak, before = map(float, times.groups())
    # Each is rounded to a tenth.
    assert abs(whole - decoding - beyond) < 0.16
    assert peak >= before > 0
