"""Kill everything that takes long, at random moments, and look what is lost:

python tools/dev/reliability/kill.py --work-dir WORK_DIR [--times 20] [--only
NAME]

Trainings, a conversion, a test and the following of a video are begun, ended
by ``kill -9`` with all their processes, and run again, until each has been
killed so often; what goes on from where it was, half of the times while a file
is being written. After each kill every file under its final name must be
whole; a run that comes to its end must leave what an unbroken one left.
Written is ``WORK_DIR/reliability/kill.json`` (table.py). The exit status is 1
where something was lost.
"""

import argparse
import random
import shutil
import sys
import time
from pathlib import Path

from integrity import count_parts, faults_in
from rows import Row, write_rows
from running import Ended, Job, run
from tqdm import tqdm
from workloads import jobs_upon, prepare

from rednet_mm.utils.cli import report_user_errors, stop_on_sigterm
from rednet_mm.utils.errors import UserError

# Seconds that one run may take, on however slow a machine.
LIMIT = 1200.0

NAMES = ('clips', 'stills', 'conversion', 'test', 'video')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='kill -9, and look')
    parser.add_argument('--work-dir', required=True, help='is filled')
    parser.add_argument('--times', type=int, default=20, help='kills of each')
    parser.add_argument('--only', nargs='+', choices=NAMES, default=NAMES)
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument(
        '--minutes',
        type=float,
        default=20,
        help='after so long each is killed no more',
    )
    return parser.parse_args()


class Disturbed:
    """A job that is killed again and again.

    Args:
        job (Job): The job.
        folder (Path): Gets ``unbroken`` and ``killed``.
        rng (Random): Draws the moments.

    Attributes:
        faults (list[list[str]]): After each kill, what was wrong then or in
            the run that followed.
    """

    def __init__(self, job: Job, folder: Path, rng: random.Random) -> None:
        self.job = job
        self.rng = rng
        self.unbroken, self.killed = folder / 'unbroken', folder / 'killed'
        self.faults: list[list[str]] = []
        self.parts = self.completed = 0
        self.span = 0.0
        self.unfinished = False

    def run_unbroken(self) -> None:
        """Run it to its end, to compare with and to know how long it takes.

        Raises:
            UserError: if it fails.
        """
        shutil.rmtree(self.unbroken, ignore_errors=True)
        shutil.rmtree(self.killed, ignore_errors=True)
        ended = run(self.job, self.unbroken, LIMIT)
        wrong = faults_in(self.unbroken)
        if ended.status or wrong:
            raise UserError(f'{self.job.part}: {[ended.said, *wrong][-1]}')
        self.span = ended.seconds

    def kill(self) -> bool:
        """Run and kill it once; whether it was still running."""
        moment = self.rng.uniform(0, self.span)
        # A checkpoint is written in a small part of the time, the one that
        # matters. A video's files are always being written, a test's too
        # shortly to be caught.
        in_writing = self.job.goes_on and self.rng.random() < 0.5
        ended = run(self.job, self.killed, LIMIT, moment, in_writing)
        if ended.status is not None:
            self._look_at_the_end(ended)
            return False
        wrong = faults_in(self.killed)
        wrong += self.job.other(self.unbroken, self.killed, False)
        self.faults.append(wrong)
        self.parts += bool(count_parts(self.killed))
        self.unfinished = True
        return True

    def finish(self) -> None:
        """Run it to its end, where it is not there."""
        if self.unfinished:
            self._look_at_the_end(run(self.job, self.killed, LIMIT))

    def _look_at_the_end(self, ended: Ended) -> None:
        wrong = [f'ended by itself: {ended.said}'] if ended.status else []
        wrong += faults_in(self.killed)
        wrong += self.job.other(self.unbroken, self.killed, True)
        if self.faults:
            self.faults[-1] += wrong
        self.unfinished = False
        self.completed += not wrong
        if self.job.goes_on or wrong:
            shutil.rmtree(self.killed, ignore_errors=True)

    def row(self) -> Row:
        """What came of it."""
        lost = sum(map(bool, self.faults))
        note = (
            f'{self.completed} runs came to the end, with the same as the '
            f'unbroken run: {self.job.same}; {self.parts} kills left a part'
        )
        total = len(self.faults)
        return Row(self.job.part, 'kill -9', total, total - lost, lost, note)


def disturb(disturbed: Disturbed, times: int, until: float) -> None:
    """Kill a job so many times, or until it is late, and let it finish."""
    disturbed.run_unbroken()
    with tqdm(total=times, desc=disturbed.job.part, unit='kill') as bar:
        # Moments beyond the end do not count, and must not go on for ever.
        for _ in range(10 * times):
            if bar.n >= times or time.monotonic() > until:
                break
            bar.update(disturbed.kill())
    disturbed.finish()
    for number, wrong in enumerate(disturbed.faults):
        for fault in wrong:
            print(f'lost, kill {number + 1}: {fault}', file=sys.stderr)


def main() -> None:
    args = parse_args()
    started = time.monotonic()
    with report_user_errors(), stop_on_sigterm():
        if args.times < 1:
            raise UserError('--times is 1 or more')
        work = Path(args.work_dir).resolve()
        jobs = jobs_upon(prepare(work))
        rows = []
        for name, job in jobs.items():
            rng = random.Random(f'{args.seed} {name}')
            disturbed = Disturbed(job, work / name, rng)
            if name in args.only:
                until = time.monotonic() + 60 * args.minutes
                disturb(disturbed, args.times, until)
                rows.append(disturbed.row())
                # A stop during the next takes nothing of this one.
                path = write_rows(str(work), 'kill', rows, args.seed, started)
            elif name == 'clips':
                # Test and video take its weights.
                disturbed.run_unbroken()
        for row in rows:
            print(f'{row.part}: {row.injected} killed, {row.lost} lost')
        print(f'written: {path}')
    sys.exit(any(row.lost for row in rows))


if __name__ == '__main__':
    main()
