"""Commands that need one another, several of them side by side."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

# Seconds between two looks at what runs.
PAUSE = 0.2

# What is left of a stopped job's time to end by itself, seconds.
GRACE = 20


@dataclass(frozen=True)
class Job:
    """A command whose turn comes when those before it have ended well.

    Args:
        name (str): One of its kind among the jobs.
        command (Callable[[], list[str]]): Called when its turn has come.
        log (Path): What it says is added to this file.
        needs (tuple[str]): Names of the jobs that come first; a name that
            is not among the jobs was done before.
        cost (float): How long it takes, in any unit, for the time to go.
        done (Callable[[], bool]): Whether it left what it should.
    """

    name: str
    command: Callable[[], list[str]]
    log: Path
    needs: tuple[str, ...]
    cost: float
    done: Callable[[], bool]


class JobRunner:
    """Runs jobs side by side and says how far they are.

    A job that fails stops none but those that need it.

    Args:
        jobs (Sequence[Job]): In the order in which they are wished.
        side_by_side (int): How many run at a time.
        environment (Mapping[str, str]): Of every command.
        say (Callable[[str], None]): Takes a line of progress.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        side_by_side: int,
        environment: Mapping[str, str],
        say: Callable[[str], None] = print,
    ) -> None:
        self.waiting = list(jobs)
        self.side_by_side = side_by_side
        self.environment = dict(environment)
        self.say = say
        self.total = len(jobs)
        self.ended = 0
        self.failed: list[Job] = []
        self.running: dict[Job, tuple[subprocess.Popen, float]] = {}
        self.spent = self.seconds = 0.0

    def run(self) -> list[Job]:
        """Run them all.

        Whatever ends it (an interrupt), what runs is stopped first.

        Returns:
            list[Job]: Those that failed, and those that needed them.
        """
        try:
            while self.waiting or self.running:
                self._start()
                time.sleep(PAUSE)
                for job in list(self.running):
                    self._look_at(job)
        finally:
            self._stop()
        return self.failed

    def _start(self) -> None:
        """Start what can run now; give up what never can."""
        for job in list(self.waiting):
            lacking = {each.name for each in self.failed} & set(job.needs)
            if lacking:
                self.waiting.remove(job)
                self._end(job, f'left out, needs {", ".join(lacking)}', False)
        for job in list(self.waiting):
            if len(self.running) >= self.side_by_side:
                return
            before = {each.name for each in (*self.waiting, *self.running)}
            if before & set(job.needs):
                continue
            self.waiting.remove(job)
            job.log.parent.mkdir(parents=True, exist_ok=True)
            with job.log.open('ab') as stream:
                child = subprocess.Popen(
                    job.command(),
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    env=self.environment,
                )
            self.running[job] = child, time.monotonic()
            self.say(f'   started: {job.name}')

    def _look_at(self, job: Job) -> None:
        child, start = self.running[job]
        if child.poll() is None:
            return
        del self.running[job]
        seconds = time.monotonic() - start
        good = child.returncode == 0 and job.done()
        words = duration(seconds)
        if good:
            self.spent += job.cost
            self.seconds += seconds
        else:
            words += f', status {child.returncode}: see {job.log}'
        self._end(job, words, good)

    def _end(self, job: Job, words: str, good: bool) -> None:
        self.ended += 1
        if not good:
            self.failed.append(job)
        outcome = 'done' if good else 'FAILED'
        self.say(
            f'{self.ended} of {self.total} {outcome}: {job.name} ({words})'
            + self._to_go()
        )

    def _to_go(self) -> str:
        """How long the rest will take, as far as it can be told."""
        left = sum(job.cost for job in (*self.waiting, *self.running))
        if not left or not self.spent:
            return ''
        seconds = left * self.seconds / self.spent / self.side_by_side
        return f'; about {duration(seconds)} to go'

    def _stop(self) -> None:
        children = [child for child, _ in self.running.values()]
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def duration(seconds: float) -> str:
    """Seconds as a person says them: 40 s, 12 min, 2 h 05 min."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    if minutes < 90:
        return f'{minutes} min'
    return f'{minutes // 60} h {minutes % 60:02d} min'


def share_of_threads(
    side_by_side: int, environment: Optional[Mapping[str, str]] = None
) -> dict[str, str]:
    """Variables that give each of the jobs its share of the cores.

    Threads of one process wait for one another at every layer; with a core
    to each process there is nothing to wait for.

    Args:
        side_by_side (int): Jobs at a time.
        environment (Mapping[str, str], optional): What else is set; that of
            this process if None.
    """
    shared = dict(os.environ if environment is None else environment)
    shared.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    if side_by_side > 1:
        cores = len(os.sched_getaffinity(0))
        shared['OMP_NUM_THREADS'] = str(max(1, cores // side_by_side))
    return shared
