"""Give every reader damaged and hostile files, for as long as is wanted:

python tools/dev/reliability/fuzz.py WORK_DIR --seconds 600 --seed 0

Made are files that hypothesis draws, good ones that are damaged (those of
the tests, and real ones where --real has any), and ones that are known to be
hard. A reader reads a file or refuses it with one documented sentence;
everything else is a loss: another error, a hang, memory, a file that is
touched outside the reader's folder. A process bounded in memory does it; it
is started again when it dies.

What is lost is kept in WORK_DIR/reliability/lost, with its error beside it;
WORK_DIR/reliability/fuzz.json gets the counts, on Ctrl-C and SIGTERM too. The
exit status is 1 where something was lost.
"""

import argparse
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Any

from rows import FOLDER, Row, write_rows

from rednet_mm.utils.cli import stop_on_sigterm

ROOT = Path(__file__).resolve().parents[3]
CHILD = Path(__file__).with_name('fuzz_child.py')

# How the inputs of a row came about.
WAYS = {
    'hard': 'files known to be hard',
    'drawn': 'files drawn by hypothesis',
    'damaged': 'good files, damaged',
}

# Inputs of a job; the clock is looked at between jobs.
BATCH = 40


@dataclass
class Count:
    """Of the inputs of one reader that came about in one way."""

    tried: int = 0
    lost: int = 0
    reasons: list[str] = field(default_factory=list)


class Child:
    """The process that reads, and what it says.

    Args:
        args: Of the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        # It stays when the process dies, with what it was reading.
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [
                *(sys.executable, str(CHILD), '--memory', str(args.memory)),
                *('--real', str(args.real), '--folder', self._folder.name),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._said: queue.Queue[dict | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        # Libraries are loaded and the good files are made.
        self.file = ''
        if self.hear(300) is None:
            raise SystemExit('the process that reads does not start')

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._said.put(json.loads(line))
        finally:
            self._said.put(None)

    def ask(self, job: dict[str, Any]) -> None:
        """Give it a job."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + '\n')
        self._process.stdin.flush()

    def hear(self, seconds: float) -> dict | None:
        """What it says next; None where it hangs or has died."""
        try:
            return self._said.get(timeout=seconds)
        except queue.Empty:
            return None

    def end(self) -> str:
        """End it; how it ended."""
        try:
            # What closed its output is about to end.
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return 'it hangs'
        return f'it ends by itself, with status {status}'

    def forget(self) -> None:
        """Remove what it has left on the disk."""
        self._folder.cleanup()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Give readers damaged files and count what becomes of it'
    )
    parser.add_argument('work_dir', help='gets reliability/fuzz.json')
    parser.add_argument('--seconds', type=float, default=600)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--readers', nargs='+', help='some of them (default: all)'
    )
    parser.add_argument(
        '--patience', type=float, default=60, help='seconds for one input'
    )
    parser.add_argument(
        '--memory',
        type=int,
        default=1024,
        help='MiB that reading may take beside what is loaded',
    )
    parser.add_argument(
        '--megabytes', type=int, default=100, help='of the large inputs'
    )
    parser.add_argument(
        '--real',
        type=Path,
        default=ROOT.parent / 'shared' / 'fixtures',
        help='folder of real files (default: %(default)s)',
    )
    parser.add_argument(
        '--atheris',
        action='store_true',
        help='also let atheris look for new paths through the code of the '
        'readers of text (to be installed: pip install atheris)',
    )
    return parser.parse_args()


def keep(folder: Path, name: str, content: bytes, why: str) -> None:
    """Store an input that was lost, and why, once."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = blake2b(content, digest_size=4).hexdigest()
    path = folder / f'{name.replace(" ", "_")}-{digest}'
    path.write_bytes(content)
    path.with_suffix('.txt').write_text(why)


def run_job(
    child: Child, job: dict[str, Any], count: Count, args: argparse.Namespace
) -> bool:
    """Let a job be done and count; whether the child lives."""
    child.ask(job)
    lost_in = Path(args.work_dir, FOLDER, 'lost')
    while True:
        heard = child.hear(args.patience)
        what = heard['what'] if heard else 'dead'
        if what == 'begin' and heard:
            child.file = heard['file']
        elif what == 'end':
            return True
        else:
            count.tried += 1
        if what in ('lost', 'dead'):
            count.lost += 1
            why = heard['trace'] if heard else child.end()
            content = Path(child.file).read_bytes()
            count.reasons.append(why.splitlines()[-1])
            keep(lost_in, job['reader'], content, why)
            print(f'{job["reader"]}: lost: {why.splitlines()[-1][:200]}')
        if what == 'dead':
            return False


def plan(readers: list[str]) -> Iterator[tuple[str, str]]:
    """Way and reader of each job: all in turn, what is hard once."""
    yield from product(('damaged', 'drawn', 'hard'), readers)
    while True:
        yield from product(('damaged', 'drawn'), readers)


def try_all(
    counts: dict[tuple[str, str], Count],
    jobs: Iterable[tuple[str, str]],
    args: argparse.Namespace,
    started: float,
) -> None:
    """Do jobs until the time is up."""
    child = Child(args)
    for number, (way, reader) in enumerate(jobs):
        if time.monotonic() - started > args.seconds:
            break
        job = dict(
            reader=reader,
            way=way,
            seed=args.seed * 1_000_003 + number,
            number=BATCH,
            megabytes=args.megabytes,
        )
        if not run_job(child, job, counts[reader, way], args):
            child.forget()
            child = Child(args)
    child.end()
    child.forget()


def as_rows(counts: dict[tuple[str, str], Count]) -> list[Row]:
    """One row of each reader and way."""
    rows = []
    for (reader, way), count in counts.items():
        kinds = dict.fromkeys(reason[:80] for reason in count.reasons)
        rows.append(
            Row(
                f'reader: {reader}',
                WAYS[way],
                count.tried,
                count.tried - count.lost,
                count.lost,
                '; '.join(list(kinds)[:3]),
            )
        )
    return rows


def main() -> None:
    args = parse_args()
    started = time.monotonic()
    sys.path.insert(0, str(ROOT / 'tests' / 'fuzz'))
    from readers import READERS

    readers = args.readers or list(READERS)
    unknown = set(readers) - set(READERS)
    if unknown:
        sys.exit(f'error: no reader {min(unknown)}; choose {list(READERS)}')
    counts: dict[tuple[str, str], Count] = defaultdict(Count)
    try:
        with stop_on_sigterm():
            try_all(counts, plan(readers), args, started)
    except KeyboardInterrupt:
        print('interrupted; what was tried is written')
        args.atheris = False
    rows = as_rows(counts)
    if args.atheris:
        from fuzz_atheris import explore

        rows += explore(args)
    for row in rows:
        print(f'{row.part:28}{row.fault:28}{row.injected:8}{row.lost:6}')
    print(
        'written:',
        write_rows(args.work_dir, 'fuzz', rows, args.seed, started),
    )
    sys.exit(any(row.lost for row in rows))


if __name__ == '__main__':
    main()
