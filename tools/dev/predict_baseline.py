"""Predict with another system, for tools/evaluate.py:

python tools/dev/predict_baseline.py --baseline dlib DATA.json --out dlib.json

In an environment of its own, see docs/baselines.md.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from baselines.predictions import BOXES, predict

from data_converters.arguments import whole_number
from data_converters.checks import write_report
from data_converters.errors import DataError, main_guard

# Module and class by name; each needs a package that others do not.
BASELINES = {
    'dlib': ('baselines.dlib_68', 'Dlib68'),
    'mediapipe': ('baselines.face_mesh', 'FaceMesh'),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Predict the faces of a converted data set with another '
        'system'
    )
    parser.add_argument('json', type=Path, help='what a converter wrote')
    parser.add_argument('--baseline', choices=list(BASELINES), required=True)
    parser.add_argument('--out', type=Path, required=True, help='.json')
    parser.add_argument(
        '--boxes',
        choices=list(BOXES),
        default='habit',
        help='; '.join(f'{name}: {what}' for name, what in BOXES.items())
        + ' (default: habit)',
    )
    parser.add_argument(
        '--limit', type=whole_number(1), help='of the first images alone'
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    module, name = BASELINES[args.baseline]
    try:
        baseline = getattr(import_module(module), name)()
    except ModuleNotFoundError as error:
        raise DataError(
            f'{sys.executable}: has no {error.name}; make an environment by '
            'pip install -r requirements/baselines.txt'
        ) from None
    found = predict(baseline, args.json, args.boxes, args.limit)
    write_report(found, args.out)
    frames = found['frames']
    missing = sum(frame['keypoints'] is None for frame in frames)
    time = sorted(frame['ms'] for frame in frames)[len(frames) // 2]
    print(
        f'{baseline.name}: {len(frames) - missing} faces, {missing} without '
        f'landmarks, median {time:.1f} ms -> {args.out}'
    )


def main() -> None:
    args = parse_args()
    main_guard(lambda: run(args))


if __name__ == '__main__':
    main()
