"""Measure dumped predictions, several systems side by side:

python tools/evaluate.py DUMP... [--predictions NAME=FILE --annotations JSON]
"""

import argparse
import json
import os
from pathlib import Path

from rednet_mm.engine.launch import one_sentence_errors
from rednet_mm.errors import UserError
from rednet_mm.evaluation import (
    LandmarkRecords,
    Protocol,
    compare,
    named_protocol,
    read_dump,
    read_predictions,
    smoothed,
)
from rednet_mm.evaluation.protocol import (
    GROUPINGS,
    MEANS,
    NORMS,
    PROTOCOLS,
)
from rednet_mm.evaluation.tables import (
    FORMATS,
    SUFFIXES,
    Table,
    table_dict,
    write_table,
)
from rednet_mm.files import whole
from rednet_mm.one_euro import OneEuroFilter
from rednet_mm.provenance import describe_run
from rednet_mm.shape_filter import ShapeFilter

# What may be shown beside the groups of a protocol.
PARTS = ('video', 'landmark')


def add_system_arguments(parser: argparse.ArgumentParser) -> None:
    """Which predictions are measured, and by which protocol."""
    parser.add_argument(
        'dumps',
        nargs='*',
        metavar='[NAME=]DUMP',
        help='what tools/test.py --dump wrote',
    )
    parser.add_argument(
        '--predictions',
        nargs='+',
        action='extend',
        default=[],
        metavar='[NAME=]FILE',
        help='of other systems, .json or .csv',
    )
    parser.add_argument(
        '--annotations', help='annotation file that --predictions are of'
    )
    parser.add_argument(
        '--protocol',
        default='rednet',
        help=f'{", ".join(PROTOCOLS)} (default: %(default)s)',
    )
    parser.add_argument('--norm', help=', '.join(NORMS))
    parser.add_argument('--points', help='68, 51, 49, 7, all, or 36,39,...')


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
        help='write a page with figures and worst frames into this folder',
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


def read_systems(args: argparse.Namespace) -> list[LandmarkRecords]:
    """Everything that the command line names, in its order.

    Raises:
        UserError: if nothing is named, two have one name, or predictions
            come without annotations.
    """
    if args.predictions and not args.annotations:
        raise UserError(
            '--predictions hold no truth; name the annotation file that they '
            'are of with --annotations'
        )
    systems = []
    for word in args.dumps:
        name, path = split_name(word)
        systems.append(read_dump(path, name))
    for word in args.predictions:
        name, path = split_name(word)
        systems.append(read_predictions(path, args.annotations, name))
    if not systems:
        raise UserError('nothing to measure; name dumps or --predictions')
    names = [each.name for each in systems]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UserError(
            f'two systems are called {min(twice)}; name them: NAME=FILE'
        )
    return systems


def split_name(word: str) -> tuple[str | None, str]:
    """``NAME=FILE`` or ``FILE``; a file that is there may hold a '='."""
    name, sign, path = word.partition('=')
    if not sign or os.path.exists(word):
        return None, word
    return name, path


def chosen_protocol(
    args: argparse.Namespace, systems: list[LandmarkRecords]
) -> Protocol:
    """The named protocol with the command line's changes."""
    groupings = [each for each in args.by if each in GROUPINGS]
    if len(groupings) > 1:
        raise UserError(
            f'--by {" ".join(groupings)}: frames are grouped by one of them '
            'at a time'
        )
    boxes = {each.provenance.get('boxes', 'unknown') for each in systems}
    said = ', '.join(
        f'{each.provenance.get("boxes", "unknown")} ({each.name})'
        for each in systems
    )
    return named_protocol(
        args.protocol,
        norm=args.norm,
        points=args.points,
        mean=args.mean,
        grouping=groupings[0] if groupings else None,
        boxes=boxes.pop() if len(boxes) == 1 else said,
    )


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
                environment=describe_run(),
                tables=list(map(table_dict, tables)),
            )
            text = json.dumps(content, indent=1) + '\n'
        else:
            text = '\n'.join(write_table(table, form) for table in tables)
        with whole(path) as part:
            part.write_text(text)
        print(f'written: {path}')


def main() -> None:
    args = parse_args()
    with one_sentence_errors():
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
            from rednet_mm.evaluation.report import write_report

            page = write_report(found, args.report, args.videos)
            print(f'written: {page}')


if __name__ == '__main__':
    main()
