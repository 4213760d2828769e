"""Tracking, by what there is more of in a film; for growth.py.

Each part takes the wishes of the command line and an empty folder.
"""

import argparse
import pickle
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

from data_converters.pts import read_pts
from rednet_mm.apis import (
    LandmarkTracker,
    TorchNetwork,
    read_frames,
    shipped_network,
)
from rednet_mm.tracking.boxes import box_of
from rednet_mm.utils.errors import UserError

# What films are named by.
K = TypeVar('K')


def tracker_of(model: Optional[tuple[str, str]]) -> LandmarkTracker[Any]:
    """Follows the boxes it is given; no detector, and no face is given up.

    Args:
        model (tuple[str, str], optional): Config and weights; None is the
            model that comes with the package.
    """
    network = TorchNetwork(*model) if model else shipped_network()
    return LandmarkTracker(network, None, min_score=-1.0, max_spread=None)


def film_of(args: argparse.Namespace, folder: Path) -> tuple[str, list[float]]:
    """The film that was named, or one that is drawn; its face, x y w h."""
    if args.film:
        return args.film, args.box
    (video,) = drawn(folder / 'drawn', 1, args.frames)
    marks = read_pts(video / 'annot' / '000001.pts')
    return str(video / 'vid.avi'), box_of(marks).tolist()


def followed(
    films: dict[K, tuple[str, Boxes]], args: argparse.Namespace, title: str
) -> dict[K, dict[str, float]]:
    """Frames, seconds and faces found of films that take turns."""
    tracker = tracker_of(args.model)
    runs = {
        size: partial(follow, tracker, path, boxes)
        for size, (path, boxes) in films.items()
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
    """Tracking, by the faces in the picture, each with its part of it."""
    film, box = film_of(args, folder)
    size, films = size_of(film), {}
    for faces in args.faces:
        path, grid = str(folder / f'faces_{faces}.mp4'), GRIDS[faces]
        put_beside_itself(film, args.frames, grid, path)
        films[faces] = path, boxes_of(box, size, grid)
    rows = [
        {'faces': faces, **row}
        for faces, row in followed(films, args, 'faces').items()
    ]
    return Growth(
        'Tracking: the film beside itself', 'faces', rows, ('ms a frame',)
    )


def by_resolution(args: argparse.Namespace, folder: Path) -> Growth:
    """Tracking of one face, by the pixels of a frame."""
    film, box = film_of(args, folder)
    before, films = size_of(film), {}
    for width in args.widths:
        # Films have an even number of rows.
        height = 2 * round(before[1] * width / before[0] / 2)
        size = width, max(2, height)
        path = str(folder / f'width_{width}.mp4')
        resized(film, args.frames, size, path)
        films[size] = (
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
            'picture': f'{width} x {height}',
            'megapixels': width * height / 1e6,
            **row,
        }
        for (width, height), row in followed(films, args, 'resolution').items()
    ]
    return Growth(
        'Tracking: one face, the film in other pixels',
        'megapixels',
        rows,
        ('ms a frame',),
    )


def footprint(
    model: Optional[tuple[str, str]], path: str, boxes: Optional[Boxes]
) -> tuple[int, int]:
    """Bytes that tracking takes, and those of its state after the film.

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
    """Tracking of one face, by the length of the film."""
    film, box = film_of(args, folder)
    boxes, films = boxes_of(box, (0, 0), GRIDS[1]), {}
    for times in args.times:
        path = str(folder / f'times_{times}.mp4')
        there_and_back(film, args.frames, times, path)
        films[times] = path, boxes
    # The network is exported here, if ever: not where memory is measured.
    found, rows = followed(films, args, 'length'), []
    for times, row in found.items():
        sizes = apart(footprint, args.model, *films[times])
        if sizes is None:
            raise UserError(
                f'no memory is left to follow the film {times} times; name '
                'fewer with --times'
            )
        peak, state = sizes
        rows.append({**row, 'peak, MB': peak / MB, 'state, bytes': state})
    return Growth(
        'Tracking: one face, the film there and back',
        'frames',
        rows,
        ('seconds',),
        ('peak, MB', 'state, bytes'),
    )
