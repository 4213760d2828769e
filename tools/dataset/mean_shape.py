"""Print the mean shape of a data set, for ``init_from='mean'``:

python tools/dataset/mean_shape.py ANNOTATIONS.json [--padding 1.25]
"""

import argparse
import json
from pathlib import Path

import numpy as np

from rednet_mm.datasets.annotations import reading_annotations
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import SEVEN_OF_68


def mean_shape(path: Path, padding: float) -> np.ndarray:
    """Mean of the detected landmarks, as a share of the network's input.

    Args:
        path (Path): A JSON file of our converters, 68 points.
        padding (float): By which the pipeline enlarges the boxes.

    Returns:
        np.ndarray: Shape (7, 2).

    Raises:
        FileNotFoundError: if there is no such file.
        UserError: if it is another file, or no face has all of the points.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; name a file that a converter wrote'
        )
    shapes = []
    with reading_annotations(str(path)):
        for face in json.loads(path.read_text())['annotations']:
            points = np.reshape(face['keypoints'], (-1, 3))[list(SEVEN_OF_68)]
            if (points[:, 2] > 0).all():
                side = 200 * face['scale'] * padding
                shapes.append((points[:, :2] - face['center']) / side + 0.5)
    if not shapes:
        raise UserError(f'{path} has no face with all points annotated')
    return np.mean(shapes, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('annotations', type=Path, help='JSON of a converter')
    parser.add_argument(
        '--padding',
        type=float,
        default=1.25,
        help="of the pipeline's GetBBoxCenterScale",
    )
    args = parser.parse_args()
    with report_user_errors():
        shape = mean_shape(args.annotations, args.padding)
    print(f'mean_shape={np.round(shape, 4).tolist()}')


if __name__ == '__main__':
    main()
