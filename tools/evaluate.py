"""Measure dumped predictions, several systems side by side:

python tools/evaluate.py DUMP... [--predictions NAME=FILE --annotations JSON]
"""

import argparse
import json
from pathlib import Path

from rednet_mm.analysis import compare, smoothed
from rednet_mm.analysis.systems import (
    add_system_arguments,
    chosen_protocol,
    read_systems,
    split_name,
)
from rednet_mm.analysis.tables import (
    FORMATS,
    SUFFIXES,
    Table,
    table_dict,
    write_table,
)
from rednet_mm.evaluation import Protocol
from rednet_mm.evaluation.protocol import (
    GROUPINGS,
    MEANS,
)
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.env import run_environment
from rednet_mm.utils.filters import OneEuroFilter
from rednet_mm.utils.io import atomic_write, refuse_overwriting
from rednet_mm.utils.shape_filter import ShapeFilter

# What may be shown beside the groups of a protocol.
PARTS = ('video', 'landmark')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Figures, and differences to the first system, of dumped '
        'predictions; docs/evaluation.md says what they mean'
    )
    add_system_arguments(parser)
    parser.add_argument('--mean', help=' or '.join(MEANS))
    parser.add_argument(
        '--by',
        nargs='+',
        default=[],
        choices=[*PARTS, *GROUPINGS],
        help='show videos, landmarks, or groups of frames (one kind)',
    )
    parser.add_argument(
        '--no-smooth',
        action='store_true',
        help='of videos: without the rows of the first system behind the '
        'shape filter and One Euro, the baselines of claims about jitter',
    )
    parser.add_argument(
        '--fps',
        type=float,
        default=25.0,
        help='frames a second of the videos, for the filters (default: 25)',
    )
    parser.add_argument('--out', type=Path, help='write tables here')
    parser.add_argument(
        '--report',
        type=Path,
        help='write a page with plots and worst frames into this folder',
    )
    parser.add_argument(
        '--videos',
        nargs='+',
        default=[],
        help='to be drawn over time in --report, beside the worst one',
    )
    parser.add_argument(
        '--format',
        nargs='+',
        choices=list(FORMATS),
        default=['markdown', 'csv', 'json'],
        help='of the tables in --out (default: markdown csv json)',
    )
    parser.add_argument(
        '--samples', type=int, default=2000, help='of the bootstrap'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the bootstrap')
    return parser.parse_args()


def write_all(
    tables: list[Table], protocol: Protocol, args: argparse.Namespace
) -> None:
    """``evaluation.md`` and so on, each with all tables."""
    for form in args.format:
        path = args.out / f'evaluation{SUFFIXES[form]}'
        if form == 'json':
            content = dict(
                protocol=protocol.to_dict(),
                samples=args.samples,
                seed=args.seed,
                environment=run_environment(),
                tables=list(map(table_dict, tables)),
            )
            text = json.dumps(content, indent=1) + '\n'
        else:
            text = '\n'.join(write_table(table, form) for table in tables)
        with atomic_write(path) as part:
            part.write_text(text)
        print(f'written: {path}')


def main() -> None:
    args = parse_args()
    with report_user_errors():
        if args.out:
            named = [*args.dumps, *args.predictions]
            refuse_overwriting(
                [args.annotations, *(split_name(each)[1] for each in named)],
                [args.out / f'evaluation{SUFFIXES[f]}' for f in args.format],
            )
        systems = read_systems(args)
        protocol = chosen_protocol(args, systems)
        if systems[0].is_video and not args.no_smooth:
            systems += [
                smoothed(systems[0], args.fps, each)
                for each in (ShapeFilter(), OneEuroFilter())
            ]
        found = compare(systems, protocol, args.samples, args.seed)
        tables = found.tables(
            videos='video' in args.by, landmarks='landmark' in args.by
        )
        for table in tables:
            print(write_table(table, 'text'))
        if args.out:
            write_all(tables, protocol, args)
        if args.report:
            # Loads matplotlib, which only a report needs.
            from rednet_mm.analysis.report import write_report

            page = write_report(found, args.report, args.videos)
            print(f'written: {page}')


if __name__ == '__main__':
    main()
