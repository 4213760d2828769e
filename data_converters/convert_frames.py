"""Converts videos that are folders of frames and ``.pts`` files.

Source: ``SRC`` with frames in it is one video; otherwise each of its
folders is one. Marks have the frame's name and lie beside it, or in a
folder of their own (``--marks``), laid out like the frames. 68 keypoints are
in one of two orders:

``ibug``   that of 300-W; coordinates are 1-based. Face Movies, and
           Talking Face where it was marked again in this order.
``fgnet``  that of Talking Face as released. Seven of its keypoints are our
           seven; the others have no counterpart among iBUG's 68, so seven
           are written. Its page says that coordinates start from the
           image's top left corner, not whether from 0 or 1: 0 is taken,
           as its frames are numbered from 0.

Result: ``DST/annotations/PROTOCOL_SPLIT.json`` and ``DST/frames/VIDEO``, as
convert_300vw writes them.

    python data_converters/convert_frames.py SRC DST --protocol talking_face
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.arguments import add_images_option, file_part
from data_converters.errors import DataError, main_guard
from data_converters.frames import frame_ids
from data_converters.images import (
    IMAGE_SUFFIXES,
    check_folders,
    files_by_stem,
    image_size,
    place_folder,
)
from data_converters.listfile import Table, check_disjoint, read_table
from data_converters.parallel import run_parallel
from data_converters.pts import read_pts
from data_converters.schema import (
    CHOICES_OF_68,
    SEVEN_OF_68,
    DatasetWriter,
    face_box,
    save_all,
)
from data_converters.untrusted import short

# Outer and inner corner of the eye on the image's left, inner and outer
# corner of the other one, tip of the nose, corners of the mouth.
SEVEN_OF_FGNET = (27, 29, 34, 32, 67, 48, 54)

ORDERS = {'ibug': SEVEN_OF_68, 'fgnet': SEVEN_OF_FGNET}
BASES = {'ibug': 1, 'fgnet': 0}


@dataclass(frozen=True)
class Video:
    """A video of the source, its frames in order.

    Attributes:
        name: The folder's name.
        frames: 0-based number of each marked frame.
        images: The frames' images.
        keypoints: The frames' keypoints, shape (T, 68, 2), in pixels.
        unmarked: Images in the folder that have no keypoints.
    """

    name: str
    frames: list[int]
    images: list[Path]
    marks: np.ndarray
    unmarked: int


def convert(
    src: str | Path,
    dst: str | Path,
    *,
    protocol: str = 'frames',
    marks: str | Path | None = None,
    order: str | None = None,
    base: int | None = None,
    points: int | None = None,
    subjects: str | Path | None = None,
    fps: float | None = None,
    images: str = 'link',
) -> dict[str, Path]:
    """Convert folders of frames and ``.pts`` files.

    Everything is checked before the JSON files are written, together.
    Images without keypoints are left out and counted.

    Args:
        src: The folder of frames, or of folders of frames; it is only
            read.
        dst: The folder to fill; it may exist.
        protocol: Name of the split; the JSON files' names begin with it.
        keypoints: The folder of ``.pts`` files, or of folders of them by the
            videos' names. None means that they lie beside the frames.
        order: ``ibug`` or ``fgnet``; None means that it is found out from
            the keypoints.
        base: Coordinate of the first pixel's centre in the keypoints; None
            means 1 for ``ibug`` and 0 for ``fgnet``.
        points: 68, or 7 for eye corners, nose tip and mouth corners only;
            the box is that of the 68 either way. None means 68 for
            ``ibug`` and 7 for ``fgnet``, which gives no others.
        subjects: CSV file with the columns video and subject, and where
            wanted category (a whole number) and split. Without it each
            video is a subject of its own, and there is one split ``all``.
        fps: Frames per second, if known.
        images: ``link`` or ``copy`` the images.

    Returns:
        The written JSON file of each split.

    Raises:
        DataError: The source, the list or a file is not as described, the
            order is not clear, or ``points`` is 68 with ``fgnet``; no JSON
            file has been written then.
        ValueError: ``order`` or ``points`` is none of the above.
    """
    src, dst = Path(src), Path(dst)
    if order not in (None, *ORDERS):
        raise ValueError(f'order {order!r} is not in {tuple(ORDERS)}')
    if points not in (None, *CHOICES_OF_68):
        raise ValueError(f'points {points} is neither 68 nor 7')
    check_folders(src, dst, 'frames')
    folders = _find_folders(src)
    table = None
    if subjects is not None:
        table = _read_subjects(Path(subjects), folders)
    found = []
    for video, folder in tqdm(folders.items(), 'reading', disable=None):
        found.append(
            _read_video(video, folder, _keypoints_of(src, folder, marks))
        )

    order = order or _find_order(src, found)
    if order == 'fgnet' and points == 68:
        raise DataError(
            f'{src}: has keypoints in the order of FGNET, which give seven '
            'points only; choose --points 7, or name --order ibug if they '
            'are in that order'
        )
    points = points or (7 if order == 'fgnet' else 68)
    base = BASES[order] if base is None else base
    found = [replace(video, marks=video.marks - base) for video in found]
    chosen = list(ORDERS[order] if points == 7 else CHOICES_OF_68[points])

    def place(video: Video, stop: threading.Event) -> list[tuple[int, int]]:
        sizes = []
        for path in video.images:
            if stop.is_set():
                break
            sizes.append(image_size(path))
        file_names = [path.name for path in video.images]
        target = dst / 'frames' / video.name
        place_folder(video.images[0].parent, target, file_names, images)
        return sizes

    sizes = run_parallel(place, found, workers=None, label='frames')
    writers: dict[Path, DatasetWriter] = {}
    written: dict[str, Path] = {}
    for split in dict.fromkeys(_row(table, v.name)['split'] for v in found):
        written[split] = dst / 'annotations' / f'{protocol}_{split}.json'
        writers[written[split]] = writer = DatasetWriter(
            src.resolve().name,
            'convert_frames',
            protocol,
            split,
            base,
            points,
            {'order': order},
        )
        for video, video_sizes in zip(found, sizes):
            row = _row(table, video.name)
            if row['split'] == split:
                _add_video(writer, video, video_sizes, row, chosen, fps)
    save_all(writers)

    unmarked = sum(video.unmarked for video in found)
    if unmarked:
        print(f'{unmarked} images without keypoints left out')
    for split, path in written.items():
        counts = writers[path].counts
        print(
            f'{split}: {counts["videos"]} videos, {counts["images"]} frames, '
            f'{counts["subjects"]} subjects, {points} keypoints ({order}) -> '
            f'{path}'
        )
    return written


def frame_numbers(stems: Iterable[str]) -> list[int]:
    """0-based frame numbers of files named after their frames.

    Where all names are one text and a number (``franck_00127``) the number
    counts, from 1 or, where one of them is 0, from 0. Otherwise it is the
    position in natural order, in which ``b2`` comes before ``b10``.

    Args:
        stems: Names without suffix, all different.

    Returns:
        One number for each stem, in the order given.
    """
    stems = list(stems)
    heads = {stem.rstrip('0123456789') for stem in stems}
    if len(heads) == 1:
        digits = [stem.removeprefix(min(heads)) for stem in stems]
        if all(digits) and len(set(map(int, digits))) == len(stems):
            return frame_ids(digits)
    position = {stem: i for i, stem in enumerate(sorted(stems, key=_natural))}
    return [position[stem] for stem in stems]


def _natural(text: str) -> tuple[list[tuple[str, int]], str]:
    pairs = re.findall(r'([^0-9]*)([0-9]*)', text)
    return [(head.lower(), int(digits or -1)) for head, digits in pairs], text


def is_face(seven: np.ndarray) -> np.ndarray:
    """Which sets of seven keypoints are arranged like a face, at any roll.

    Seen along the line through the outer eye corners, the corners of the
    eyes and those of the mouth are in order; below that line come first
    the nose, then the mouth.

    Args:
        seven: Keypoints of shape (N, 7, 2).

    Returns:
        Mask of shape (N,).
    """
    across = seven[:, 3] - seven[:, 0]
    down = np.stack([-across[:, 1], across[:, 0]], axis=1)
    from_eye = seven - seven[:, :1]
    x = np.einsum('nkc,nc->nk', from_eye, across)
    y = np.einsum('nkc,nc->nk', from_eye, down)
    return (
        (np.diff(x[:, :4]) > 0).all(axis=1)
        & (x[:, 6] > x[:, 5])
        & (y[:, 4] > y[:, :4].max(axis=1))
        & (y[:, 5:].min(axis=1) > y[:, 4])
    )


def _find_order(src: Path, videos: list[Video]) -> str:
    """The order in which most frames show a face, and the other does not."""
    marks = np.concatenate([video.marks for video in videos])
    share = {
        order: float(is_face(marks[:, list(seven)]).mean())
        for order, seven in ORDERS.items()
    }
    best = max(share, key=lambda order: share[order])
    if not share[best] > 0.5 > min(share.values()):
        raise DataError(
            f'{src}: it is not clear in which order the keypoints are ('
            f'{share["ibug"]:.0%} of the frames show a face in that of iBUG, '
            f'{share["fgnet"]:.0%} in that of FGNET); name it with --order'
        )
    return best


def _find_folders(src: Path) -> dict[str, Path]:
    """The folder of each video by its name, sorted."""
    if files_by_stem(src, IMAGE_SUFFIXES):
        return {src.resolve().name: src}
    folders = {
        path.name: path
        for path in sorted(src.iterdir(), key=lambda path: _natural(path.name))
        if path.is_dir()
        and not path.name.startswith('.')
        and files_by_stem(path, IMAGE_SUFFIXES)
    }
    if not folders:
        raise DataError(
            f'{src}: holds no images and no folders of images; name the '
            'folder that holds the frames or their folders'
        )
    return folders


def _read_subjects(path: Path, folders: dict[str, Path]) -> Table:
    table: Table = read_table(path, 'video', ('subject',))
    if any('split' in row for row in table.values()):
        table = read_table(path, 'video', ('subject', 'split'))
        check_disjoint(table, path)
    for video in table:
        if video not in folders:
            raise DataError(
                f'{path}: names the video {short(video)}, which is not in the '
                'source; add the video or remove the row'
            )
    for video in folders:
        if video not in table:
            raise DataError(
                f'{path}: has no row for the video {video}; add a row or '
                'remove the video'
            )
        category = table[video].get('category', '')
        if category and not re.fullmatch('[0-9]{1,9}', category):
            raise DataError(
                f'{path}: the category {short(category)!r} of {video} is not '
                'a whole number; correct it or leave it empty'
            )
    return table


def _row(table: Table | None, video: str) -> dict[str, str]:
    row = {'subject': video} if table is None else dict(table[video])
    return {'split': 'all', 'category': ''} | row


def _keypoints_of(src: Path, folder: Path, marks: str | Path | None) -> Path:
    """The folder of the keypoints of a folder of frames."""
    if marks is None:
        return folder
    inner = Path(marks) / folder.relative_to(src)
    if not inner.is_dir():
        raise DataError(
            f'{inner}: no such folder; add the keypoints of {folder}, or name '
            'the folder that holds them with --marks'
        )
    return inner


def _read_video(name: str, folder: Path, marks_folder: Path) -> Video:
    """Read a video's keypoints, as they are in the files, and find its frames.

    Raises:
        DataError: There are no keypoints, or a mark file is bad or has no
            image.
    """
    found = files_by_stem(folder, IMAGE_SUFFIXES)
    files = files_by_stem(marks_folder, ('.pts',))
    if not files:
        raise DataError(
            f'{marks_folder}: holds no .pts files; add them, or name the '
            'folder that holds them with --marks'
        )
    for stem, path in files.items():
        if stem not in found:
            raise DataError(
                f'{path}: has no image in {folder}; '
                'add the image or remove the keypoints'
            )
    marked = [
        (frame, stem)
        for frame, stem in sorted(zip(frame_numbers(found), found))
        if stem in files
    ]
    marks = []
    for _, stem in marked:
        marks.append(read_pts(files[stem], base=0))
        face_box(marks[-1], files[stem])
    return Video(
        name,
        [frame for frame, _ in marked],
        [found[stem] for _, stem in marked],
        np.stack(marks),
        len(found) - len(files),
    )


def _add_video(
    writer: DatasetWriter,
    video: Video,
    sizes: list[tuple[int, int]],
    row: dict[str, str],
    chosen: list[int],
    fps: float | None,
) -> None:
    subject_id = writer.add_subject(row['subject'])
    video_id = writer.add_video(
        video.name,
        split=row['split'],
        category=int(row['category']) if row['category'] else None,
        subject_id=subject_id,
        fps=fps,
    )
    for frame, path, size, marks in zip(
        video.frames, video.images, sizes, video.marks
    ):
        image_id = writer.add_image(
            f'frames/{video.name}/{path.name}',
            *size,
            video_id=video_id,
            frame_id=frame,
        )
        writer.add_face(
            image_id,
            marks[chosen],
            subject_id=subject_id,
            bbox_keypoints=marks,
        )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'{text!r} is not a positive number')
    return value


def main() -> None:
    """Command line of :func:`convert`."""
    parser = argparse.ArgumentParser(
        description='Convert folders of frames and .pts files (Talking Face, '
        'Face Movies, your own) to COCO-style JSON.'
    )
    parser.add_argument(
        'src', type=Path, help='folder of frames, or of folders of frames'
    )
    parser.add_argument('dst', type=Path, help='folder to fill')
    parser.add_argument(
        '--protocol',
        type=file_part,
        default='frames',
        help="name of the split, first part of the JSON files' names "
        '(default: frames)',
    )
    parser.add_argument(
        '--marks',
        type=Path,
        metavar='FOLDER',
        help='folder of the .pts files, or of folders of them by the '
        "videos' names (default: beside the frames)",
    )
    parser.add_argument(
        '--order',
        choices=tuple(ORDERS),
        help='order of the 68 keypoints (default: found out from them)',
    )
    parser.add_argument(
        '--base',
        type=int,
        choices=(0, 1),
        help="coordinate of the first pixel's centre in the .pts files "
        '(default: 1 for ibug, 0 for fgnet)',
    )
    parser.add_argument(
        '--points',
        type=int,
        choices=tuple(CHOICES_OF_68),
        help='keypoints to write: 68, or the 7 that are detected (default: '
        '68; 7 for fgnet, which gives no others)',
    )
    parser.add_argument(
        '--subjects',
        type=Path,
        metavar='CSV',
        help='list with the columns video and subject, and where wanted '
        'category and split',
    )
    parser.add_argument(
        '--fps',
        type=_positive,
        help='frames per second (Talking Face: 25)',
    )
    add_images_option(parser)
    args = parser.parse_args()
    main_guard(lambda: convert(**vars(args)))


if __name__ == '__main__':
    main()
