"""How well response maps tell a face from what is none:

python tools/dev/benchmarks/lost_faces.py CONFIG CKPT --out lost_faces.json \\
    \\
    --faces data/300w/annotations/300w_val.json
    data/ytfaces/annotations/csv_val.json --empty VIDEO:FIRST-LAST

Faces are cut out by their boxes, moved and scaled as those of a tracker are;
what is none are places of the same images beside all their faces, and anywhere
in frames of videos in which there is no face. Printed are both kinds of
mistake at each threshold: of the height of the responses alone, of their
spread alone, and the pair of thresholds that make the larger mistake smallest,
which belongs into the ``tracker`` section of the config.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from tqdm import tqdm

from rednet_mm.apis import FaceNetwork, TorchNetwork, read_frames
from rednet_mm.tracking.boxes import bbox_from_keypoints, bbox_overlap
from rednet_mm.tracking.crops import Cropper
from rednet_mm.utils.cli import (
    atomic_dump,
    existing_config,
    report_user_errors,
)
from rednet_mm.utils.env import run_environment
from rednet_mm.utils.errors import UserError

BATCH = 32
# What of a place may lie on a face and it is still beside it.
BESIDE = 0.1


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Thresholds of lost faces')
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--faces', nargs='+', required=True, help='JSON files')
    parser.add_argument(
        '--empty',
        nargs='*',
        default=[],
        metavar='VIDEO:FIRST-LAST',
        help='frames, from 0, in which there is no face',
    )
    parser.add_argument('--out', help='JSON with the metrics')
    parser.add_argument(
        '--each', type=int, default=2, help='crops of a face or an image'
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def photos(path: str) -> Iterator[tuple[Path, list[np.ndarray]]]:
    """The images of a converted data set, and the keypoints of their faces.

    Args:
        path (str): ``ROOT/annotations/NAME.json``.

    Yields:
        tuple: A file, and the keypoints (K, 2) of each face.
    """
    with open(existing_config(path)) as file:
        data = json.load(file)
    keypoints = defaultdict(list)
    for each in data['annotations']:
        points = np.array(each['keypoints'], float).reshape(-1, 3)[:, :2]
        keypoints[each['image_id']].append(points)
    for image in data['images']:
        yield (
            Path(path).parents[1] / image['file_name'],
            keypoints[image['id']],
        )


def jittered(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A box as tracking gives it: a tenth off, 0.8 to 1.25 times as large."""
    x, y, side, _ = box
    scale = np.exp(rng.uniform(np.log(0.8), np.log(1.25)))
    dx, dy = rng.uniform(-0.1, 0.1, 2) * side
    corner = np.array([x + dx, y + dy]) + (1 - scale) / 2 * side
    return np.array([*corner, scale * side, scale * side])


def place_in(
    shape: tuple[int, ...],
    faces: Iterable[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray | None:
    """A box in an image (H, W, 3) beside all faces, if there is room."""
    height, width = shape[:2]
    faces = list(faces)
    for _ in range(50):
        side = rng.uniform(0.15, 0.6) * min(height, width)
        # The middle of the box is in the image.
        x, y = rng.uniform(0, (width, height)) - side / 2
        box = np.array([x, y, side, side])
        if all(bbox_overlap(box, face) <= BESIDE for face in faces):
            return box
    return None


class Measure:
    """Height and spread of the responses to boxes, in batches."""

    def __init__(self, network: FaceNetwork[Any]) -> None:
        self.network = network
        self.crop = Cropper(network.input_size, network.padding)
        self.waiting: list[tuple[str, np.ndarray]] = []
        self.found: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def add(self, kind: str, image: np.ndarray, box: np.ndarray) -> None:
        """One more box x y w h of an image (H, W, 3)."""
        crop = self.crop(image, box[None]).images[0]
        self.waiting.append((kind, crop))
        if len(self.waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if not self.waiting:
            return
        kinds, crops = zip(*self.waiting)
        result, _ = self.network.run(np.stack(crops), [None] * len(crops))
        heights, spreads = result.scores.mean(1), result.spreads.mean(1)
        for kind, height, spread in zip(kinds, heights, spreads):
            self.found[kind].append((float(height), float(spread)))
        self.waiting = []


def measure_photos(
    args: argparse.Namespace, measure: Measure, rng: np.random.Generator
) -> None:
    for path in args.faces:
        name = Path(path).stem
        for file, keypoints in tqdm(list(photos(path)), desc=name):
            boxes = [bbox_from_keypoints(each) for each in keypoints]
            image = cv2.imread(str(file))
            if image is None:
                raise UserError(f'{file} cannot be read; convert it again')
            for _ in range(args.each):
                for box in boxes:
                    measure.add(f'face: {name}', image, jittered(box, rng))
                beside = place_in(image.shape, boxes, rng)
                if beside is not None:
                    measure.add(f'none: {name}', image, beside)


def measure_videos(
    args: argparse.Namespace, measure: Measure, rng: np.random.Generator
) -> None:
    for wish in args.empty:
        video, _, span = wish.rpartition(':')
        try:
            first, last = map(int, span.split('-'))
        except ValueError as error:
            raise UserError(
                f'--empty {wish}: give VIDEO:FIRST-LAST, two numbers of frames'
            ) from error
        with read_frames(video) as reader:
            for number, (frame, _) in enumerate(reader):
                box = place_in(frame.shape, [], rng)
                if first <= number <= last and box is not None:
                    measure.add(f'none: {Path(video).name}', frame, box)


def mistakes(
    faces: np.ndarray, others: np.ndarray, lowest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shares that are wrong where what is below a threshold is no face.

    Args:
        faces (np.ndarray): Values of faces, (N,).
        others (np.ndarray): Values of what is none, (M,).
        lowest (np.ndarray): Thresholds, (T,).

    Returns:
        tuple: Faces that are lost (T,), and others that are kept (T,).
    """
    lost = (faces[:, None] < lowest).mean(0)
    return lost, (others[:, None] >= lowest).mean(0)


def equal_error(
    faces: np.ndarray, others: np.ndarray
) -> tuple[float, float, float]:
    """The threshold at which both mistakes are as near as can be, and both."""
    lowest = np.unique(np.concatenate([faces, others]))
    lost, kept = mistakes(faces, others, lowest)
    best = int(np.abs(lost - kept).argmin())
    return float(lowest[best]), float(lost[best]), float(kept[best])


def best_pair(
    faces: np.ndarray, others: np.ndarray, steps: int = 60
) -> dict[str, float]:
    """Thresholds of height and spread with the least larger mistake.

    Args:
        faces (np.ndarray): Height and spread of faces, (N, 2).
        others (np.ndarray): The same of what is none, (M, 2).
        steps (int): Thresholds of each that are tried. Defaults to 60.

    Returns:
        dict: ``min_score``, ``max_spread`` and the shares ``lost`` and
        ``kept`` that go with them.
    """
    both = np.concatenate([faces, others])
    scores, spreads = np.quantile(both, np.linspace(0, 1, steps), axis=0).T

    def share(group: np.ndarray) -> np.ndarray:
        high = group[:, :1] >= scores  # (N, steps)
        narrow = group[:, 1:] <= spreads
        return high.T.astype(float) @ narrow / len(group)  # (steps, steps)

    lost, kept = 1 - share(faces), share(others)
    score, spread = np.unravel_index(
        np.maximum(lost, kept).argmin(), lost.shape
    )
    return dict(
        min_score=float(scores[score]),
        max_spread=float(spreads[spread]),
        lost=float(lost[score, spread]),
        kept=float(kept[score, spread]),
    )


def report(found: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Print the curves; the metrics of the JSON."""
    groups = {kind: np.array(values) for kind, values in found.items()}
    print('\n| crops | number | height: 5, 50, 95 % | spread: 5, 50, 95 % |')
    print('|---|---|---|---|')
    for kind, values in sorted(groups.items()):
        height, spread = np.percentile(values, [5, 50, 95], axis=0).T
        print(
            f'| {kind} | {len(values)} '
            f'| {" ".join(f"{value:.3f}" for value in height)} '
            f'| {" ".join(f"{value:.2f}" for value in spread)} |'
        )
    faces, others = (
        np.concatenate([v for k, v in groups.items() if k.startswith(word)])
        for word in ('face', 'none')
    )
    metrics: dict[str, Any] = dict(counts={k: len(groups[k]) for k in groups})
    for column, (name, sign) in enumerate([('score', 1), ('spread', -1)]):
        one, other = sign * faces[:, column], sign * others[:, column]
        # From where all faces are kept to where all others are lost.
        both = np.concatenate([one, other])
        lowest = np.linspace(
            np.quantile(both, 0.02), np.quantile(both, 0.98), 13
        )
        print(f'\n| {name} | faces lost % | others kept % |\n|---|---|---|')
        for row in zip(sign * lowest, *mistakes(one, other, lowest)):
            print(f'| {row[0]:.3f} | {row[1]:.2%} | {row[2]:.2%} |')
        at, lost, kept = equal_error(one, other)
        metrics[name] = dict(equal_at=sign * at, lost=lost, kept=kept)
        print(f'equal at {sign * at:.4f}: {lost:.2%} lost, {kept:.2%} kept')
    metrics['pair'] = best_pair(faces, others)
    print(
        'both: '
        + ', '.join(f'{k} {v:.4f}' for k, v in metrics['pair'].items())
    )
    return metrics


def main() -> None:
    args = parse_args()
    with report_user_errors():
        network = TorchNetwork(
            Config.fromfile(existing_config(args.config)),
            args.checkpoint,
            args.device,
        )
        rng = np.random.default_rng(args.seed)
        measure = Measure(network)
        measure_photos(args, measure, rng)
        measure_videos(args, measure, rng)
        measure.flush()
        metrics = report(measure.found)
        if args.out:
            run = dict(
                run_environment(), config=args.config, weights=args.checkpoint
            )
            atomic_dump(dict(run, seed=args.seed, **metrics), args.out)


if __name__ == '__main__':
    main()
