"""Measure how much a network depends on the box that it is shown:

python tools/analysis_tools/box_robustness.py CONFIG CHECKPOINT --out FOLDER \\
    [--detector default]
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mmdet.evaluation.functional import bbox_overlaps
from mmengine.config import Config, DictAction
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS
from mmpose.utils import register_all_modules
from tqdm import tqdm

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data_converters.arguments import whole_number
from rednet_mm.analysis.box_robustness import (
    Perturbation,
    detector_table,
    perturbations,
    robustness_tables,
)
from rednet_mm.analysis.tables import Table, table_dict, write_table
from rednet_mm.apis import TorchNetwork, build_detector
from rednet_mm.engine.tracking_loop import whole_frames
from rednet_mm.evaluation import Protocol, frame_errors
from rednet_mm.evaluation.protocol import point_indices, points_name
from rednet_mm.evaluation.records import predicted_points
from rednet_mm.tracking.crops import Cropper
from rednet_mm.utils.cli import existing_config, report_user_errors
from rednet_mm.utils.env import run_environment
from rednet_mm.utils.io import atomic_write

# A detector's box is that of a face if their intersection over union is this.
SAME_FACE = 0.4


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Error against shift and scale of the box, on faces of '
        'the test set, each as the first frame of a video'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=Path, help='write tables and plot here')
    parser.add_argument(
        '--limit', type=whole_number(1), help='faces, drawn at random'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the drawing')
    parser.add_argument(
        '--detector',
        help='the boxes of this one too: default, or the config of one of '
        "MMDetection's",
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--points', help='68, 51, 49, 7 (default: all)')
    parser.add_argument('--norm', default='outer_eyes')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args()


def measure(
    cfg: Config, args: argparse.Namespace, grid: list[Perturbation]
) -> tuple[np.ndarray, Protocol]:
    """Errors in percent, all boxes of a face as one batch.

    Returns:
        Shape (N, P), and (N, P + 1) with a detector, whose box is the last;
        infinite where it found none of the face. And how it was measured.
    """
    network = TorchNetwork(cfg, args.checkpoint, args.device)
    detector = build_detector(args.detector) if args.detector else None
    crop = Cropper(network.input_size, network.padding)
    rows = []
    for image, truth in faces(cfg, args):
        left, top, right, bottom = truth.bboxes[0]
        box = np.array([left, top, right - left, bottom - top], float)
        boxes = [each.of(box) for each in grid]
        detected = box_nearest(detector(image), box) if detector else None
        if detected is not None:
            boxes.append(detected)
        crops = crop(image, np.stack(boxes))
        found, _ = network.run(crops.images, [None] * len(boxes))
        keypoints = np.asarray(truth.keypoints, float)  # (1, M, 2)
        seen = np.asarray(truth.keypoints_visible).reshape(1, -1) > 0
        number = keypoints.shape[1]
        known = predicted_points(network.num_keypoints, number, args.config)
        points = point_indices(args.points, number) if args.points else known
        prediction = crops.to_frame(found.keypoints)
        errors = frame_errors(
            prediction[:, [known.index(point) for point in points]],
            np.repeat(keypoints, len(boxes), 0),
            np.repeat(seen, len(boxes), 0),
            args.norm,
            points,
        )
        if detector and detected is None:
            errors = np.append(errors, np.inf)
        rows.append(errors)
    protocol = Protocol(
        norm=args.norm,
        points=points_name(points, number),
        boxes='truth, moved and scaled',
    )
    return np.stack(rows), protocol


def box_nearest(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray | None:
    """Which of the boxes (F, 4) is that of the face; None: none of them."""
    corners = [
        np.concatenate([each[:, :2], each[:, :2] + each[:, 2:4]], 1)
        for each in (boxes, truth[None])
    ]
    fits = bbox_overlaps(*corners)[:, 0]
    if not len(fits) or fits.max() < SAME_FACE:
        return None
    return boxes[fits.argmax(), :4]


def faces(
    cfg: Config, args: argparse.Namespace
) -> Iterator[tuple[np.ndarray, InstanceData]]:
    """Frames (H, W, 3), BGR, of the test set and the face in each."""
    dataset = DATASETS.build(whole_frames(cfg.test_dataloader).dataset)
    rng = np.random.default_rng(args.seed)
    places = rng.permutation(len(dataset))[: args.limit]
    for place in tqdm(np.sort(places), desc='faces'):
        item = dataset[int(place)]
        image = item['inputs'].permute(1, 2, 0).numpy()
        yield image, item['data_samples'].gt_instances


def plot(tables: list[Table], path: Path) -> None:
    """Mean error and failures of shift and scale, side by side."""
    # Slow to import.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout='constrained')
    axes = figure.subplots(1, 2, sharey=True)
    for table, axis in zip(tables, axes):
        at = [float(str(row[0])) for row in table.rows]
        for column in (2, len(table.columns) - 1):
            values = [row[column] for row in table.rows]
            axis.plot(at, values, marker='o', label=table.columns[column])
        axis.set(title=table.title, xlabel=table.columns[0])
        axis.grid(alpha=0.3)
    axes[0].set(ylim=(0, None), ylabel='%')
    axes[0].legend()
    figure.savefig(path, dpi=120)


def write_all(
    tables: list[Table], args: argparse.Namespace, errors: np.ndarray
) -> None:
    """``box_robustness.md``, ``.json`` and ``.png``."""
    args.out.mkdir(parents=True, exist_ok=True)
    content = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        faces=len(errors),
        seed=args.seed,
        environment=run_environment(),
        tables=list(map(table_dict, tables)),
    )
    texts = {
        '.md': '\n'.join(write_table(each, 'markdown') for each in tables),
        '.json': json.dumps(content, indent=1) + '\n',
    }
    for suffix in (*texts, '.png'):
        path = args.out / f'box_robustness{suffix}'
        with atomic_write(path) as part:
            if suffix in texts:
                part.write_text(texts[suffix])
            else:
                plot(tables, part)
        print(f'written: {path}')


def main() -> None:
    args = parse_args()
    with report_user_errors():
        register_all_modules()
        cfg = Config.fromfile(existing_config(args.config))
        if args.cfg_options:
            cfg.merge_from_dict(args.cfg_options)
        grid = perturbations()
        errors, protocol = measure(cfg, args, grid)
        by_hand = errors[:, : len(grid)]
        tables = robustness_tables(by_hand, grid, protocol)
        if args.detector:
            tables.append(
                detector_table(errors[:, 0], errors[:, -1], protocol)
            )
        for table in tables:
            print(write_table(table, 'text'))
        if args.out:
            write_all(tables, args, errors)


if __name__ == '__main__':
    main()
