"""Converts Helen with its own 194 keypoints a face to COCO-style JSON.

Source: ``annotation/1.txt ...`` as released, the image's name in the first
line and 194 lines ``x , y``, and the images in folders of ``SRC``
(``train_1`` ... ``train_5``, ``test``). Result:
``DST/annotations/helen194_train.json``, ``helen194_test.json`` and
``DST/images``.

The keypoints are written as they are, under numbers for names, and none of
them are chosen as our seven: no document was found that says which of them are
the corners of the eyes and of the mouth and the tip of the nose. Training
takes the 68 marks that iBUG made for the same images: convert_300w.py.

    python data_converters/convert_helen194.py SRC DST
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.arguments import add_images_option
from data_converters.errors import DataError, main_guard
from data_converters.files import KEYPOINTS_BYTES, LIST_BYTES, read_small
from data_converters.images import (
    IMAGE_SUFFIXES,
    check_folders,
    files_by_stem,
    image_sizes,
    place_images,
)
from data_converters.pts import parse_pair
from data_converters.schema import DatasetWriter, face_box, save_all
from data_converters.untrusted import leaves_folder, short

NUM_KEYPOINTS = 194


def convert(
    src: str | Path,
    dst: str | Path,
    *,
    marks: str | Path | None = None,
    base: int = 0,
    images: str = 'link',
) -> dict[str, Path]:
    """Convert Helen's originals.

    The images that ``src/testnames.txt`` names are the split ``test``, all
    others ``train``; without that file the images in a folder whose name
    begins with ``test``. Images without keypoints, and keypoints without
    image, are left out and counted: the images come in several archives.

    Args:
        src: The folder of the folders of images; it is only read.
        dst: The folder to fill; it may exist.
        keypoints: The folder of ``1.txt ...``; None means ``src/annotation``.
        base: Coordinate of the first pixel's centre in the keypoints. Helen's
            page does not say; 0 is taken.
        images: ``link`` or ``copy`` the images.

    Returns:
        The written JSON file of each split.

    Raises:
        DataError: The source or a file is not as described; no JSON file
            has been written then.
    """
    src, dst = Path(src), Path(dst)
    check_folders(src, dst, 'images')
    folder = src / 'annotation' if marks is None else Path(marks)
    if not folder.is_dir():
        raise DataError(
            f'{folder}: no such folder; name the folder of 1.txt ... with '
            '--marks'
        )
    files = _find_images(src)
    found = _read_keypoints(folder, base)
    names = [name for name, path in files.items() if path.stem in found]
    if not names:
        raise DataError(
            f'{src}: holds none of the images of {folder}, such as '
            f'{next(iter(found))}; unpack them there'
        )
    shown = {name: files[name] for name in names}
    sizes = image_sizes(shown)
    place_images(shown, dst / 'images', images)
    writers: dict[Path, DatasetWriter] = {}
    written: dict[str, Path] = {}
    test = _test_names(src, names)
    for name in names:
        side = 'test' if name in test else 'train'
        path = dst / 'annotations' / f'helen194_{side}.json'
        if side not in written:
            written[side] = path
            writers[path] = DatasetWriter(
                src.resolve().name,
                'convert_helen194',
                'helen194',
                side,
                base,
                NUM_KEYPOINTS,
            )
        image_id = writers[path].add_image(f'images/{name}', *sizes[name])
        writers[path].add_face(image_id, found[files[name].stem])
    save_all(writers)

    if len(names) < len(files):
        print(f'{len(files) - len(names)} images without keypoints left out')
    if len(names) < len(found):
        print(f'{len(found) - len(names)} keypoints without image left out')
    for side, path in written.items():
        print(f'{side}: {writers[path].counts["images"]} images -> {path}')
    return written


def _find_images(src: Path) -> dict[str, Path]:
    """Images in the folders of ``src`` by their path below it, sorted."""
    files: dict[str, Path] = {}
    stems: dict[str, Path] = {}
    for folder in sorted(src.iterdir()):
        if not folder.is_dir() or folder.name.startswith('.'):
            continue
        for stem, path in files_by_stem(folder, IMAGE_SUFFIXES).items():
            if stem in stems:
                raise DataError(
                    f'{path}: has the name of {stems[stem]}; '
                    'remove one of the two'
                )
            stems[stem] = files[path.relative_to(src).as_posix()] = path
    if not files:
        raise DataError(
            f'{src}: holds no folders of images; name the folder that holds '
            'train_1 ... and test'
        )
    return files


def _test_names(src: Path, names: list[str]) -> set[str]:
    path = src / 'testnames.txt'
    if not path.is_file():
        return {name for name in names if name.lower().startswith('test')}
    text = read_small(path, LIST_BYTES).decode('utf-8-sig', 'replace')
    listed = {line.strip() for line in text.splitlines()}
    listed |= {PurePosixPath(line).stem for line in listed}
    return {name for name in names if PurePosixPath(name).stem in listed}


def _read_keypoints(folder: Path, base: int) -> dict[str, np.ndarray]:
    """The keypoints, shape (194, 2), by the image's name without suffix."""
    paths = {
        int(stem): path
        for stem, path in files_by_stem(folder, ('.txt',)).items()
        if stem.isascii() and stem.isdecimal()
    }
    if not paths:
        raise DataError(
            f'{folder}: holds no files 1.txt ...; name the folder that holds '
            'them with --marks'
        )
    found: dict[str, np.ndarray] = {}
    source: dict[str, Path] = {}
    for _, path in tqdm(sorted(paths.items()), 'marks', disable=None):
        name, points = _read_file(path)
        if name in found:
            raise DataError(
                f'{path}: marks the same image as {source[name].name}; '
                'remove one of the two'
            )
        found[name], source[name] = points - base, path
        face_box(points, path)
    return found


def _read_file(path: Path) -> tuple[str, np.ndarray]:
    data = read_small(path, KEYPOINTS_BYTES)
    text = data.decode('utf-8-sig', errors='replace')
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f'{path}: is empty; repair or remove it')
    name = lines[0]
    if leaves_folder(name):
        raise DataError(
            f'{path}: names {short(name)}, which leads out of the folders of '
            'images; correct its first line'
        )
    if Path(name).suffix.lower() in IMAGE_SUFFIXES:
        name = Path(name).stem
    points = [parse_pair(line.replace(',', ' '), path) for line in lines[1:]]
    if len(points) != NUM_KEYPOINTS:
        raise DataError(
            f'{path}: has {len(points)} points where {NUM_KEYPOINTS} are '
            'expected; repair or remove it'
        )
    return name, np.array(points, dtype=np.float64)


def main() -> None:
    """Command line of :func:`convert`."""
    parser = argparse.ArgumentParser(
        description='Convert Helen with its own 194 keypoints to COCO-style '
        "JSON. For training take iBUG's 68: convert_300w.py."
    )
    parser.add_argument('src', type=Path, help='folder of train_1 ... test')
    parser.add_argument('dst', type=Path, help='folder to fill')
    parser.add_argument(
        '--marks',
        type=Path,
        metavar='FOLDER',
        help='folder of 1.txt ... (default: SRC/annotation)',
    )
    parser.add_argument(
        '--base',
        type=int,
        choices=(0, 1),
        default=0,
        help="coordinate of the first pixel's centre in the keypoints "
        "(default: 0; Helen's page does not say)",
    )
    add_images_option(parser)
    args = parser.parse_args()
    main_guard(lambda: convert(**vars(args)))


if __name__ == '__main__':
    main()
