"""Follow faces in a film:

python tools/track_video.py INPUT --config CONFIG --checkpoint CKPT \\
    --out OUT.mp4 --json OUT.json
"""

import argparse
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
from tqdm import tqdm

from data_converters.errors import DataError
from data_converters.pts import read_pts
from rednet_mm.apis import (
    LandmarkTracker,
    VideoWriter,
    contact_sheet,
    draw_face,
    read_frames,
)
from rednet_mm.apis.tracker import box_of
from rednet_mm.engine.launch import (
    check_suffix,
    dump_whole,
    existing_config,
    one_sentence_errors,
    stop_on_sigterm,
)
from rednet_mm.errors import UserError

SHEET_FRAMES = 12


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Follow faces in a film')
    parser.add_argument('input', help='a film, or a folder of frames')
    parser.add_argument('--config', required=True, help='config file')
    parser.add_argument('--checkpoint', required=True, help='its weights')
    parser.add_argument('--out', help='film with the landmarks drawn')
    parser.add_argument('--json', help='landmarks of every frame')
    parser.add_argument(
        '--sheet', help=f'picture of {SHEET_FRAMES} frames with landmarks'
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
        'box (the 300-VW protocol); without either, the whole frame',
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda:0')
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


def follow(args: argparse.Namespace) -> None:
    """Track, draw and save; what was tracked so far survives Ctrl-C."""
    check_suffix('--out', args.out, '.mp4', '.avi')
    check_suffix('--json', args.json, '.json')
    check_suffix('--sheet', args.sheet, '.png', '.jpg')
    tracker = LandmarkTracker(
        existing_config(args.config), args.checkpoint, args.device
    )
    frames = read_frames(args.input)
    wanted = set(
        np.linspace(0, max(frames.count - 1, 0), SHEET_FRAMES, dtype=int)
    )
    records, sheet = [], []
    state, boxes = tracker.init_state(), first_box(args)
    writer = VideoWriter(args.out, frames.fps) if args.out else None
    try:
        progress = tqdm(frames, total=frames.count or None, unit='frame')
        for number, (frame, time) in enumerate(progress):
            faces, state = tracker.step(frame, state, boxes)
            boxes = None
            records.append(
                dict(
                    frame_id=number,
                    time=round(time, 6),
                    faces=[
                        dict(
                            id=face.id,
                            bbox=np.round(face.box, 2).tolist(),
                            keypoints=np.round(face.keypoints, 3).tolist(),
                            scores=np.round(face.scores, 4).tolist(),
                        )
                        for face in faces
                    ],
                )
            )
            for face in faces:
                draw_face(frame, face)
            if writer:
                writer.write(frame, time)
            if number in wanted:
                sheet.append(frame)
    finally:
        if writer:
            writer.close()
        if args.json:
            dump_whole(
                dict(
                    source=args.input,
                    fps=frames.fps,
                    fault=frames.fault,
                    frames=records,
                ),
                args.json,
            )
    if args.sheet and sheet:
        Path(args.sheet).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(args.sheet, contact_sheet(sheet))
    found = sum(bool(record['faces']) for record in records)
    if frames.fault:
        print(frames.fault)
    print(f'{len(records)} frames, a face in {found}')


def main() -> None:
    args = parse_args()
    with one_sentence_errors(), stop_on_sigterm():
        follow(args)


if __name__ == '__main__':
    main()
