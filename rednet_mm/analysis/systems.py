"""Which predictions a command line measures, and by which protocol."""

import argparse
import os

from rednet_mm.evaluation import (
    LandmarkRecords,
    Protocol,
    named_protocol,
    read_dump,
    read_predictions,
)
from rednet_mm.evaluation.protocol import (
    GROUPINGS,
    NORMS,
    PROTOCOLS,
)
from rednet_mm.utils.errors import UserError


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
        help='of other methods, .json or .csv',
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
