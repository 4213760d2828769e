"""Measure models on degraded videos, by kind of degradation:

python tools/robustness.py --videos data/videos/annotations/offline_test.json \\
    --photos data/300w/annotations/300w_val.json \\
    [--models NAME=CONFIG,CHECKPOINT ...] [--peers mediapipe dlib] [--out DIR]

Videos of held-out people, annotated offline (tools/annotate_video.py), and
photos that a camera moves across, are degraded in bursts, each kind by itself
and always the same way. Every system follows the face by itself, its bbox
from its own last keypoints; where it has lost the face it is given the bbox
of the annotation. The bundled model comes first, then those of --models, each
also behind the shape filter and the One Euro filter, all in turns.

Keypoint schemes and habits differ by constant offsets: beside the error stands
the error without each system's mean offset of each keypoint, measured in the
face's frame on the clean videos.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import numpy as np
from tqdm import tqdm

from rednet_mm.apis import LandmarkTracker, TorchNetwork, shipped_network
from rednet_mm.apis.crops import box_of
from rednet_mm.datasets.degradation import KINDS
from rednet_mm.datasets.degraded_videos import (
    CleanVideo,
    annotated_videos,
    degraded,
    moved_photos,
)
from rednet_mm.datasets.transforms.degrade_clip import photo_patches
from rednet_mm.engine.launch import existing_config, one_sentence_errors
from rednet_mm.errors import UserError
from rednet_mm.evaluation import (
    LandmarkRecords,
    Protocol,
    evaluate,
    smoothed,
)
from rednet_mm.evaluation.records import records_from_rows
from rednet_mm.evaluation.tables import SUFFIXES, Table, write_table
from rednet_mm.files import whole
from rednet_mm.one_euro import OneEuroFilter
from rednet_mm.provenance import describe_run
from rednet_mm.shape_filter import ShapeFilter, place, turn_and_scale
from rednet_mm.shipped import NAME

CLEAN = 'clean'

# Of the benchmark: most frames are degraded, and each video begins clean.
PLAN = dict(burst=(10, 25), rest=(5, 10), paired=0.0)

COLUMNS = {
    'NME': 'error (%)',
    'offset_free': 'without offset (%)',
    'NME_std': 'std (%)',
    'p95': '95th percentile (%)',
    'failure_rate@10': 'failures > 10 (%)',
    'motion': 'error of motion (%)',
    'acceleration': 'acceleration (%)',
    'true_acceleration': 'of the reference (%)',
    'lag': 'lag (frames)',
    'nmf': 'NMF',
}

# Takes an image (H, W, 3), BGR, and the bbox of the annotation, x y w h; gives
# keypoints (68, 2), or None where it has lost the face.
Follower = Callable[[np.ndarray, np.ndarray], Optional[np.ndarray]]


class TrackedModel:
    """A network in our tracker, asked for its faces at the annotation."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def begin(self) -> Follower:
        """A video that has not begun."""
        truth: list[np.ndarray] = []
        tracker = LandmarkTracker(
            self.network, lambda _: truth[-1][None], redetect_every=0
        )
        states = [tracker.init_state()]

        def follow(image: np.ndarray, bbox: np.ndarray) -> Any:
            truth.append(bbox)
            faces, state = tracker.step(image, states.pop())
            states.append(state)
            return faces[0].keypoints if faces else None

        return follow


class PeerModel:
    """Another system, its bbox from its own last keypoints."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer

    def begin(self) -> Follower:
        """A video that has not begun."""
        last: list[Optional[np.ndarray]] = [None]

        def follow(image: np.ndarray, bbox: np.ndarray) -> Any:
            if last[0] is not None:
                low, high = last[0].min(0), last[0].max(0)
                bbox = np.concatenate([low, high - low])
            rgb = np.ascontiguousarray(image[..., ::-1])
            last[0] = self.peer.landmarks(rgb, self.peer.habit.box(bbox))
            return last[0]

        return follow


def systems_of(args: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, by name.

    Raises:
        UserError: if a word is not NAME=CONFIG,CHECKPOINT, or a peer is not
            installed here.
    """
    found: dict[str, Any] = {}
    if not args.no_bundled:
        found[NAME] = TrackedModel(shipped_network())
    for word in args.models:
        name, sign, files = word.partition('=')
        config, comma, checkpoint = files.rpartition(',')
        if not (sign and comma):
            raise UserError(f'--models {word}: give NAME=CONFIG,CHECKPOINT')
        found[name] = TrackedModel(
            TorchNetwork(existing_config(config), checkpoint)
        )
    for name in args.peers:
        # As in predict_peer.py.
        sys.path.insert(0, str(Path(__file__).resolve().parent))
        try:
            if name == 'mediapipe':
                from peers.face_mesh import FaceMesh as Peer
            else:
                from peers.dlib_68 import Dlib68 as Peer
        except ImportError as error:
            raise UserError(
                f'--peers {name}: {error}; install requirements/peers.txt'
            ) from error
        found[name] = PeerModel(Peer())
    return found


def clean_videos(args: argparse.Namespace) -> list[CleanVideo]:
    """Videos of people and of moved photos.

    Raises:
        UserError: if there are none.
    """
    found = []
    if args.videos:
        found += annotated_videos(args.videos, None, args.frames)
    if args.photos:
        found += moved_photos(
            args.photos,
            frames=args.frames,
            seed=args.seed,
            limit=args.number_of_photos,
        )
    if not found:
        raise UserError('there is nothing to measure on; name --videos')
    return found


def measure(
    systems: dict[str, Any],
    videos: list[CleanVideo],
    kinds: list[str],
    args: argparse.Namespace,
) -> tuple[dict[str, dict[str, LandmarkRecords]], dict[str, float]]:
    """Records by kind and system, and milliseconds a frame by system."""
    source = args.photos or args.videos
    patches = photo_patches(str(source)) if 'occluder' in kinds else None
    rows: dict[tuple[str, str], list[dict]] = {}
    spent = {name: [0.0, 0] for name in systems}
    total = len(kinds) * sum(len(video.frame_ids) for video in videos)
    with tqdm(total=total, unit='frame', mininterval=5) as progress:
        for kind in kinds:
            chosen = [] if kind == CLEAN else [kind]
            for video in videos:
                followers = {n: s.begin() for n, s in systems.items()}
                for frame in degraded(
                    video, chosen, args.seed, patches, **PLAN
                ):
                    bbox = box_of(frame.keypoints)
                    for name, follow in followers.items():
                        begin = time.perf_counter()
                        keypoints = follow(frame.image, bbox)
                        spent[name][0] += time.perf_counter() - begin
                        spent[name][1] += 1
                        rows.setdefault((kind, name), []).append(
                            _row(video, frame, keypoints)
                        )
                    progress.update()
    records: dict[str, dict[str, LandmarkRecords]] = {}
    for (kind, name), given in rows.items():
        records.setdefault(kind, {})[name] = records_from_rows(given, name)
    return records, {n: 1000 * t / max(c, 1) for n, (t, c) in spent.items()}


def _row(video: CleanVideo, frame: Any, keypoints: Any) -> dict[str, Any]:
    truth = frame.keypoints
    if keypoints is None:
        keypoints = np.full_like(truth, np.nan)
    low, high = truth.min(0), truth.max(0)
    return dict(
        points=tuple(range(len(truth))),
        prediction=keypoints,
        truth=truth,
        visible=np.ones(len(truth), bool),
        box=np.concatenate([low, high - low]),
        scores=None,
        path=f'{video.name}/{frame.frame_id:06d}',
        face='0',
        track=(video.name, 0),
        video=video.name,
        frame_id=frame.frame_id,
        category=None,
        group=None,
        yaw=None,
        box_size=None,
        reinit=False,
    )


def mean_offset(records: LandmarkRecords) -> np.ndarray:
    """By how much a system is off on each keypoint, face upright and of 1.

    Args:
        records (LandmarkRecords): On clean videos.

    Returns:
        np.ndarray: (K, 2), mean over the frames.
    """
    known = np.isfinite(records.prediction).all((1, 2))
    found = [
        place(guess - truth, 1 / _pose(truth))
        for guess, truth in zip(
            records.prediction[known], records.truth[known]
        )
    ]
    return np.mean(found, 0) if found else np.zeros(records.truth.shape[1:])


def _pose(truth: np.ndarray) -> complex:
    """Turn and size of a face, as a complex number: its outer eye corners."""
    one, other = truth[[36, 45]] if len(truth) == 68 else truth[[0, -1]]
    return complex(*(other - one))


def without_offset(
    records: LandmarkRecords, offset: np.ndarray
) -> LandmarkRecords:
    """The records with the mean offset taken off each prediction."""
    moved = [
        guess - place(offset, _pose(truth))
        for guess, truth in zip(records.prediction, records.truth)
    ]
    return dataclasses.replace(records, prediction=np.stack(moved))


def figures_of(
    records: LandmarkRecords, offset: np.ndarray, protocol: Protocol
) -> dict[str, float]:
    """What the table shows of one system on one kind."""
    found = evaluate(records, protocol)
    free = evaluate(without_offset(records, offset), protocol)
    errors = np.sort(found.errors[~np.isnan(found.errors)])
    return {
        **found.figures,
        'offset_free': free.figures['NME'],
        # A frame in which the face was lost is infinitely wrong.
        'p95': float(errors[int(0.95 * (len(errors) - 1))]),
    }


def table_of(
    records: dict[str, dict[str, LandmarkRecords]],
    fps: float,
    protocol: Protocol,
) -> tuple[Table, dict[str, dict[str, dict[str, float]]]]:
    """A row for each kind and system, and the same as numbers."""
    values: dict[str, dict[str, dict[str, float]]] = {}
    rows: list[list[Any]] = []
    for kind, systems in records.items():
        for name, raw in systems.items():
            offset = mean_offset(records.get(CLEAN, records[kind])[name])
            variants = [raw]
            variants += [
                smoothed(raw, fps, each)
                for each in (ShapeFilter(), OneEuroFilter())
            ]
            for each in variants:
                found = figures_of(each, offset, protocol)
                values.setdefault(kind, {})[each.name] = found
                rows.append(
                    [f'{kind}: {each.name}', int(found['frames'])]
                    + [int(found['missing'])]
                    + [float(found[key]) for key in COLUMNS]
                )
    heads = ['kind: system', 'frames', 'missing', *COLUMNS.values()]
    table = Table(
        'Degraded videos',
        protocol.sentence,
        tuple(heads),
        tuple(map(tuple, rows)),
    )
    return table, values


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Measure models on degraded videos'
    )
    parser.add_argument('--videos', type=Path, help='JSON of videos')
    parser.add_argument('--photos', type=Path, help='JSON of photos')
    parser.add_argument(
        '--number-of-photos', type=int, default=12, help='default: 12'
    )
    parser.add_argument(
        '--frames', type=int, default=60, help='of each video (default: 60)'
    )
    parser.add_argument(
        '--kinds',
        nargs='+',
        default=[CLEAN, *KINDS],
        choices=[CLEAN, *KINDS],
        help='default: all',
    )
    parser.add_argument(
        '--models',
        nargs='+',
        default=[],
        metavar='NAME=CONFIG,CHECKPOINT',
        help='beside the bundled one',
    )
    parser.add_argument(
        '--no-bundled', action='store_true', help='leave that one out'
    )
    parser.add_argument(
        '--peers',
        nargs='+',
        default=[],
        choices=['mediapipe', 'dlib'],
        help='other systems, where they are installed',
    )
    parser.add_argument('--fps', type=float, default=25.0)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, help='folder for the tables')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with one_sentence_errors():
        records, spent = measure(
            systems_of(args), clean_videos(args), args.kinds, args
        )
        table, values = table_of(records, args.fps, Protocol())
        print(write_table(table, 'text'))
        for name, ms in spent.items():
            print(f'{name}: {ms:.1f} ms a frame, tracking included')
        if args.out:
            for form in ('markdown', 'csv'):
                path = args.out / f'robustness{SUFFIXES[form]}'
                with whole(path) as part:
                    part.write_text(write_table(table, form))
            with whole(args.out / 'robustness.json') as part:
                content = dict(
                    values=values, ms=spent, environment=describe_run()
                )
                part.write_text(json.dumps(content, indent=1))


if __name__ == '__main__':
    main()
