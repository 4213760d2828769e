"""Check converted data sets, with their images, and report what is wrong:

python tools/dataset/check_dataset.py TRAIN.json TEST.json [--out REPORT.json]

The exit status is 0 where nothing is wrong or only warnings were found, 1
where errors were found, and 2 where a file cannot be read at all.
"""

import argparse
import sys
from pathlib import Path

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data_converters.checks import (
    TINY_FACE,
    as_text,
    check_files,
    write_report,
)
from data_converters.errors import main_guard


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Check converted data sets, each and beside each other'
    )
    parser.add_argument(
        'json', nargs='+', type=Path, help='files that a converter wrote'
    )
    parser.add_argument(
        '--data-root',
        type=Path,
        help='folder of the images (default: the one above the folder of '
        'the JSON file)',
    )
    parser.add_argument(
        '--no-images', action='store_true', help='do not decode the images'
    )
    parser.add_argument(
        '--tiny',
        type=float,
        default=TINY_FACE,
        help='pixels of the longer side of a box below which a face is '
        f'called tiny (default: {TINY_FACE})',
    )
    parser.add_argument(
        '--examples', type=int, default=3, help='of each kind (default: 3)'
    )
    parser.add_argument(
        '--workers', type=int, help='threads that decode the images'
    )
    parser.add_argument('--out', type=Path, help='also write a JSON report')
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    report = check_files(
        args.json,
        root=args.data_root,
        images=not args.no_images,
        tiny=args.tiny,
        keep=args.examples,
        workers=args.workers,
    )
    print(as_text(report))
    if args.out:
        write_report(report, args.out)
    if report['errors']:
        sys.exit(1)


def main() -> None:
    args = parse_args()
    main_guard(lambda: check(args))


if __name__ == '__main__':
    main()
