"""What the tools of this folder find, in one form.

A tool writes ``WORK_DIR/reliability/NAME.json``::

    {"about": {"command", "commit", "machine", "seed", "date", "seconds"},
     "rows": [{"part", "fault", "injected", "survived", "lost", "note"}]}

and table.py puts the files of all tools into docs/reports/reliability.md.
"""

import datetime
import json
import os.path as osp
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rednet_mm.utils.cli import atomic_dump
from rednet_mm.utils.env import run_environment
from rednet_mm.utils.errors import UserError

FOLDER = 'reliability'

ABOUT = ('command', 'commit', 'machine', 'seed', 'date', 'seconds')


@dataclass(frozen=True)
class Row:
    """One kind of fault, done to one part.

    Args:
        part (str): What was disturbed: ``training``, ``.pts reader``.
        fault (str): What was done to it: ``kill -9``, ``bytes turned``.
        injected (int): How often, or how many inputs were tried.
        survived (int): How often nothing was wrong afterwards.
        lost (int): How often something was: a file torn, a result that
            differs, a hang, a crash without a sentence.
        note (str): What was compared, and what is worth knowing. One line.

    Raises:
        ValueError: if the numbers do not add up.
    """

    part: str
    fault: str
    injected: int
    survived: int
    lost: int
    note: str = ''

    def __post_init__(self) -> None:
        if self.survived + self.lost != self.injected:
            raise ValueError(
                f'{self.part}, {self.fault}: {self.survived} survived and '
                f'{self.lost} lost of {self.injected}'
            )


@dataclass(frozen=True)
class Findings:
    """The rows of one run of a tool, and what that run was.

    Args:
        about (dict[str, str]): Its command, commit, machine, seed, date and
            seconds.
        rows (tuple[Row]): What it found.
    """

    about: dict[str, str]
    rows: tuple[Row, ...]


def write_rows(
    work_dir: str, name: str, rows: Sequence[Row], seed: int, started: float
) -> str:
    """Write what a tool found, complete or not at all.

    Args:
        work_dir (str): The file is ``work_dir/reliability/NAME.json``.
        name (str): Of the tool: ``kill``, ``fuzz``, ``faults``.
        rows (Sequence[Row]): What it found.
        seed (int): Of the run.
        started (float): ``time.monotonic()`` when the run began.

    Returns:
        str: The file.
    """
    run = run_environment()
    command = [osp.relpath(sys.argv[0]), *sys.argv[1:]]
    about = dict(
        command='python ' + shlex.join(command),
        commit=run['commit'],
        machine=f'{run["processor"]}, {run["threads"]} threads, '
        f'Python {run["python"]}, torch {run["torch"]}',
        seed=str(seed),
        date=datetime.date.today().isoformat(),
        seconds=f'{time.monotonic() - started:.0f}',
    )
    path = osp.join(work_dir, FOLDER, f'{name}.json')
    atomic_dump(dict(about=about, rows=[asdict(row) for row in rows]), path)
    return path


def read_rows(path: str) -> Findings:
    """Read what :func:`write_rows` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it is something else.
    """
    with open(path, encoding='utf-8') as stream:
        text = stream.read()
    try:
        content = json.loads(text)
        about = {key: str(content['about'][key]) for key in ABOUT}
        rows = tuple(Row(**row) for row in content['rows'])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{path} is not what a tool of tools/dev/reliability wrote '
            f'({error}); run the tool again'
        ) from error
    return Findings(about, rows)
