"""Converts 300-W (AFW, Helen, LFPW, iBUG) to COCO-style JSON.

Source: images and ``.pts`` files of the same stem, in folders of ``SRC``
(``afw/x.jpg``, ``helen_train/y.jpg``) or in ``SRC`` itself. Several faces
of one image (``NAME_1``, ``NAME_2``) are files of their own. Result:
``DST/annotations/300w_SPLIT.json`` and ``DST/images``.

    python data_converters/convert_300w.py SRC DST --split split.csv

``--lists`` makes 300-W's own lists out of the folders, as released
(``helen/trainset``) or flat (``helen_train``): train (AFW, Helen and LFPW),
common (the test images of Helen and LFPW), challenging (iBUG), full (the
last two) and test (indoor and outdoor). ``--val`` takes a part of the
images for validation: an image, with all its faces, is on one side.
"""

from __future__ import annotations

import argparse
import re
import sys
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from tqdm import tqdm

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.arguments import add_images_option, file_part, percent
from data_converters.errors import DataError, main_guard
from data_converters.images import (
    IMAGE_SUFFIXES,
    check_folders,
    files_by_stem,
    image_sizes,
    place_images,
)
from data_converters.listfile import read_table
from data_converters.pts import read_pts
from data_converters.schema import (
    CHOICES_OF_68,
    DatasetWriter,
    face_box,
    save_all,
)
from data_converters.untrusted import short

# The parts of 300-W and how many faces each of them has.
PARTS = {
    'afw': 337,
    'helen_train': 2000,
    'lfpw_train': 811,
    'helen_test': 330,
    'lfpw_test': 224,
    'ibug': 135,
    'indoor': 300,
    'outdoor': 300,
}

# Its lists, each part in one; full is common and challenging.
LISTS = {
    'train': ('afw', 'helen_train', 'lfpw_train'),
    'common': ('helen_test', 'lfpw_test'),
    'challenging': ('ibug',),
    'test': ('indoor', 'outdoor'),
}
FULL = ('common', 'challenging')


def convert(
    src: str | Path,
    dst: str | Path,
    *,
    protocol: str = '300w',
    split: str | Path | None = None,
    base: int = 1,
    images: str = 'link',
    points: int = 68,
    lists: bool = False,
    val: float = 0,
) -> dict[str, Path]:
    """Convert still images with 68 keypoints each.

    Everything is checked before the JSON files are written, together.

    Args:
        src: The folder that holds the images or their folders; it is only
            read.
        dst: The folder to fill; it may exist.
        protocol: Name of the split; the JSON files' names begin with it.
        split: CSV file with the columns file (relative to ``src``) and
            split. None means ``src/split.csv`` or, where that does not
            exist, one split ``all``.
        base: Coordinate base of the ``.pts`` files, 1 as released.
        images: ``link`` or ``copy`` the images.
        points: 68, or 7 for eye corners, nose tip and mouth corners only;
            the box is that of the 68 either way.
        lists: Split by the folders into 300-W's own lists, in place of a
            CSV file; folders of no list are left out. Each image says in
            ``group`` which list it is from.
        val: Percent of the images for training, or of all where nothing
            else splits them, that go into a split ``val``. Which ones
            depends on an image's name only.

    Returns:
        The written JSON file of each split.

    Raises:
        DataError: The source, the list or a file is not as described, or
            two options split the images; no JSON file has been written
            then.
        ValueError: ``points`` is neither 68 nor 7, or ``val`` is not from
            0 to 100.
    """
    src, dst = Path(src), Path(dst)
    if points not in CHOICES_OF_68:
        raise ValueError(f'points {points} is neither 68 nor 7')
    if not 0 <= val <= 100:
        raise ValueError(f'val {val} is not from 0 to 100')
    check_folders(src, dst, 'images')
    pairs, unmarked = _find_pairs(src, 2 if lists else 1)
    info: dict[str, Any] = {}
    if lists:
        if split is not None:
            raise DataError(
                f'{split}: splits the images where --lists does; '
                'name one of the two'
            )
        splits = _by_folder(src, pairs)
        chosen = {name for names in splits.values() for name in names}
        pairs = {name: pairs[name] for name in pairs if name in chosen}
    else:
        splits = _read_splits(src, split, pairs)
    if val:
        splits = _take_val(src, splits, val)
        info['split_rule'] = (
            f"{val:g} % of the images for val, by the CRC-32 of the image's "
            'name'
        )

    marks: dict[str, np.ndarray] = {}
    for name in tqdm(pairs, 'checking keypoints', disable=None):
        pts = pairs[name]
        marks[name] = read_pts(pts, base=base)
        face_box(marks[name], pts)

    shown = {name: src / name for name in pairs}
    sizes = image_sizes(shown)
    place_images(shown, dst / 'images', images)

    writers: dict[Path, DatasetWriter] = {}
    written: dict[str, Path] = {}
    for side, names_here in splits.items():
        written[side] = dst / 'annotations' / f'{protocol}_{side}.json'
        writer = DatasetWriter(
            src.resolve().name,
            'convert_300w',
            protocol,
            side,
            base,
            points,
            info,
        )
        for name in names_here:
            image_id = writer.add_image(
                f'images/{name}',
                *sizes[name],
                group=_list_of(name) if lists else None,
            )
            writer.add_face(
                image_id,
                marks[name][list(CHOICES_OF_68[points])],
                bbox_keypoints=marks[name],
            )
        writers[written[side]] = writer
    save_all(writers)

    if unmarked:
        print(f'{unmarked} images without keypoints left out')
    for side, path in written.items():
        print(f'{side}: {writers[path].counts["images"]} images -> {path}')
    return written


def _find_pairs(src: Path, depth: int) -> tuple[dict[str, Path], int]:
    """Find images that have keypoints, in ``src`` and its folders.

    Args:
        src: The source.
        depth: How many levels of folders there are below it.

    Returns:
        The mark file of each image's path relative to ``src``, sorted, and
        the number of images without keypoints.

    Raises:
        DataError: A mark file has no image, or there is no pair at all.
    """
    level = [src]
    folders = [src]
    for _ in range(depth):
        level = sorted(
            path
            for folder in level
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith('.')
        )
        folders += level
    pairs: dict[str, Path] = {}
    unmarked = 0
    for folder in folders:
        files = files_by_stem(folder, ('.pts',))
        found = files_by_stem(folder, IMAGE_SUFFIXES) if files else {}
        for stem, pts in files.items():
            if stem not in found:
                raise DataError(
                    f'{pts}: has no image beside it; '
                    'add the image or remove the keypoints'
                )
            pairs[found[stem].relative_to(src).as_posix()] = pts
        unmarked += len(found) - len(files)
    if not pairs:
        raise DataError(
            f'{src}: holds no images with .pts files; name the folder that '
            'holds them or their folders'
        )
    return pairs, unmarked


def _read_splits(
    src: Path, path: str | Path | None, pairs: dict[str, Path]
) -> dict[str, list[str]]:
    """Sort the images into splits by the CSV file."""
    if path is None:
        path = src / 'split.csv'
        if not path.is_file():
            return {'all': list(pairs)}
    table = read_table(Path(path), 'file', ('split',))
    for name in table:
        if name not in pairs:
            raise DataError(
                f'{path}: names {short(name)}, which is not in {src} or has '
                'no keypoints; add the file or remove the row'
            )
    splits: dict[str, list[str]] = {}
    for name in pairs:
        if name not in table:
            raise DataError(
                f'{path}: has no row for {name} of {src}; '
                'add a row or remove the image and its keypoints'
            )
        splits.setdefault(table[name]['split'], []).append(name)
    return splits


def part_of(name: str) -> str | None:
    """The part of 300-W that an image is from, by its folders.

    Args:
        name: Path below the source, ``helen/trainset/1_1.jpg``.

    Returns:
        One of ``PARTS``, or None.
    """
    folders = '_'.join(PurePosixPath(name).parent.parts).lower()
    folders = '_' + re.sub(r'(train|test)set', r'\1', folders)
    return next((part for part in PARTS if folders.endswith(f'_{part}')), None)


def photo_of(name: str) -> str:
    """The image that an image is from: its name without the face's number.

    A face's number has one or two digits (``2086996835_5``, ``image_003_1``)
    and an image's has more (``image_0001``).
    """
    return re.sub(r'_\d{1,2}$', '', PurePosixPath(name).stem)


def _list_of(name: str) -> str | None:
    part = part_of(name)
    return next((key for key, parts in LISTS.items() if part in parts), None)


def _by_folder(src: Path, pairs: dict[str, Path]) -> dict[str, list[str]]:
    """Sort the images into 300-W's lists, and say what is not there."""
    splits: dict[str, list[str]] = {side: [] for side in LISTS}
    counts = dict.fromkeys(PARTS, 0)
    others: dict[str, int] = {}
    for name in pairs:
        part, side = part_of(name), _list_of(name)
        if part is None or side is None:
            folder = PurePosixPath(name).parent.as_posix()
            others[folder] = others.get(folder, 0) + 1
        else:
            counts[part] += 1
            splits[side].append(name)
    if not any(splits.values()):
        raise DataError(
            f'{src}: holds none of the folders of 300-W ({", ".join(PARTS)}); '
            'name the folder that holds them, or leave out --lists'
        )
    missing = [part for part, count in counts.items() if not count]
    if missing:
        print(f'not in the source: {", ".join(missing)}')
    for part, count in counts.items():
        if count and count != PARTS[part]:
            print(f'{part}: {count} of {PARTS[part]} faces are in the source')
    for folder, count in others.items():
        print(f'{folder}: {count} images of no list left out')
    if all(splits[side] for side in FULL):
        splits['full'] = [name for side in FULL for name in splits[side]]
    return {side: names for side, names in splits.items() if names}


def _take_val(
    src: Path, splits: dict[str, list[str]], percent: float
) -> dict[str, list[str]]:
    """Take images out of ``train``, or ``all``, for a split ``val``."""
    source = 'all' if 'all' in splits else 'train'
    if source not in splits or 'val' in splits:
        raise DataError(
            f'{src}: has no images for training, or is split by a list '
            'already; leave out --val'
        )
    sides: dict[str, list[str]] = {'train': [], 'val': []}
    for name in splits[source]:
        place = zlib.crc32(photo_of(name).encode()) % 10_000
        sides['val' if place < percent * 100 else 'train'].append(name)
    others = {side: splits[side] for side in splits if side != source}
    return {side: names for side, names in (sides | others).items() if names}


def main() -> None:
    """Command line of :func:`convert`."""
    parser = argparse.ArgumentParser(
        description='Convert 300-W, or still images laid out like it, to '
        'COCO-style JSON.'
    )
    parser.add_argument(
        'src', type=Path, help='folder of images and .pts files'
    )
    parser.add_argument('dst', type=Path, help='folder to fill')
    parser.add_argument(
        '--protocol',
        type=file_part,
        default='300w',
        help="name of the split, first part of the JSON files' names "
        '(default: 300w)',
    )
    parser.add_argument(
        '--split',
        type=Path,
        metavar='CSV',
        help='list with the columns file and split (default: SRC/split.csv '
        'if it is there, otherwise one split named all)',
    )
    parser.add_argument(
        '--base',
        type=int,
        choices=(0, 1),
        default=1,
        help="coordinate of the first pixel's centre in the .pts files "
        '(default: 1, as released)',
    )
    add_images_option(parser)
    parser.add_argument(
        '--points',
        type=int,
        choices=tuple(CHOICES_OF_68),
        default=68,
        help='keypoints to write: 68, or the 7 that are detected (default: '
        '68)',
    )
    parser.add_argument(
        '--lists',
        action='store_true',
        help="split by the folders into 300-W's lists: train, common, "
        'challenging, full, test',
    )
    parser.add_argument(
        '--val',
        type=percent,
        default=0.0,
        metavar='PERCENT',
        help='take this part of the images for training, with all their '
        'faces, for a split val (default: 0)',
    )
    args = parser.parse_args()
    main_guard(lambda: convert(**vars(args)))


if __name__ == '__main__':
    main()
