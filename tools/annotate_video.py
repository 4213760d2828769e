"""Annotate videos offline, as data to train on and to measure with:

python tools/annotate_video.py data/my_videos/*.mp4 --out data/mine

Each face is looked at in several crops and mirrors of every frame, its
keypoints are smoothed with the frames before and behind, and frames of doubt
are left out. Written are the frames, OUT/frames/VIDEO, and the JSON of the
converters, OUT/annotations/offline_SPLIT.json, whose info says ``source:
offline``: VideoClipDataset and the tools read it. Keypoints are as good as
the model on clean video, no better: correct what matters by hand.

With --subjects, a CSV with the columns video (file name without suffix),
subject and, where wanted, split, a video shows one person: the largest face.
"""

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import Any, Optional

import cv2
from tqdm import tqdm

from data_converters.errors import DataError
from data_converters.frames import frame_name
from data_converters.listfile import check_disjoint, read_table
from data_converters.schema import DatasetWriter, save_all
from rednet_mm.apis import (
    LandmarkTracker,
    TorchNetwork,
    build_detector,
    read_frames,
    shipped_network,
)
from rednet_mm.apis.offline_annotation import (
    OfflineFace,
    OfflineSettings,
    SeenFace,
    look_through,
    settle,
)
from rednet_mm.engine.launch import (
    existing_config,
    one_sentence_errors,
    stop_on_sigterm,
)
from rednet_mm.errors import UserError
from rednet_mm.shipped import NAME

QUALITY = 95


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('videos', nargs='+', help='videos or frame folders')
    parser.add_argument('--out', required=True, type=Path, help='data folder')
    parser.add_argument(
        '--subjects',
        type=Path,
        help='CSV: video, subject[, split]; other videos are left out',
    )
    parser.add_argument('--config', help='in place of the bundled model')
    parser.add_argument('--checkpoint', help='its weights')
    parser.add_argument('--detector', default='default', help='finds faces')
    parser.add_argument('--device', default='cpu', help='cpu or cuda:0')
    parser.add_argument(
        '--max-frames', type=int, help='of each video, from its beginning'
    )
    usual = OfflineSettings()
    parser.add_argument(
        '--window', type=int, default=usual.window, help='frames, odd'
    )
    for name, what in (
        ('max_disagreement', 'of the views of a face, share of its size'),
        ('max_residual', 'between smooth and raw, share of its size'),
        ('min_size', 'of a face, pixels'),
    ):
        parser.add_argument(
            f'--{name.replace("_", "-")}',
            type=float,
            default=getattr(usual, name),
            help=what,
        )
    return parser.parse_args()


def settings_of(args: argparse.Namespace) -> OfflineSettings:
    """Of the command line.

    Raises:
        UserError: for a window that is even or too short for a cubic.
    """
    if args.window % 2 == 0 or args.window < 5:
        raise UserError(f'--window {args.window}: give an odd number from 5')
    return OfflineSettings(
        window=args.window,
        max_disagreement=args.max_disagreement,
        max_residual=args.max_residual,
        min_size=args.min_size,
    )


def rows_of(args: argparse.Namespace) -> dict[str, dict[str, str]]:
    """What the list says of each video, by path; without a list of all.

    Raises:
        DataError: if the list is not as described.
        UserError: if two videos have one name, or the list names none.
    """
    stems = [Path(video).stem for video in args.videos]
    for stem in stems:
        if stems.count(stem) > 1:
            raise UserError(f'two videos are called {stem}; rename one')
    if args.subjects is None:
        return {video: dict(split='all') for video in args.videos}
    table = read_table(args.subjects, 'video', ('subject',))
    if any('split' in row for row in table.values()):
        check_disjoint(table, args.subjects)
    rows = {
        video: dict(split='all') | dict(table[stem])
        for video, stem in zip(args.videos, stems)
        if stem in table
    }
    skipped = [stem for stem in stems if stem not in table]
    if skipped:
        print(f'not in {args.subjects}, left out: {", ".join(skipped)}')
    if not rows:
        raise UserError(f'{args.subjects} names none of the videos')
    return rows


def tracker_of(args: argparse.Namespace) -> LandmarkTracker[Any]:
    """The network, and who finds faces.

    Raises:
        UserError: if config or checkpoint is named without the other.
    """
    if bool(args.config) != bool(args.checkpoint):
        raise UserError('name --config and --checkpoint, or none of them')
    network = (
        TorchNetwork(
            existing_config(args.config), args.checkpoint, args.device
        )
        if args.config
        else shipped_network(args.device)
    )
    return LandmarkTracker(
        network, build_detector(args.detector, None, args.device)
    )


def annotate(
    video: str,
    row: dict[str, str],
    tracker: LandmarkTracker[Any],
    settings: OfflineSettings,
    out: Path,
    writer: DatasetWriter,
    max_frames: Optional[int] = None,
) -> str:
    """Write the frames of a video and collect its faces; what came of it."""
    name = Path(video).stem
    folder = out / 'frames' / name
    seen: list[SeenFace] = []
    with read_frames(video) as reader:
        images = tqdm(
            (frame.image for frame in islice(reader, max_frames)),
            name,
            max_frames or reader.count or None,
            unit='frame',
            mininterval=5,
        )
        count = 0
        for faces in look_through(tracker, images):
            count += 1
            if 'subject' in row and faces:
                faces = [max(faces, key=lambda face: face.size)]
            seen += faces
        fps = reader.fps
    found, left_out = settle(seen, settings)
    size = _write_frames(video, folder, {face.frame for face in found})
    _add(writer, name, row, found, fps, size)
    reasons = ', '.join(f'{n} {why}' for why, n in left_out.items() if n)
    return (
        f'{name}: {count} frames, {len(seen)} faces, {len(found)} annotated'
        + (f'; left out: {reasons}' if reasons else '')
    )


def _write_frames(
    video: str, folder: Path, wanted: set[int]
) -> Optional[tuple[int, int]]:
    """The annotated frames as JPEG; their width and height."""
    folder.mkdir(parents=True, exist_ok=True)
    size = None
    with read_frames(video) as reader:
        for number, frame in enumerate(reader):
            if number in wanted:
                path = folder / frame_name(number)
                cv2.imwrite(
                    str(path), frame.image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
                )
                size = frame.image.shape[1::-1]
    return size


def _add(
    writer: DatasetWriter,
    name: str,
    row: dict[str, str],
    found: list[OfflineFace],
    fps: float,
    size: Optional[tuple[int, int]],
) -> None:
    if not found or size is None:
        return
    subject = row.get('subject')
    video_id = writer.add_video(
        name,
        split=row['split'],
        subject_id=None if subject is None else writer.add_subject(subject),
        fps=round(fps, 3),
    )
    images: dict[int, int] = {}
    for face in found:
        if face.frame not in images:
            images[face.frame] = writer.add_image(
                f'frames/{name}/{frame_name(face.frame)}',
                *size,
                video_id=video_id,
                frame_id=face.frame,
            )
        # Faces of one video are told apart by their subjects.
        person = subject or f'{name}/{face.face}'
        writer.add_face(
            images[face.frame],
            face.keypoints,
            subject_id=writer.add_subject(person),
        )


def run(args: argparse.Namespace) -> None:
    """Annotate all videos; the JSON files appear together at the end."""
    settings = settings_of(args)
    rows = rows_of(args)
    tracker = tracker_of(args)
    writers: dict[Path, DatasetWriter] = {}
    for video, row in rows.items():
        path = args.out / 'annotations' / f'offline_{row["split"]}.json'
        if path not in writers:
            writers[path] = DatasetWriter(
                source='offline',
                converter='annotate_video',
                protocol='offline',
                split=row['split'],
                base=0,
                num_keypoints=tracker.network.num_keypoints,
                info=dict(model=args.checkpoint or NAME, **vars(settings)),
            )
        print(
            annotate(
                video,
                row,
                tracker,
                settings,
                args.out,
                writers[path],
                args.max_frames,
            ),
            flush=True,
        )
    save_all(writers)
    for path, writer in writers.items():
        counts = writer.counts
        print(f'{path}: {counts["videos"]} videos, {counts["images"]} frames')


def main() -> None:
    args = parse_args()
    with one_sentence_errors(), stop_on_sigterm():
        try:
            run(args)
        except DataError as error:
            sys.exit(str(error))


if __name__ == '__main__':
    main()
