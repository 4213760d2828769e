"""Frames a second from a video to landmarks, beside MMPose's inferencer.

    python tools/dev/benchmarks/video_speed.py VIDEO --box X Y W H \\
        [--config CONFIG --checkpoint CKPT [--onnx FILE]] [--json OUT.json]

The model is the one that comes with the package where none is named. The video
is put beside itself to show 1, 2 and 4 faces, each as large as in the video.
Measured is what a user waits for: decoding, finding faces, cutting them out,
the network, landmarks, and writing these as JSON; not drawing. Columns:

* ``boxes``: the faces of the first frame are given, no detector is asked;
* ``detector``: faces are found, and looked for again as the config says.

MMPose's inferencer gets the same video, model and detector; it asks the
detector in every frame and knows no boxes of the user, so with ``boxes`` its
detector is one that gives them at once. Variants take turns; the metric is
the median over the repeats.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from mmpose.apis import MMPoseInferencer
from origin import Origin
from tqdm import tqdm
from videos import GRIDS, Boxes, boxes_of, follow, put_beside_itself, size_of

from rednet_mm.apis import (
    LandmarkTracker,
    OnnxNetwork,
    TorchNetwork,
    build_detector,
    bundled_network,
)
from rednet_mm.utils.bundled import bundled_model
from rednet_mm.utils.cli import (
    atomic_dump,
    existing_config,
    report_user_errors,
)
from rednet_mm.utils.errors import UserError

BASELINE = 'MMPoseInferencer'

# Numbers of faces that are shown.
FACES = (1, 2, 4)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Frames a second from a video to landmarks'
    )
    parser.add_argument('video', help='one face from its first frame on')
    parser.add_argument('--config', help='default: the bundled model')
    parser.add_argument('--checkpoint')
    parser.add_argument('--onnx', help='the same model, exported')
    parser.add_argument(
        '--box',
        nargs=4,
        type=float,
        required=True,
        metavar=('X', 'Y', 'W', 'H'),
        help='the face in the first frame, pixels',
    )
    parser.add_argument(
        '--detector', default='default', help='see build_detector'
    )
    parser.add_argument('--frames', type=int, default=100)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', help='the metrics, for other programs')
    return parser.parse_args()


class DetectorForMMPose:
    """A detector of ours in the words of mmdet's inferencer."""

    def __init__(self, find: Callable[[np.ndarray], Boxes]) -> None:
        self.find = find

    def __call__(self, frame: np.ndarray, **_: Any) -> dict:
        boxes = torch.as_tensor(self.find(frame), dtype=torch.float32)
        boxes = boxes.reshape(-1, 4)
        corners = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
        found = InstanceData(
            bboxes=corners,
            scores=torch.ones(len(boxes)),
            labels=torch.zeros(len(boxes), dtype=torch.long),
        )
        return dict(predictions=[DetDataSample(pred_instances=found)])


def infer(
    inferencer: MMPoseInferencer,
    find: Callable[[np.ndarray], Boxes],
    path: str,
    boxes: Optional[Boxes],
) -> list[int]:
    """Faces in each frame, by MMPose."""
    inner = inferencer.inferencer
    inner.detector = DetectorForMMPose(
        find if boxes is None else lambda frame: boxes
    )
    inner.det_cat_ids = (0,)
    folder = str(Path(path).parent / 'mmpose')
    frames = inferencer(path, pred_out_dir=folder)
    return [len(each['predictions'][0]) for each in frames]


Run = Callable[[str, Optional[Boxes]], list[int]]


def variants(args: argparse.Namespace) -> dict[str, Run]:
    """What is compared, by name."""
    find = build_detector(args.detector)
    config, checkpoint = args.config, args.checkpoint
    if config is None:
        bundled = bundled_model()
        config, checkpoint = str(bundled.config), str(bundled.weights)
    networks: dict[str, Any] = {
        f'PyTorch {precision}': TorchNetwork(
            config, checkpoint, precision=precision
        )
        for precision in ('fp32', 'bf16')
    }
    if args.onnx:
        networks['ONNX Runtime'] = OnnxNetwork(args.onnx)
    elif args.config is None:
        networks['ONNX Runtime'] = bundled_network()
    runs: dict[str, Run] = {
        name: partial(follow, LandmarkTracker(network, find))
        for name, network in networks.items()
    }
    baseline = MMPoseInferencer(
        pose2d=config,
        pose2d_weights=checkpoint,
        det_model='whole_image',
        device='cpu',
    )
    runs[BASELINE] = partial(infer, baseline, find)
    return runs


def measure(args: argparse.Namespace, folder: str) -> list[dict]:
    """A row for each variant, way of finding faces and number of faces."""
    cases: list[tuple[dict[str, Any], Callable[[], list[int]]]] = []
    runs = variants(args)
    size = size_of(args.video)
    for faces in FACES:
        path = str(Path(folder) / f'{faces}.mp4')
        put_beside_itself(args.video, args.frames, GRIDS[faces], path)
        given = boxes_of(args.box, size, GRIDS[faces])
        for way, boxes in (('boxes', given), ('detector', None)):
            for name in runs:
                case: dict[str, Any] = dict(
                    name=name, way=way, faces=faces, seconds=[]
                )
                cases.append((case, partial(runs[name], path, boxes)))
    with tqdm(total=(args.repeats + 1) * len(cases), unit='run') as bar:
        for repeat in range(args.repeats + 1):
            for row, run in cases:
                start = time.perf_counter()
                found = run()
                spent = time.perf_counter() - start
                # The first round warms up.
                if repeat:
                    row['seconds'].append(spent)
                row['frames'] = len(found)
                row['found'] = sum(found) / max(len(found), 1)
                bar.update()
    rows = [case for case, _ in cases]
    for row in rows:
        row['fps'] = row['frames'] / statistics.median(row.pop('seconds'))
    return rows


def print_table(rows: list[dict]) -> None:
    """Frames a second as Markdown.

    In brackets faces found, in the mean, and how many times as fast as
    MMPose's inferencer.
    """
    columns = [(way, n) for way in ('boxes', 'detector') for n in FACES]
    metrics = {(r['name'], r['way'], r['faces']): r for r in rows}
    heads = [f'{way}, {n} face{"s"[: n > 1]}' for way, n in columns]
    print('| ' + ' | '.join(['frames a second', *heads]) + ' |')
    print('|---' * (len(columns) + 1) + '|')
    for name in dict.fromkeys(row['name'] for row in rows):
        cells = []
        for column in columns:
            row, baseline = metrics[name, *column], metrics[BASELINE, *column]
            times = row['fps'] / baseline['fps']
            cells.append(f'{row["fps"]:.1f} ({row["found"]:.2f}, {times:.1f})')
        print('| ' + ' | '.join([name, *cells]) + ' |')


def main() -> None:
    args = parse_args()
    with report_user_errors():
        if bool(args.config) != bool(args.checkpoint) or (
            args.onnx and not args.config
        ):
            raise UserError(
                'name --config and --checkpoint, with --onnx too, or none'
            )
        if args.config:
            existing_config(args.config)
        if args.frames < 1 or args.repeats < 1:
            raise UserError('--frames and --repeats are 1 or more')
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(args, folder)
        origin = Origin.here()
        print(f'{origin}.\n')
        print_table(rows)
        if args.json:
            atomic_dump(dict(asdict(origin), rows=rows), args.json)


if __name__ == '__main__':
    main()
