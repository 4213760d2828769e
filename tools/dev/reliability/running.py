"""A command that is run, killed, and run again."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from integrity import count_parts

from rednet_mm.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Job:
    """A command, and what must be true of what it leaves.

    Args:
        part (str): What it is.
        command (Callable): Its words, given the folder for what it leaves.
        goes_on (bool): Whether it goes on from what a killed run left. If
            not, the files of the run before stay beside it, and must.
        other (Callable): Given the folder of an unbroken run, that of the
            disturbed one, and whether the latter has come to its end:
            what is not the same, a sentence each.
        same (str): What is compared then.
        speaks (bool): Whether its first word says that the work begins.
    """

    part: str
    command: Callable[[Path], list[str]]
    goes_on: bool
    other: Callable[[Path, Path, bool], list[str]]
    same: str
    speaks: bool = True


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Args:
        status (int, optional): Its exit status; None where it was killed.
        seconds (float): From its first word on.
        said (str): Its last line.
    """

    status: int | None
    seconds: float
    said: str


def run(
    job: Job,
    folder: Path,
    limit: float,
    kill_after: float | None = None,
    in_writing: bool = False,
) -> Ended:
    """Run a job, and kill it with all its processes after some time.

    Args:
        job (Job): The job.
        folder (Path): For what it leaves; its words go beside it.
        limit (float): Seconds after which it hangs.
        kill_after (float, optional): Seconds from its first word on.
        in_writing (bool): Whether the kill then waits until a file is being
            written. Defaults to False.

    Raises:
        UserError: if it hangs.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_suffix('.log')
    clock = time.time()
    with log.open('wb') as words:
        process = subprocess.Popen(
            job.command(folder),
            stdout=words,
            stderr=subprocess.STDOUT,
            env=environment(),
            cwd=folder.parent,
            start_new_session=True,
        )
    begun = started = time.monotonic()
    waits = job.speaks
    try:
        while process.poll() is None:
            now = time.monotonic()
            if waits and log.stat().st_size:
                waits, begun = False, now
            due = kill_after is not None and now - begun >= kill_after
            if (
                due
                and not waits
                and (not in_writing or count_parts(folder, clock))
            ):
                return Ended(None, now - begun, '')
            if now - started > limit:
                raise UserError(
                    f'{job.part} has not ended after {limit:.0f} seconds; '
                    f'look into {log}'
                )
            time.sleep(0.002)
        seconds = time.monotonic() - begun
    finally:
        # A process that has ended may have left workers.
        kill_group(process)
    last = log.read_text(errors='replace').strip().splitlines()[-1:]
    return Ended(process.returncode, seconds, ''.join(last))


def environment() -> dict[str, str]:
    """That of this process, for commands of this repository."""
    # Sums depend on the number of threads.
    return {
        'OMP_NUM_THREADS': '1',
        **os.environ,
        'PYTHONPATH': str(ROOT),
        'PYTHONWARNINGS': 'ignore',
    }


def kill_group(process: subprocess.Popen) -> None:
    """kill -9 a process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
