"""Tracking, by what there is more of in a video; for growth.py.

Each part takes the wishes of the command line and an empty folder.
"""

import argparse
import pickle
import sys
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Optional, TypeVar

from lines import MB, Growth
from own_process import apart, resident
from turns import median_seconds
from videos import (
    GRIDS,
    Boxes,
    boxes_of,
    drawn,
    follow,
    put_beside_itself,
    resized,
    size_of,
    there_and_back,
)

# The converters are not installed: they lie beside the tools.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from data_converters.pts import read_pts
from rednet_mm.apis import (
    LandmarkTracker,
    TorchNetwork,
    bundled_network,
    read_frames,
)
from rednet_mm.tracking.boxes import bbox_from_keypoints
from rednet_mm.utils.errors import UserError

# What videos are named by.
K = TypeVar('K')


def tracker_of(model: Optional[tuple[str, str]]) -> LandmarkTracker[Any]:
    """Follows the boxes it is given; no detector, and no face is given up.

    Args:
        model (tuple[str, str], optional): Config and weights; None is the
            bundled model.
    """
    network = TorchNetwork(*model) if model else bundled_network()
    return LandmarkTracker(network, None, min_score=-1.0, max_spread=None)


def video_of(
    args: argparse.Namespace, folder: Path
) -> tuple[str, list[float]]:
    """The video that was named, or one that is drawn; its face, x y w h."""
    if args.video:
        return args.video, args.box
    (video,) = drawn(folder / 'drawn', 1, args.frames)
    keypoints = read_pts(video / 'annot' / '000001.pts')
    return str(video / 'vid.avi'), bbox_from_keypoints(keypoints).tolist()


def followed(
    videos: dict[K, tuple[str, Boxes]], args: argparse.Namespace, title: str
) -> dict[K, dict[str, float]]:
    """Frames, seconds and faces found of videos that take turns."""
    tracker = tracker_of(args.model)
    runs = {
        size: partial(follow, tracker, path, boxes)
        for size, (path, boxes) in videos.items()
    }
    # These warm up.
    found = {size: run() for size, run in runs.items()}
    seconds = median_seconds(runs, args.repeats, title, warm_up=0)
    return {
        size: {
            'frames': len(faces),
            'seconds': seconds[size],
            'ms a frame': 1e3 * seconds[size] / len(faces),
            'faces found': fmean(faces),
        }
        for size, faces in found.items()
    }


def by_faces(args: argparse.Namespace, folder: Path) -> Growth:
    """Tracking, by the faces in the image, each with its part of it."""
    video, box = video_of(args, folder)
    size, videos = size_of(video), {}
    for faces in args.faces:
        path, grid = str(folder / f'faces_{faces}.mp4'), GRIDS[faces]
        put_beside_itself(video, args.frames, grid, path)
        videos[faces] = path, boxes_of(box, size, grid)
    rows = [
        {'faces': faces, **row}
        for faces, row in followed(videos, args, 'faces').items()
    ]
    return Growth(
        'Tracking: the video beside itself', 'faces', rows, ('ms a frame',)
    )


def by_resolution(args: argparse.Namespace, folder: Path) -> Growth:
    """Tracking of one face, by the pixels of a frame."""
    video, box = video_of(args, folder)
    before, videos = size_of(video), {}
    for width in args.widths:
        # Videos have an even number of rows.
        height = 2 * round(before[1] * width / before[0] / 2)
        size = width, max(2, height)
        path = str(folder / f'width_{width}.mp4')
        resized(video, args.frames, size, path)
        videos[size] = (
            path,
            boxes_of(
                [
                    side * size[n % 2] / before[n % 2]
                    for n, side in enumerate(box)
                ],
                size,
                GRIDS[1],
            ),
        )
    rows = [
        {
            'image': f'{width} x {height}',
            'megapixels': width * height / 1e6,
            **row,
        }
        for (width, height), row in followed(
            videos, args, 'resolution'
        ).items()
    ]
    return Growth(
        'Tracking: one face, the video in other pixels',
        'megapixels',
        rows,
        ('ms a frame',),
    )


def footprint(
    model: Optional[tuple[str, str]], path: str, boxes: Optional[Boxes]
) -> tuple[int, int]:
    """Bytes that tracking takes, and those of its state after the video.

    For a process without a past: the network counts.
    """
    before = resident('VmRSS')
    tracker = tracker_of(model)
    state, start = tracker.init_state(), boxes
    with read_frames(path) as reader:
        for frame in reader:
            _, state = tracker.step(frame.image, state, start)
            start = None
    return resident('VmHWM') - before, len(pickle.dumps(state))


def by_length(args: argparse.Namespace, folder: Path) -> Growth:
    """Tracking of one face, by the length of the video."""
    video, box = video_of(args, folder)
    boxes, videos = boxes_of(box, (0, 0), GRIDS[1]), {}
    for times in args.times:
        path = str(folder / f'times_{times}.mp4')
        there_and_back(video, args.frames, times, path)
        videos[times] = path, boxes
    # The network is exported here, if ever: not where memory is measured.
    found, rows = followed(videos, args, 'length'), []
    for times, row in found.items():
        sizes = apart(footprint, args.model, *videos[times])
        if sizes is None:
            raise UserError(
                f'no memory is left to follow the video {times} times; name '
                'fewer with --times'
            )
        peak, state = sizes
        rows.append({**row, 'peak, MB': peak / MB, 'state, bytes': state})
    return Growth(
        'Tracking: one face, the video there and back',
        'frames',
        rows,
        ('seconds',),
        ('peak, MB', 'state, bytes'),
    )
