"""What the process that reads says, or does not, is counted."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parents[3] / 'tools' / 'dev' / 'reliability')
)

from fuzz import Count, as_rows, run_job

pytestmark = pytest.mark.slow

JOB = dict(reader='a b', way='drawn')


class Spoken:
    """A process that says what it was told to."""

    file = ''

    def __init__(self, *words):
        self.words = list(words)

    def ask(self, job):
        assert job is JOB

    def hear(self, seconds):
        return self.words.pop(0)

    def end(self):
        return 'it hangs'


@pytest.fixture
def heard(tmp_path):
    (tmp_path / 'input').write_bytes(b'bad')
    begin = dict(what='begin', file=str(tmp_path / 'input'))
    args = Namespace(work_dir=str(tmp_path), patience=1)

    def hear(*words):
        count = Count()
        lives = run_job(Spoken(begin, *words), JOB, count, args)
        return lives, count, as_rows({('a b', 'drawn'): count})[0]

    return hear


def test_all_is_read_or_refused(heard):
    lives, count, row = heard(*[dict(what='.')] * 3, dict(what='end', peak=1))
    assert lives and (row.injected, row.survived, row.lost) == (3, 3, 0)


def test_an_input_is_lost(heard, tmp_path):
    lost = dict(what='lost', trace='Traceback\nKeyError: 1')
    lives, count, row = heard(dict(what='.'), lost, dict(what='end', peak=1))
    assert lives and (row.injected, row.survived, row.lost) == (2, 1, 1)
    assert row.note == 'KeyError: 1'
    kept = sorted((tmp_path / 'reliability/lost').iterdir())
    assert [path.read_bytes()[-3:] for path in kept] == [b'bad', b': 1']


def test_it_hangs_or_dies(heard):
    lives, count, row = heard(dict(what='.'), None)
    assert not lives and (row.injected, row.lost) == (2, 1)
    assert row.note == 'it hangs'
