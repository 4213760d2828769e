"""Follow faces in a film:

python tools/track_video.py INPUT --config CONFIG --checkpoint CKPT \\
    --out OUT.mp4 --json OUT.json --csv OUT.csv

INPUT is a video, an image, a folder of images or the number of a camera.
Stopped by Ctrl-C or SIGTERM, the outputs hold what was found until then. Of a
run that is killed the parts are left: OUT.part.mp4 and OUT.part.json, which
can be used as they are, and OUT.part.jsonl, with every frame to the last.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np
from mmengine.config import DictAction
from tqdm import tqdm

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.errors import DataError
from data_converters.pts import read_pts
from rednet_mm.apis import (
    FaceNetwork,
    FrameReader,
    FrameSample,
    LandmarkTracker,
    OnnxNetwork,
    ShapeFilter,
    TorchNetwork,
    TrackedFace,
    TrackLog,
    TrackState,
    Trajectories,
    VideoWriter,
    build_detector,
    contact_sheet,
    draw_face,
    draw_maps,
    read_frames,
    shipped_network,
)
from rednet_mm.apis.crops import as_image, box_of
from rednet_mm.engine.launch import (
    check_display,
    check_suffix,
    existing_config,
    one_sentence_errors,
    stop_on_sigterm,
)
from rednet_mm.errors import UserError
from rednet_mm.files import whole
from rednet_mm.provenance import describe_run
from rednet_mm.shipped import NAME

SHEET_FRAMES = 12
WINDOW = 'faces, q ends'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Follow faces in a film')
    parser.add_argument(
        'input',
        help='a video, an image, a folder of images or the number of a camera',
    )
    parser.add_argument(
        '--config',
        help='config file; without config, checkpoint and --onnx the model '
        'that comes with the package',
    )
    parser.add_argument('--checkpoint', help='its weights')
    parser.add_argument(
        '--onnx', help='or both in one file, run by ONNX Runtime'
    )
    parser.add_argument('--out', help='film with the landmarks drawn')
    parser.add_argument('--json', help='landmarks of every frame, and account')
    parser.add_argument('--csv', help='landmarks, a row a face')
    parser.add_argument(
        '--sheet', help=f'picture of {SHEET_FRAMES} frames with landmarks'
    )
    parser.add_argument(
        '--draw',
        nargs='+',
        default=[],
        choices=['maps', 'trajectories'],
        help='what is drawn beside boxes, ids and landmarks',
    )
    parser.add_argument(
        '--show', action='store_true', help='in a window, as it goes'
    )
    parser.add_argument(
        '--smooth',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='smooth the shape of each face, not its motion; found keypoints '
        'are raw_keypoints in the JSON (default: on)',
    )
    first = parser.add_mutually_exclusive_group()
    first.add_argument(
        '--box',
        nargs=4,
        type=float,
        metavar=('X', 'Y', 'W', 'H'),
        help='the face in the first frame, pixels',
    )
    first.add_argument(
        '--start-pts',
        help='a 1-based .pts file of the first frame, whose marks give the '
        'box (the 300-VW protocol)',
    )
    parser.add_argument(
        '--detector',
        help='who is asked for faces: default, a name of docs/detectors.md, '
        'whole (the whole frame) or the config of a detector of MMDetection; '
        'without it, nobody where a first face is given, else default',
    )
    parser.add_argument(
        '--detector-weights', help='checkpoint of such a config'
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda:0')
    parser.add_argument(
        '--precision',
        default='fp32',
        choices=['fp32', 'bf16', 'fp16'],
        help='of the convolutions',
    )
    parser.add_argument(
        '--tracker',
        nargs='+',
        default={},
        action=DictAction,
        metavar='KEY=VALUE',
        help="settings in place of those of the config's tracker section",
    )
    return parser.parse_args()


def first_box(args: argparse.Namespace) -> Optional[np.ndarray]:
    """The box of the face in the first frame, (1, 4), if one is given."""
    if args.box:
        if min(args.box[2:]) <= 0:
            raise UserError(f'--box {args.box} is empty; give x y w h')
        return np.array([args.box])
    if args.start_pts:
        try:
            return box_of(read_pts(args.start_pts))[None]
        except DataError as error:
            raise UserError(str(error)) from error
    return None


def check_outputs(args: argparse.Namespace) -> None:
    """See that what is wanted can be made, before the work.

    Raises:
        UserError: if it cannot.
    """
    check_suffix('--out', args.out, '.mp4', '.avi')
    check_suffix('--json', args.json, '.json')
    check_suffix('--csv', args.csv, '.csv')
    check_suffix('--sheet', args.sheet, '.png', '.jpg')
    if args.show:
        check_display('--show')


def network_of(args: argparse.Namespace) -> FaceNetwork[Any]:
    """The network, by either of its ways.

    Raises:
        UserError: if a part is named without the other, both ways are, or
            ONNX Runtime is to do what it cannot.
    """
    keep_maps = 'maps' in args.draw
    if not (args.onnx or args.config or args.checkpoint):
        return shipped_network(args.device, args.precision, keep_maps)
    if args.onnx is None:
        if args.config is None or args.checkpoint is None:
            raise UserError(
                'name --config and --checkpoint, or --onnx, or none of them'
            )
        return TorchNetwork(
            existing_config(args.config),
            args.checkpoint,
            args.device,
            args.precision,
            keep_maps,
        )
    if args.config or args.checkpoint:
        raise UserError('--onnx holds config and weights; leave them out')
    if keep_maps or (args.device, args.precision) != ('cpu', 'fp32'):
        raise UserError(
            '--onnx runs on the CPU in single precision and gives no maps; '
            'leave --draw maps, --device and --precision out'
        )
    return OnnxNetwork(args.onnx)


def tracker_of(args: argparse.Namespace) -> LandmarkTracker[Any]:
    """The network, and who is asked for faces."""
    detector = None
    if args.detector or not (args.box or args.start_pts):
        detector = build_detector(
            args.detector or 'default', args.detector_weights, args.device
        )
    return LandmarkTracker(
        network_of(args),
        detector,
        ShapeFilter() if args.smooth else None,
        **args.tracker,
    )


class Overlay:
    """Where the frames go on which the faces are drawn.

    Args:
        args (Namespace): Of the command line.
        fps (float): Frames a second.
    """

    def __init__(self, args: argparse.Namespace, fps: float) -> None:
        self.args = args
        self.writer = VideoWriter(args.out, fps) if args.out else None
        self.sample = FrameSample(SHEET_FRAMES) if args.sheet else None
        self.trails = Trajectories()

    def add(
        self, image: np.ndarray, seconds: float, faces: list[TrackedFace]
    ) -> None:
        """Draw upon a frame (H, W, 3) and hand it on."""
        if not (self.writer or self.sample or self.args.show):
            return
        if 'maps' in self.args.draw:
            for face in faces:
                draw_maps(image, face)
        if 'trajectories' in self.args.draw:
            self.trails.draw(image, faces)
        for face in faces:
            draw_face(image, face)
        if self.writer:
            self.writer.write(image, seconds)
        if self.sample:
            self.sample.add(image)
        if self.args.show:
            cv2.imshow(WINDOW, image)
            if cv2.waitKey(1) == ord('q'):
                raise KeyboardInterrupt

    def close(self) -> None:
        """Finish film and sheet."""
        if self.writer:
            self.writer.close()
        if self.sample and (frames := self.sample.frames()):
            with whole(self.args.sheet) as part:
                cv2.imwrite(str(part), contact_sheet(frames))


def follow(args: argparse.Namespace) -> None:
    """Track, draw and save; what was tracked so far survives a stop."""
    check_outputs(args)
    boxes = first_box(args)
    tracker = tracker_of(args)
    with read_frames(args.input) as reader:
        about = dict(
            source=args.input,
            fps=round(reader.fps, 4),
            config=args.config,
            environment=describe_run(),
            weights=args.onnx or args.checkpoint or NAME,
        )
        log = TrackLog(about, args.json, args.csv)
        overlay = Overlay(args, reader.fps)
        ended = dict(how='complete')
        try:
            run(tracker, reader, boxes, log, overlay)
            if reader.fault:
                ended = dict(how='broken off', why=reader.fault)
        except KeyboardInterrupt:
            ended = dict(how='interrupted')
            raise
        except UserError as error:
            ended = dict(how='failed', why=str(error))
            raise
        finally:
            with ExitStack() as last:
                last.callback(log.close, ended)
                last.callback(overlay.close)
            totals = log.totals
            print(
                f'{totals.frames} frames, a face in {totals.with_a_face}, '
                f'{len(totals.tracks)} ids, {totals.switches} switches; '
                + ': '.join(ended.values())
            )
            if reader.left_out:
                print(reader.left_out)


def run(
    tracker: LandmarkTracker[Any],
    reader: FrameReader,
    boxes: Optional[np.ndarray],
    log: TrackLog,
    overlay: Overlay,
) -> None:
    """Follow faces to the end of the film."""
    state: TrackState[Any] = tracker.init_state()
    progress = tqdm(reader, total=reader.count or None, unit='frame')
    for number, (frame, seconds) in enumerate(progress):
        faces, state = tracker.step(frame, state, boxes, seconds)
        boxes = None
        log.about.setdefault('frame_size', frame.shape[1::-1])
        log.add(number, seconds, faces, state.events)
        image = as_image(frame, number)
        if image.size:
            overlay.add(image, seconds, faces)


def main() -> None:
    args = parse_args()
    with one_sentence_errors(), stop_on_sigterm():
        follow(args)


if __name__ == '__main__':
    main()
