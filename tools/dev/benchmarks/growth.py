"""How costs grow with what there is more of, as Markdown:

python tools/dev/benchmarks/growth.py [--video VIDEO --box X Y W H] \\
    [--what training faces resolution length videos] [--json FILE]

* ``training``: a step on clips, by their frames T; the memory in a process
  of its own for each
* ``faces``: tracking, by the number of faces: the video is put beside itself,
  so each face brings its part of the image with it
* ``resolution``: tracking of one face, by the pixels of the video
* ``length``: tracking of one face through the video forward, backward and
  again; what the process takes at the most, network and all, and the state
  at the end (pickled) stay as they are
* ``videos``: the test of ``--config``, random weights, by the number of
  videos: data set, dataloader without workers, network, metrics

Tracking is done by the bundled model, or by ``--model``;
boxes are given, no detector is asked, and no face is given up. Without
``--video`` one is drawn. Sizes take turns; metrics are medians. A cost is
called straight if the line of least squares passes each point at no more than
15 % of it.
"""

import argparse
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from growth_tracking import by_faces, by_length, by_resolution
from growth_training import by_videos, training
from lines import STRAIGHT, Growth
from origin import Origin
from training_step import add_config_arguments, read_config
from videos import GRIDS

from rednet_mm.apis.bundled import ONNX_PACKAGES
from rednet_mm.utils.cli import (
    atomic_dump,
    check_suffix,
    existing_config,
    report_user_errors,
)
from rednet_mm.utils.errors import UserError

# Each with the option that names its sizes. The last one sets the threads of
# OpenCV for the whole process, as MMEngine does.
PARTS = dict(
    training=(training, 'lengths'),
    faces=(by_faces, 'faces'),
    resolution=(by_resolution, 'widths'),
    length=(by_length, 'times'),
    videos=(by_videos, 'videos'),
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser, 'configs/rednet_r18_ytfaces.py')
    parser.add_argument(
        '--what', nargs='+', choices=list(PARTS), default=list(PARTS)
    )
    parser.add_argument('--video', help='one face from its first frame on')
    parser.add_argument(
        '--box',
        nargs=4,
        type=float,
        metavar=('X', 'Y', 'W', 'H'),
        help='that face in the first frame, pixels',
    )
    parser.add_argument(
        '--model',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='that tracks; the one in the package if none is named',
    )
    parser.add_argument(
        '--frames', type=int, default=100, help='of the video, at most'
    )
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--clips', type=int, default=2, help='B of a step')
    for name, sizes, told in (
        ('lengths', [1, 2, 4, 8], 'T of the steps'),
        ('widths', [320, 640, 960, 1280], 'of the video, pixels, even'),
        ('times', [1, 2, 4, 8], 'that the video is gone through'),
        ('videos', [8, 16, 32, 64], 'of the tests'),
    ):
        parser.add_argument(
            f'--{name}', nargs='+', type=int, default=sizes, help=told
        )
    parser.add_argument(
        '--faces',
        nargs='+',
        type=int,
        choices=list(GRIDS),
        default=list(GRIDS),
        help='in the image',
    )
    parser.add_argument('--json', metavar='FILE', help='also write it here')
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """See that all can be measured, before the work.

    Raises:
        FileNotFoundError: if there is no such config or video.
        UserError: for too few sizes, or less than one of something.
    """
    check_suffix('--json', args.json, '.json')
    read_config(args)
    if args.model:
        existing_config(args.model[0])
    if bool(args.video) != bool(args.box):
        raise UserError(
            '--video and --box belong together; name both, or none for a '
            'video that is drawn'
        )
    if args.video and not Path(args.video).exists():
        raise FileNotFoundError(
            f'{args.video} does not exist; name a video with --video'
        )
    if min(args.frames, args.repeats, args.clips) < 1:
        raise UserError('--frames, --repeats and --clips are 1 or more')
    for part in args.what:
        _, option = PARTS[part]
        sizes = getattr(args, option)
        if len(set(sizes)) < 3 or min(sizes) < 1:
            raise UserError(
                f'--{option} {" ".join(map(str, sizes))}: name three '
                'different numbers or more, each 1 or more'
            )


def cell(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)


def as_markdown(growth: Growth) -> str:
    """The table, and what is to be said of its columns."""
    head = list(growth.rows[0])
    table = [head, ['---'] * len(head)]
    table += [[cell(each) for each in row.values()] for row in growth.rows]
    said = []
    for column, line in growth.lines().items():
        about = (
            f'straight (no point further than {STRAIGHT:.0%} of it): '
            f'{"yes" if line.straight else "no"}, {line.off:.1%}'
            if column in growth.straight
            else f'largest over smallest: {growth.ratios()[column]:.4f}'
        )
        said.append(
            f'* {column}: {line.start:.4g} + {line.slope:.4g} x '
            f'{growth.size}; {about}'
        )
    rows = [f'| {" | ".join(each)} |' for each in table]
    return '\n'.join([f'### {growth.title}', '', *rows, '', *said, ''])


def as_data(growth: Growth) -> dict[str, Any]:
    """The same for other programs."""
    lines = growth.lines()
    return dict(
        asdict(growth),
        lines={column: asdict(line) for column, line in lines.items()},
        is_straight={each: lines[each].straight for each in growth.straight},
        largest_over_smallest=growth.ratios(),
    )


def run(args: argparse.Namespace) -> None:
    check(args)
    found = {}
    for part, (measure, _) in PARTS.items():
        if part in args.what:
            with tempfile.TemporaryDirectory() as folder:
                found[part] = measure(args, Path(folder))
    runtime = {
        name: version(name) for name in ONNX_PACKAGES if find_spec(name)
    }
    origin = Origin.here(**runtime)
    video = args.video or 'drawn'
    print(
        f'{origin}. Video: {video}; medians of {args.repeats} in turns; MB '
        'are 10^6 bytes.\n'
    )
    print('\n'.join(as_markdown(each) for each in found.values()), end='')
    if args.json:
        parts = {part: as_data(each) for part, each in found.items()}
        atomic_dump(dict(asdict(origin), parts=parts), args.json)


def main() -> None:
    args = parse_args()
    with report_user_errors():
        run(args)


if __name__ == '__main__':
    main()
