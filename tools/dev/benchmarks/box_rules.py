"""Which box of the next frame follows best, box rule by box rule:

python tools/dev/benchmarks/box_rules.py CONFIG CKPT --videos VIDEO ... \\
    --faces data/300w/annotations/300w_val.json

Videos have no keypoints: printed are frames with a face, ids, losses and how
much the landmarks tremble (mean second difference over sqrt(w h) of the face,
in percent). Images have: each is followed as a video of one and the same
frame, beginning with the box of its keypoints, and the error after some frames
says where the rule drifts to.
"""

import argparse
from collections import defaultdict
from typing import Any

import cv2
import numpy as np
from lost_faces import photos

from rednet_mm.apis import (
    FaceNetwork,
    LandmarkTracker,
    TorchNetwork,
    TrackedFace,
    TrackTotals,
    build_detector,
    read_frames,
)
from rednet_mm.evaluation.functional import frame_errors
from rednet_mm.tracking.boxes import BOX_RULES, bbox_from_keypoints
from rednet_mm.utils.cli import existing_config, report_user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Compare rules of boxes')
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--videos', nargs='*', default=[])
    parser.add_argument('--faces', nargs='*', default=[], help='JSON files')
    parser.add_argument(
        '--margins', nargs='+', type=float, default=[0.9, 1.0, 1.1]
    )
    parser.add_argument('--detector', default='default')
    parser.add_argument(
        '--frames', type=int, default=200, help='of a video, at most'
    )
    parser.add_argument(
        '--photos', type=int, default=100, help='of a data set, at most'
    )
    parser.add_argument(
        '--rounds', type=int, default=6, help='frames of an image'
    )
    return parser.parse_args()


def trembling(tracks: dict[int, dict[int, TrackedFace]]) -> float:
    """Mean second difference of landmarks, percent of the face's size.

    Args:
        tracks (dict): Of each id its faces by frame.
    """
    values = []
    for faces in tracks.values():
        for number, face in faces.items():
            if number - 1 in faces and number + 1 in faces:
                before, after = faces[number - 1], faces[number + 1]
                bend = before.keypoints - 2 * face.keypoints + after.keypoints
                extent = np.ptp(face.keypoints, axis=0)
                size = np.sqrt(extent.prod())
                values.append(np.linalg.norm(bend, axis=1).mean() / size)
    return 100 * float(np.mean(values)) if values else float('nan')


def follow_video(
    tracker: LandmarkTracker[Any], video: str, frames: int
) -> tuple[TrackTotals, float]:
    """Counts of a video, and how much its landmarks tremble."""
    state, totals = tracker.init_state(), TrackTotals()
    tracks: dict[int, dict[int, TrackedFace]] = defaultdict(dict)
    with read_frames(video) as reader:
        for number, (frame, _) in zip(range(frames), reader):
            faces, state = tracker.step(frame, state)
            totals.add(number, faces, state.events)
            for face in faces:
                tracks[face.id][number] = face
    return totals, trembling(tracks)


def drift(
    network: FaceNetwork[Any],
    settings: dict[str, Any],
    path: str,
    args: argparse.Namespace,
) -> np.ndarray:
    """Mean errors of images after each of some frames, percent, (rounds,)."""
    tracker = LandmarkTracker(network, None, **settings, min_score=-1)
    errors: list[list[float]] = []
    for file, keypoints in list(photos(path))[: args.photos]:
        image, truth = cv2.imread(str(file)), keypoints[0]
        state, errors_of_one = tracker.init_state(), []
        for number in range(args.rounds):
            start = None if number else bbox_from_keypoints(truth)[None]
            faces, state = tracker.step(image, state, start)
            found = np.full_like(truth, np.inf)
            if faces:
                found = faces[0].keypoints
            (error,) = frame_errors(
                found[None], truth[None], np.ones((1, len(truth)), bool)
            )
            errors_of_one.append(float(error))
        errors.append(errors_of_one)
    return np.median(errors, axis=0)


def main() -> None:
    args = parse_args()
    with report_user_errors():
        network = TorchNetwork(existing_config(args.config), args.checkpoint)
        detector = build_detector(args.detector) if args.videos else None
        rules: list[dict[str, Any]] = [
            dict(box_rule=rule, margin=margin)
            for rule in BOX_RULES
            for margin in args.margins
        ]
        for path in args.faces:
            print(f'\n{path}: median error, %, of frame 1 to {args.rounds}')
            print('| rule | margin | errors |\n|---|---|---|')
            for rule in rules:
                errors = drift(network, rule, path, args)
                told = ' '.join(f'{error:.2f}' for error in errors)
                print(f'| {rule["box_rule"]} | {rule["margin"]} | {told} |')
        if args.videos:
            print(
                '\n| video | rule | margin | frames | with a face | ids '
                '| ended | trembling % |\n|---|---|---|---|---|---|---|---|'
            )
        for video in args.videos:
            for rule in rules:
                tracker = LandmarkTracker(network, detector, **rule)
                totals, shake = follow_video(tracker, video, args.frames)
                kinds = totals.kinds
                ended = sum(kinds[k] for k in ('lost', 'left', 'merged'))
                print(
                    f'| {video.rpartition("/")[2]} | {rule["box_rule"]} '
                    f'| {rule["margin"]} | {totals.frames} '
                    f'| {totals.with_a_face} | {len(totals.tracks)} '
                    f'| {ended} | {shake:.3f} |',
                    flush=True,
                )


if __name__ == '__main__':
    main()
