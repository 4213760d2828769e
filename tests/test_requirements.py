"""Every pin has a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / 'requirements'


@pytest.mark.parametrize(
    'path', sorted(FOLDER.glob('*.txt')), ids=lambda path: path.name
)
def test_every_pin_has_a_reason(path):
    reasons = (FOLDER / 'README.md').read_text()
    reasons = reasons[reasons.index('| pin | reason |') :]
    lines = [
        line.split('#')[0].strip() for line in path.read_text().split('\n')
    ]
    pins = [re.fullmatch(r'([\w-]+)==[\w.]+', line) for line in lines if line]
    assert pins and all(pins), lines
    unnamed = [pin[1] for pin in pins if f'`{pin[1]}' not in reasons]
    assert unnamed == []
