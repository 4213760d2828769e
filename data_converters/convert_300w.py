"""Converts 300-W (AFW, Helen, LFPW, iBUG) to COCO-style JSON.

Source: images and ``.pts`` files of the same stem, in folders of ``SRC``
(``afw/x.jpg``, ``helen_train/y.jpg``) or in ``SRC`` itself. Several faces
of one photo (``NAME_1``, ``NAME_2``) are files of their own. Result:
``DST/annotations/300w_SPLIT.json`` and ``DST/images``.

    python data_converters/convert_300w.py SRC DST --split split.csv
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_converters.errors import DataError, main_guard
from data_converters.images import (
    IMAGE_SUFFIXES,
    PLACE_MODES,
    check_folders,
    files_by_stem,
    image_size,
    place_file,
    place_folder,
)
from data_converters.listfile import read_table
from data_converters.parallel import run_parallel
from data_converters.pts import read_pts
from data_converters.schema import DatasetWriter, face_box, save_all


def convert(
    src: str | Path,
    dst: str | Path,
    *,
    protocol: str = '300w',
    split: str | Path | None = None,
    base: int = 1,
    images: str = 'link',
) -> dict[str, Path]:
    """Convert still images with 68 marks each.

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

    Returns:
        The written JSON file of each split.

    Raises:
        DataError: The source, the list or a file is not as described; no
            JSON file has been written then.
    """
    src, dst = Path(src), Path(dst)
    check_folders(src, dst, 'images')
    pairs, unmarked = _find_pairs(src)
    splits = _read_splits(src, split, pairs)

    marks: dict[str, np.ndarray] = {}
    for name in tqdm(pairs, 'checking marks', disable=None):
        pts = pairs[name]
        marks[name] = read_pts(pts, base=base)
        face_box(marks[name], pts)

    def measure(name: str, stop: threading.Event) -> tuple[int, int]:
        return image_size(src / name)

    names = list(pairs)
    measured = run_parallel(measure, names, workers=None, label='images')
    sizes = dict(zip(names, measured))
    _place_images(src, dst / 'images', names, images)

    writers: dict[Path, DatasetWriter] = {}
    written: dict[str, Path] = {}
    for side, chosen in splits.items():
        written[side] = dst / 'annotations' / f'{protocol}_{side}.json'
        writer = DatasetWriter(
            src.resolve().name, 'convert_300w', protocol, side, base
        )
        for name in chosen:
            image_id = writer.add_image(f'images/{name}', *sizes[name])
            writer.add_face(image_id, marks[name])
        writers[written[side]] = writer
    save_all(writers)

    if unmarked:
        print(f'{unmarked} images without marks left out')
    for side, path in written.items():
        print(f'{side}: {writers[path].counts["images"]} images -> {path}')
    return written


def _find_pairs(src: Path) -> tuple[dict[str, Path], int]:
    """Find images that have marks, in ``src`` and its folders.

    Returns:
        The mark file of each image's path relative to ``src``, sorted, and
        the number of images without marks.

    Raises:
        DataError: A mark file has no image, or there is no pair at all.
    """
    folders = [src] + sorted(
        path
        for path in src.iterdir()
        if path.is_dir() and not path.name.startswith('.')
    )
    pairs: dict[str, Path] = {}
    unmarked = 0
    for folder in folders:
        files = files_by_stem(folder, ('.pts',))
        found = files_by_stem(folder, IMAGE_SUFFIXES) if files else {}
        for stem, pts in files.items():
            if stem not in found:
                raise DataError(
                    f'{pts}: has no image beside it; '
                    'add the image or remove the marks'
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
                f'{path}: names {name}, which is not in {src} or has no '
                'marks; add the file or remove the row'
            )
    splits: dict[str, list[str]] = {}
    for name in pairs:
        if name not in table:
            raise DataError(
                f'{path}: has no row for {name} of {src}; '
                'add a row or remove the image and its marks'
            )
        splits.setdefault(table[name]['split'], []).append(name)
    return splits


def _place_images(
    src: Path, target: Path, names: list[str], mode: str
) -> None:
    """Bring the images to ``target``, folder by folder."""
    by_folder: dict[str | None, list[str]] = {}
    for name in names:
        folder, _, file = name.rpartition('/')
        by_folder.setdefault(folder or None, []).append(file)
    for folder_name, files in by_folder.items():
        if folder_name is None:
            for file in files:
                place_file(src / file, target / file, mode)
        else:
            source = src / folder_name
            place_folder(source, target / folder_name, files, mode)


def main() -> None:
    """Command line of :func:`convert`."""
    parser = argparse.ArgumentParser(
        description='Convert 300-W, or stills laid out like it, to '
        'COCO-style JSON.'
    )
    parser.add_argument(
        'src', type=Path, help='folder of images and .pts files'
    )
    parser.add_argument('dst', type=Path, help='folder to fill')
    parser.add_argument(
        '--protocol',
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
    parser.add_argument(
        '--images',
        choices=PLACE_MODES,
        default='link',
        help='link or copy the images (default: link)',
    )
    args = parser.parse_args()
    main_guard(lambda: convert(**vars(args)))


if __name__ == '__main__':
    main()
