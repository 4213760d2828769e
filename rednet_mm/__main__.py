"""Say where the config and the weights of the shipped model are:

python -m rednet_mm
"""

import argparse

from rednet_mm.engine.launch import one_sentence_errors
from rednet_mm.shipped import resources, shipped_model
from rednet_mm.version import __version__

PARTS = ('config', 'weights', 'card', 'tools')


def main() -> None:
    parser = argparse.ArgumentParser(
        prog='python -m rednet_mm',
        description='Where the files of the shipped model are',
    )
    parser.add_argument(
        'part',
        nargs='?',
        choices=PARTS,
        help='print this path alone, for scripts',
    )
    args = parser.parse_args()
    with one_sentence_errors():
        model = shipped_model()
        places = (model.config, model.weights, model.card)
        paths = dict(zip(PARTS, (*places, resources() / 'tools')))
    if args.part:
        print(paths[args.part])
        return
    print(f'rednet_mm {__version__}, {model.name}')
    for part, path in paths.items():
        print(f'{part:8}{path}')
    print(
        '\nMMPoseInferencer(pose2d=CONFIG, pose2d_weights=WEIGHTS), '
        'REDNetInferencer(),\npython tools/track_video.py FILM --out OUT.mp4'
    )


if __name__ == '__main__':
    main()
