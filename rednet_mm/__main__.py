"""Say where configs, tools and the bundled model are, or copy them:

python -m rednet_mm
python -m rednet_mm copy FOLDER
"""

import argparse
from pathlib import Path

from rednet_mm.utils.bundled import (
    FOLDERS,
    bundled_model,
    copy_folders,
    resources,
)
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.version import __version__

PARTS = ('config', 'weights', 'card', *FOLDERS)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m rednet_mm',
        description='Where the files are that come with the package',
    )
    commands = parser.add_subparsers(dest='command', metavar='COMMAND')
    copy = commands.add_parser(
        'copy',
        help='copy configs, tools and data_converters into a folder, for '
        'commands like "python tools/train.py configs/..." to work there; '
        'nothing is overwritten',
    )
    copy.add_argument('folder', type=Path, help='for instance . for this one')
    for part in PARTS:
        commands.add_parser(part, help='print this path alone, for scripts')
    return parser.parse_args()


def part_paths() -> dict[str, Path]:
    """The path of each of :data:`PARTS`."""
    model = bundled_model()
    folders = [resources() / name for name in FOLDERS]
    return dict(
        zip(PARTS, (model.config, model.weights, model.card, *folders))
    )


def main() -> None:
    args = parse_args()
    with report_user_errors():
        if args.command == 'copy':
            count = copy_folders(args.folder)
            print(f'{count} files copied to {args.folder.resolve()}')
            return
        paths = part_paths()
    if args.command:
        print(paths[args.command])
        return
    print(f'rednet_mm {__version__}, {bundled_model().name}')
    width = max(map(len, PARTS)) + 1
    for part, path in paths.items():
        print(f'{part:{width}}{path}')
    print(
        '\nMMPoseInferencer(pose2d=CONFIG, pose2d_weights=WEIGHTS), '
        'REDNetInferencer(),\npython -m rednet_mm copy . && '
        'python tools/track_video.py VIDEO --out OUT.mp4'
    )


if __name__ == '__main__':
    main()
