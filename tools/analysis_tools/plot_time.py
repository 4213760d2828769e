"""Draw what systems do over the frames of one video:

python tools/analysis_tools/plot_time.py DUMP... --video NAME --what error
--out FILE.png
"""

import argparse
from pathlib import Path

from rednet_mm.analysis.report import (
    CURVES,
    draw_track,
    image,
    plot_style,
    track_named,
    write_files,
)
from rednet_mm.analysis.systems import (
    add_system_arguments,
    chosen_protocol,
    read_systems,
)
from rednet_mm.evaluation import evaluate, pair
from rednet_mm.utils.cli import check_suffix, report_user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw what systems do over the frames of one video'
    )
    add_system_arguments(parser)
    # Neither tells on single frames.
    parser.set_defaults(by=[], mean=None)
    parser.add_argument('--video', required=True, help='name of the video')
    parser.add_argument(
        '--what',
        choices=list(CURVES),
        default='error',
        help='error of landmarks, of motion, acceleration of the predictions '
        "or x of a landmark beside the ground truth's (default: %(default)s)",
    )
    parser.add_argument(
        '--out', required=True, help='write it here: .png, .svg or .pdf'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with report_user_errors():
        check_suffix('--out', args.out, '.png', '.svg', '.pdf')
        systems = pair(read_systems(args))
        protocol = chosen_protocol(args, systems)
        track = track_named(systems[0], args.video)
        summaries = [evaluate(each, protocol) for each in systems]
        with plot_style():
            figure = draw_track(
                summaries, track, args.what, f'video {args.video}'
            )
        out = Path(args.out)
        form = out.suffix[1:].lower()
        write_files(out.parent, {out.name: image(figure, form)})
    print(f'{protocol.sentence()}\nwritten: {out}')


if __name__ == '__main__':
    main()
