"""Draw what a config reads, or what its network is shown:

python tools/dataset/browse_dataset.py CONFIG --out FOLDER [--original]

A clip is a row of its frames, still images stand side by side. Keypoints are
at their places after the transforms of the config; those that are not visible
are left out. With --original they and the boxes are drawn on the images.
"""

import argparse
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Optional

import cv2
import numpy as np
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS
from tqdm import tqdm

from rednet_mm.datasets import LoadVideoFrame, VideoClipDataset
from rednet_mm.utils.cli import existing_config, report_user_errors
from rednet_mm.utils.errors import UserError
from rednet_mm.visualization.drawing import contact_sheet, draw_keypoints

# Of a sheet of still images, and rows of any sheet.
COLUMNS, ROWS = 6, 8
GRAY = (200, 200, 200)


@dataclass(frozen=True)
class Picture:
    """One frame and what is drawn on it.

    Args:
        image (np.ndarray): Shape (H, W, 3), BGR, uint8.
        keypoints (np.ndarray): Shape (K, 2), pixels of the image.
        visible (np.ndarray): Shape (K,).
        name (str): What is written under it.
        box (np.ndarray, optional): x1 y1 x2 y2, pixels of the image.
    """

    image: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    name: str
    box: Optional[np.ndarray] = None


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw what a config reads, or what its network is shown'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--split', choices=['train', 'val', 'test'], default='train'
    )
    parser.add_argument(
        '--original',
        action='store_true',
        help='boxes and keypoints on the images, before the transforms',
    )
    parser.add_argument(
        '--number', type=int, default=12, help='clips or still images'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the choice')
    parser.add_argument(
        '--size', type=int, default=256, help='side of an image, pixels'
    )
    parser.add_argument('--out', type=Path, help='folder of the sheets')
    parser.add_argument(
        '--show', action='store_true', help='show the sheets in a window'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings to override, key=value',
    )
    return parser.parse_args()


def build_dataset(cfg: Config, split: str) -> Any:
    """The data set of a split, whose items carry the keypoints in the crop.

    Raises:
        FileNotFoundError: if an annotation file is missing.
        UserError: if the config has no such split, or its pipeline does not
            end with PackPoseInputs.
    """
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        raise UserError(f'{cfg.filename} has no {split}_dataloader')
    settings = loader.dataset
    for each in settings.get('datasets', [settings]):
        path = os.path.join(each.get('data_root') or '', each.ann_file)
        if not os.path.exists(path):
            raise FileNotFoundError(
                f'{path} does not exist; make it with a converter'
            )
    if settings.pipeline[-1].type != 'PackPoseInputs':
        raise UserError(
            f'{cfg.filename}: the pipeline of {split} does not end with '
            'PackPoseInputs'
        )
    settings.pipeline[-1].pack_transformed = True
    init_default_scope('mmpose')
    return DATASETS.build(settings)


def originals(dataset: Any, item: int) -> Iterator[Picture]:
    """The images of an item, one or those of a clip."""
    places = [item]
    if isinstance(dataset, VideoClipDataset) and not dataset.test_mode:
        places = dataset.clip_frames(item)
    load = LoadVideoFrame(ignore_empty=True)
    for place in places:
        info = dataset.get_data_info(place)
        loaded = load(dict(img_path=info['img_path']))
        image = loaded and loaded['img']
        if image is None:
            raise UserError(
                f'{info["img_path"]} cannot be read; look at the data with '
                'tools/dataset/check_dataset.py'
            )
        yield Picture(
            image,
            info['keypoints'][0],
            _of_one_face(info['keypoints_visible']),
            _name_of(info['img_path']),
            info['bbox'][0],
        )


def inputs(dataset: Any, item: int) -> Iterator[Picture]:
    """What the network is shown of an item, one crop or those of a clip."""
    packed = dataset[item]
    images, samples = packed['inputs'], packed['data_samples']
    if images.ndim == 3:
        images, samples = images[None], [samples]
    for image, sample in zip(images, samples):
        faces = sample.gt_instances
        yield Picture(
            np.ascontiguousarray(image.permute(1, 2, 0).numpy()),
            faces.transformed_keypoints[0],
            _of_one_face(faces.keypoints_visible),
            _name_of(sample.metainfo['img_path']),
        )


def _of_one_face(visible: np.ndarray) -> np.ndarray:
    """(1, K), or (1, K, 2) with weights from KeypointConverter, to (K,)."""
    return visible[0].reshape(visible.shape[1], -1)[:, 0]


def _name_of(path: str) -> str:
    return '/'.join(Path(path).parts[-2:])


def draw(picture: Picture, size: int) -> np.ndarray:
    """An image with its keypoints, fitted into a square.

    Args:
        image (Image): What to draw.
        size (int): Side of the square, pixels.

    Returns:
        np.ndarray: Shape (size, size, 3), BGR, uint8.
    """
    height, width = picture.image.shape[:2]
    factor = size / max(height, width)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    # Drawn after resizing, for lines of one width. Pixels are squares round
    # whole coordinates.
    fitted = cv2.resize(
        picture.image,
        (max(1, round(width * factor)), max(1, round(height * factor))),
        interpolation=method,
    )
    if picture.box is not None:
        one, two = np.round(
            (picture.box.reshape(2, 2) + 0.5) * factor - 0.5
        ).astype(int)
        cv2.rectangle(fitted, one.tolist(), two.tolist(), GRAY)
    keypoints = (picture.keypoints + 0.5) * factor - 0.5
    draw_keypoints(fitted, keypoints, picture.visible)
    tile = np.zeros((size, size, 3), np.uint8)
    tile[: fitted.shape[0], : fitted.shape[1]] = fitted
    for colour, thickness in (((0, 0, 0), 3), (GRAY, 1)):
        cv2.putText(
            tile,
            picture.name,
            (3, size - 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            size / 768,
            colour,
            thickness,
            cv2.LINE_AA,
        )
    return tile


def draw_sheets(
    dataset: Any, number: int, seed: int, size: int, original: bool
) -> list[np.ndarray]:
    """Sheets of random items, a clip a row.

    Args:
        dataset: From :func:`build_dataset`.
        number (int): Items, or all where there are not so many.
        seed (int): Of the choice and of the transforms.
        size (int): Side of an image, pixels.
        original (bool): Whether to draw on the images.
    """
    # MMPose's transforms draw from the global generators.
    random.seed(seed)
    np.random.seed(seed)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(dataset))[:number]
    pictures = originals if original else inputs
    rows = [
        [draw(picture, size) for picture in pictures(dataset, int(item))]
        for item in tqdm(chosen, 'drawing', disable=None)
    ]
    columns = len(rows[0]) if len(rows[0]) > 1 else min(COLUMNS, len(rows))
    tiles = [tile for row in rows for tile in row]
    on_a_sheet = columns * ROWS
    return [
        contact_sheet(tiles[start : start + on_a_sheet], columns, size)
        for start in range(0, len(tiles), on_a_sheet)
    ]


def browse(args: argparse.Namespace) -> None:
    if not args.out and not args.show:
        raise UserError('say --out FOLDER for files or --show for a window')
    if args.number < 1 or args.size < 16:
        raise UserError('--number is 1 or more and --size 16 or more')
    screen = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
    if args.show and sys.platform.startswith('linux') and not screen:
        raise UserError('there is no screen for --show; say --out FOLDER')
    cfg = Config.fromfile(existing_config(args.config))
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    dataset = build_dataset(cfg, args.split)
    sheets = draw_sheets(
        dataset, args.number, args.seed, args.size, args.original
    )
    kind = 'original' if args.original else 'input'
    for page, sheet in enumerate(sheets, 1):
        name = f'{args.split}_{kind}_{page}.png'
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(args.out / name), sheet)
            print(args.out / name)
        if args.show:
            cv2.imshow(name, sheet)
            cv2.waitKey()
            cv2.destroyWindow(name)


def main() -> None:
    args = parse_args()
    with report_user_errors():
        browse(args)


if __name__ == '__main__':
    main()
