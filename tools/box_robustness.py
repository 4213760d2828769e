"""Measure how much a network depends on the box that it is shown:

python tools/box_robustness.py CONFIG CHECKPOINT --out FOLDER
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS
from mmpose.utils import register_all_modules
from tqdm import tqdm

from data_converters.arguments import whole_number
from rednet_mm.apis import TorchNetwork
from rednet_mm.apis.crops import Cropper
from rednet_mm.apis.tracking_loop import whole_frames
from rednet_mm.engine.launch import existing_config, one_sentence_errors
from rednet_mm.evaluation import Protocol, frame_errors
from rednet_mm.evaluation.box_robustness import (
    Perturbation,
    perturbations,
    robustness_tables,
)
from rednet_mm.evaluation.protocol import point_indices, points_name
from rednet_mm.evaluation.records import predicted_points
from rednet_mm.evaluation.tables import Table, table_dict, write_table
from rednet_mm.files import whole
from rednet_mm.provenance import describe_run


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
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--points', help='68, 51, 49, 7 (default: all)')
    parser.add_argument('--norm', default='outer_eyes')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args()


def measure(
    cfg: Config, args: argparse.Namespace, grid: list[Perturbation]
) -> tuple[np.ndarray, Protocol]:
    """Errors (N, P) in percent, all boxes of a face as one batch."""
    network = TorchNetwork(cfg, args.checkpoint, args.device)
    crop = Cropper(network.input_size, network.padding)
    rows = []
    for image, truth in faces(cfg, args):
        left, top, right, bottom = truth.bboxes[0]
        box = np.array([left, top, right - left, bottom - top], float)
        crops = crop(image, np.stack([each.of(box) for each in grid]))
        found, _ = network.run(crops.images, [None] * len(grid))
        marks = np.asarray(truth.keypoints, float)  # (1, M, 2)
        seen = np.asarray(truth.keypoints_visible).reshape(1, -1) > 0
        number = marks.shape[1]
        known = predicted_points(network.num_keypoints, number, args.config)
        points = point_indices(args.points, number) if args.points else known
        prediction = crops.to_frame(found.keypoints)
        rows.append(
            frame_errors(
                prediction[:, [known.index(point) for point in points]],
                np.repeat(marks, len(grid), 0),
                np.repeat(seen, len(grid), 0),
                args.norm,
                points,
            )
        )
    protocol = Protocol(
        norm=args.norm,
        points=points_name(points, number),
        boxes='truth, moved and scaled',
    )
    return np.stack(rows), protocol


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
    """Mean error and failures of both tables, side by side."""
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
        environment=describe_run(),
        tables=list(map(table_dict, tables)),
    )
    texts = {
        '.md': '\n'.join(write_table(each, 'markdown') for each in tables),
        '.json': json.dumps(content, indent=1) + '\n',
    }
    for suffix in (*texts, '.png'):
        path = args.out / f'box_robustness{suffix}'
        with whole(path) as part:
            if suffix in texts:
                part.write_text(texts[suffix])
            else:
                plot(tables, part)
        print(f'written: {path}')


def main() -> None:
    args = parse_args()
    with one_sentence_errors():
        register_all_modules()
        cfg = Config.fromfile(existing_config(args.config))
        if args.cfg_options:
            cfg.merge_from_dict(args.cfg_options)
        grid = perturbations()
        errors, protocol = measure(cfg, args, grid)
        tables = robustness_tables(errors, grid, protocol)
        for table in tables:
            print(write_table(table, 'text'))
        if args.out:
            write_all(tables, args, errors)


if __name__ == '__main__':
    main()
