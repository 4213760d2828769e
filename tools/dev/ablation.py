"""Train and test ablations, and write the paper's tables with the results:

python tools/dev/ablation.py [CONFIG ...] --scale SCALE.py --seeds 0 1 2 \\
    --jobs 2 --out FOLDER
"""

import argparse
import sys
from pathlib import Path
from typing import Any, Optional

import torch
from ablations.figure9 import figure_lines
from ablations.runs import Runs, all_ablations
from ablations.scheduler import JobRunner, share_of_threads
from ablations.tables import all_tables, row_records

import rednet_mm  # noqa: F401
from rednet_mm.engine.scaling import read_scale
from rednet_mm.engine.stages import child_environment
from rednet_mm.utils import io, markdown
from rednet_mm.utils.cli import report_user_errors, stop_on_sigterm
from rednet_mm.utils.errors import UserError

# What --doc replaces of a page: all that follows this line.
MARK = '<!-- From here on: written by tools/dev/ablation.py -->'

# Of a dump's provenance, what is said of all runs together.
SAID = ('commit', 'processor', 'gpu', 'python', 'torch', 'data')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train and test ablations, write the paper's tables; the "
        'same command goes on where it stopped. Stop it with Ctrl-C or TERM'
    )
    parser.add_argument(
        'configs',
        nargs='*',
        type=Path,
        help='which of configs/ablations (default: all of the scale)',
    )
    parser.add_argument(
        '--scale', help='smaller experiments: a file of ablations/scales'
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=int,
        help='a training of each row with each (default: that of the config)',
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='folder of runs and tables'
    )
    parser.add_argument(
        '--doc',
        type=Path,
        help=f'also write the tables into this page, after its line {MARK}',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='trainings side by side, which share the cores; on a CPU, a '
        'core to each is fastest',
    )
    parser.add_argument(
        '--gpus', type=int, default=0, help='how many GPUs; 0: one process'
    )
    parser.add_argument(
        '--tables-only',
        action='store_true',
        help='train nothing, write the tables of what is there',
    )
    return parser.parse_args()


def run_all(runs: Runs, jobs: int, gpus: int) -> None:
    """Train and test what is not yet.

    Raises:
        UserError: if any of it failed.
    """
    wanted = runs.jobs(gpus)
    print(f'{len(wanted)} trainings and tests to do', flush=True)
    failed = JobRunner(
        wanted,
        jobs,
        share_of_threads(jobs, child_environment()),
        lambda line: print(line, flush=True),
    ).run()
    if failed:
        raise UserError(
            f'{len(failed)} trainings and tests failed, the first is '
            f'{failed[0].name}: see {failed[0].log}, and run the same command '
            'again'
        )


def write_tables(runs: Runs, about: str) -> str:
    """All tables of what is there, as Markdown in ``tables.md``."""
    runs.out.mkdir(parents=True, exist_ok=True)
    curves = figure_lines(runs, runs.out / 'figure9.png')
    text = '\n'.join([about, '', all_tables(runs), *curves]).rstrip() + '\n'
    with io.atomic_write(runs.out / 'tables.md') as part:
        part.write_text(text)
    return text


def replace_section(page: Path, text: str) -> str:
    """A page with all that follows the mark replaced.

    Raises: as :func:`rednet_mm.utils.markdown.replace_section`.
    """
    return markdown.replace_section(page, MARK, text)


def describe(runs: Runs, scale: Optional[str], seeds: Any) -> str:
    """What the tables were made with."""
    known = [
        each.provenance for row in runs.rows for each in row_records(runs, row)
    ]
    said = []
    for name in SAID:
        values = sorted({each.get(name) or '-' for each in known})
        if values:
            said.append(f'{name} {" and ".join(values)}')
    words = ' '.join(sys.argv[1:])
    seeds = ', '.join(map(str, seeds)) if seeds else 'of the configs'
    return (
        f'Written by `python tools/dev/ablation.py {words}`: scale '
        f'`{scale or "of the paper"}`, seeds {seeds}; '
        f'{", ".join(said) or "nothing is tested yet"}. Memory: megabytes of '
        'the weights in float32. Time: one frame, one call, '
        f'{torch.get_num_threads()} threads, when the tables were written.'
    )


def main() -> None:
    args = parse_args()
    stopped = 'interrupted; the same command goes on'
    with report_user_errors(stopped), stop_on_sigterm():
        scale = read_scale(args.scale) if args.scale else {}
        paths = args.configs or all_ablations(scale.get('left_out', ()))
        runs = Runs(args.out, paths, scale or None, args.seeds)
        if args.doc:
            replace_section(
                args.doc, ''
            )  # says what is wrong, before the work
        try:
            if not args.tables_only:
                run_all(runs, args.jobs, args.gpus)
        finally:
            # What failed or was interrupted leaves the others' metrics.
            text = write_tables(runs, describe(runs, args.scale, args.seeds))
        print(text)
        print(f'written: {args.out / "tables.md"}')
        if args.doc:
            content = replace_section(args.doc, text)
            with io.atomic_write(args.doc) as part:
                part.write_text(content)


if __name__ == '__main__':
    main()
