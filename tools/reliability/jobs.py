"""The work that is disturbed: small, but by the tools that users run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wholeness import count_parts, other_bytes, other_training

from rednet_mm.errors import UserError

ROOT = Path(__file__).resolve().parents[2]

# Three epochs of narrow networks on drawn videos.
CLIPS = """\
_base_ = [{base!r}]
train_cfg = dict(max_epochs=3, val_interval=1)
model = dict(
    backbone=dict(base_channels=16),
    neck=dict(in_channels=128),
    identity_head=dict(in_channels=64),
)
train_dataloader = dict(
    batch_size=2, dataset=dict(data_root={data!r}, clips_per_video=1)
)
val_dataloader = dict(dataset=dict(data_root={data!r}))
test_dataloader = dict(dataset=dict(data_root={data!r}))
"""

# Augmented in data workers, with averaged weights.
STILLS = """\
_base_ = [{base!r}]
train_cfg = dict(max_epochs=3)
custom_hooks = [dict(type='EMAHook')]
model = dict(
    backbone=dict(base_channels=16), neck=dict(in_channels=128)
)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        datasets=[
            dict(
                type='Face300WDataset',
                data_root={data!r},
                ann_file='annotations/csv_train.json',
                data_prefix=dict(img=''),
                indices=72,
            )
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root={data!r}, ann_file='annotations/csv_val.json', indices=32
    )
)
test_dataloader = val_dataloader
"""


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


def tool(script: str, *words: object) -> list[str]:
    """The words of a command of this repository."""
    return [sys.executable, str(ROOT / script), *map(str, words)]


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
    environment = dict(
        os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS='ignore'
    )
    # Sums depend on the number of threads.
    environment.setdefault('OMP_NUM_THREADS', '1')
    with log.open('wb') as words:
        process = subprocess.Popen(
            job.command(folder),
            stdout=words,
            stderr=subprocess.STDOUT,
            env=environment,
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


def kill_group(process: subprocess.Popen) -> None:
    """kill -9 a process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def call(command: list[str]) -> None:
    """Run a command that prepares something.

    Raises:
        UserError: if it fails.
    """
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f'{command[1]} failed: {done.stderr[-500:]}')


def prepare(work: Path) -> dict[str, Job]:
    """Draw and convert the videos; the jobs upon them, by short names.

    Args:
        work (Path): Gets ``material``.
    """
    material = work / 'material'
    source, data = material / 'source', material / 'data'
    call(
        tool(
            'data_converters/make_tiny_300vw.py',
            *(source, '--videos', 12, '--frames', 60, '--size', 96),
        )
    )
    convert = partial(tool, 'data_converters/convert_300vw.py', source)
    protocol = ('--protocol', 'csv', '--subjects', source / 'subjects.csv')
    call(convert(data, *protocol))
    for name, text, base in (
        ('clips', CLIPS, 'rednet_r18_tiny300vw.py'),
        ('stills', STILLS, 'rednet_r18_faces.py'),
    ):
        base = str(ROOT / 'configs' / base)
        text = text.format(base=base, data=str(data))
        (material / f'{name}.py').write_text(text)
    clips = material / 'clips.py'
    weights = work / 'clips' / 'unbroken' / 'epoch_3.pth'

    def train(config: Path, *words: str) -> Callable[[Path], list[str]]:
        return lambda folder: tool(
            'tools/train.py',
            *(config, '--work-dir', folder, '--resume', *words),
        )

    def ended(unbroken: Path, folder: Path, finished: bool) -> list[str]:
        return other_training(unbroken, folder) if finished else []

    def results(unbroken: Path, folder: Path, finished: bool) -> list[str]:
        # Logs of the runs, with times in them, are in a folder beside.
        return other_bytes(unbroken / 'out', folder / 'out', finished)

    return dict(
        clips=Job(
            'training on clips, identity with dropout',
            train(clips),
            True,
            ended,
            'weights, optimizer, schedules and best checkpoint, bit by bit',
        ),
        stills=Job(
            'training on stills, augmented, bfloat16, averaged weights',
            train(material / 'stills.py', '--amp'),
            True,
            ended,
            'weights, their average, optimizer, schedules and best '
            'checkpoint, bit by bit',
        ),
        conversion=Job(
            'conversion with extraction of frames',
            lambda folder: convert(folder, *protocol),
            True,
            other_bytes,
            'all bytes',
            speaks=False,
        ),
        test=Job(
            'test with dump',
            lambda folder: tool(
                'tools/test.py',
                *(clips, weights, '--work-dir', folder / 'logs'),
                *('--dump', folder / 'out' / 'predictions.npz'),
                *('--out', folder / 'out' / 'metrics.json'),
            ),
            False,
            results,
            'all bytes of dump and figures',
        ),
        film=Job(
            'following a face through a film',
            lambda folder: tool(
                'tools/track_video.py',
                *(source / '010' / 'vid.avi', '--config', clips),
                *('--checkpoint', weights),
                *('--start-pts', source / '010' / 'annot' / '000001.pts'),
                # Three epochs make no sure network.
                *('--tracker', 'min_score=-1', 'max_spread=1000'),
                *('--out', folder / 'out' / 'film.mp4'),
                *('--json', folder / 'out' / 'film.json'),
                *('--csv', folder / 'out' / 'film.csv'),
                *('--sheet', folder / 'out' / 'sheet.png'),
            ),
            False,
            results,
            'all bytes of JSON, CSV, film and sheet',
        ),
    )
