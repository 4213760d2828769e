"""Commands that need one another, side by side."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ablations.scheduler import Job, JobRunner, duration, share_of_threads


@pytest.fixture
def job(tmp_path):
    """Makes a job that leaves a file of its name, or fails."""

    def make(name, *needs, status=0, leaves=True, sleep=0.0):
        left = tmp_path / name
        code = f'import sys, time; time.sleep({sleep}); print("{name} speaks")'
        if leaves:
            code += f'; open({str(left)!r}, "w").close()'
        return Job(
            name,
            lambda: [sys.executable, '-c', f'{code}; sys.exit({status})'],
            tmp_path / 'logs' / f'{name}.log',
            needs,
            1.0,
            left.exists,
        )

    return make


def run(jobs, side_by_side=2):
    lines = []
    return JobRunner(jobs, side_by_side, {}, lines.append).run(), lines


def test_a_job_waits_for_those_it_needs(job, tmp_path):
    # 'long ago' is no job: it was done in an earlier run.
    jobs = [job('last', 'first'), job('first', 'long ago', sleep=0.3)]
    failed, lines = run(jobs)
    assert failed == []
    starts = [line for line in lines if 'started' in line]
    assert starts == ['   started: first', '   started: last']
    ends = [line for line in lines if ' of 2 done' in line]
    assert [line.split(' (')[0] for line in ends] == [
        '1 of 2 done: first',
        '2 of 2 done: last',
    ]
    # One of two equal costs is left; at the end nothing is.
    assert 'about' in ends[0] and 'about' not in ends[1]
    assert (tmp_path / 'logs' / 'last.log').read_text() == 'last speaks\n'


def test_as_many_as_wished_run_at_a_time(job):
    for side_by_side in (1, 2):
        _, lines = run([job('a'), job('b')], side_by_side)
        first_two = ['started' in line for line in lines[:2]]
        assert first_two == [True, side_by_side == 2]


def test_what_fails_stops_only_those_that_need_it(job, tmp_path):
    jobs = [
        job('broken', status=3),
        job('after', 'broken'),
        # It ended well and left nothing: no success either.
        job('empty', leaves=False),
        job('other'),
    ]
    failed, lines = run(jobs)
    assert {each.name for each in failed} == {'broken', 'after', 'empty'}
    assert (tmp_path / 'other').exists()
    text = '\n'.join(lines)
    assert 'FAILED: after (left out, needs broken)' in text
    assert f'status 3: see {tmp_path / "logs" / "broken.log"}' in text


def test_an_interrupt_stops_what_runs(job, monkeypatch):
    children = []
    real = subprocess.Popen

    def popen(*args, **kwargs):
        children.append(real(*args, **kwargs))
        return children[-1]

    monkeypatch.setattr(subprocess, 'Popen', popen)

    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        JobRunner([job('long', sleep=60)], 1, {}, interrupt).run()
    # 15 is SIGTERM.
    assert [child.returncode for child in children] == [-15]


def test_time_in_words():
    assert [duration(s) for s in (40, 89, 720, 7500)] == [
        '40 s',
        '89 s',
        '12 min',
        '2 h 05 min',
    ]


def test_each_job_gets_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr('os.sched_getaffinity', lambda _: set(range(6)))
    assert share_of_threads(2, {})['OMP_NUM_THREADS'] == '3'
    assert share_of_threads(9, {})['OMP_NUM_THREADS'] == '1'
    assert 'OMP_NUM_THREADS' not in share_of_threads(1, {})
    assert share_of_threads(1, {})['OMP_WAIT_POLICY'] == 'PASSIVE'
