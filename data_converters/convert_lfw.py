"""Converts LFW to COCO-style JSON: seven keypoints and who it is.

Source: the images ``Name/Name_0001.jpg`` of lfw, lfw-deepfunneled or any
other folder of people's folders, and keypoints in one of these forms:

``ten``    the list ``lfw_ffd_ann.txt`` of Dantone et al. (Real-time facial
           feature detection using conditional regression forests, CVPR
           2012). It has no tip of the nose: the middle of the nostrils
           stands for it, and ``info`` says so.
``five``   eye centres, nose, mouth corners: lines ``Name/Name_0001.jpg x1
           y1 ... x5 y5``, with the box ``left right top bottom`` before
           the keypoints (CNN_FacePoint), or x1 ... x5 y1 ... y5 and four
           attributes (MTFL). An eye centre is no eye corner: the corners
           are not visible then, and the centres count for the box only.
``seven``  eye corners, nose tip, mouth corners: lines with seven pairs in
           our order, or a box, eye corners, mouth corners and the nose
           (as for flandmark).
``pts``    one ``.pts`` file of 7 or 68 points per image, beside it or in
           a folder of their own.

Left comes before right, as seen in the image. Result:
``DST/annotations/lfw_train.json`` and ``DST/images``; the order of its
keypoints is 36, 39, 42, 45, 30, 48, 54 of 68.

    python data_converters/convert_lfw.py SRC DST --marks lfw_ffd_ann.txt
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.arguments import add_images_option, whole_number
from data_converters.errors import DataError, main_guard
from data_converters.files import LIST_BYTES, read_small
from data_converters.images import (
    IMAGE_SUFFIXES,
    check_folders,
    files_by_stem,
    image_sizes,
    place_images,
)
from data_converters.pts import read_pts
from data_converters.schema import SEVEN_OF_68, DatasetWriter, face_box
from data_converters.untrusted import leaves_folder, short

MARKS_FORMS = ('ten', 'five', 'seven', 'pts')

# Dantone's list, which is looked for in the source.
_LIST = 'lfw_ffd_ann.txt'


def _pairs(values: np.ndarray) -> np.ndarray:
    """Rows x1, y1, x2, y2 ... as keypoints of shape (N, P, 2)."""
    return values.reshape(len(values), -1, 2)


def _ten(values: np.ndarray) -> np.ndarray:
    # Box x, y, width, height, head pose, 10, then pairs relative to the
    # box's corner: left eye left and right, mouth left and right, lower and
    # upper lip, right eye left and right, left and right nostril.
    pairs = _pairs(values[:, 6:]) + values[:, None, :2]
    nose = pairs[:, 8:10].mean(axis=1, keepdims=True)
    return np.concatenate([pairs[:, [0, 1, 6, 7]], nose, pairs[:, 2:4]], 1)


def _five_with_box(values: np.ndarray) -> np.ndarray:
    left, right, top, bottom = values[:, :4].T[:, :, None]
    marks = _pairs(values[:, 4:])
    x, y = marks[..., 0], marks[..., 1]
    inside = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
    # Where the first four are no box the rows are of another layout.
    return marks if inside.all(axis=1).mean() > 0.5 else np.zeros_like(marks)


def _five_by_axis(values: np.ndarray) -> np.ndarray:
    return np.stack([values[:, :5], values[:, 5:10]], axis=2)


def _seven_with_box(values: np.ndarray) -> np.ndarray:
    return _pairs(values[:, 4:])[:, [0, 1, 2, 3, 6, 4, 5]]


# Form, numbers in a row, and what makes keypoints (N, 5 or 7, 2) of the rows.
_LAYOUTS: tuple[tuple[str, int, Callable[[np.ndarray], np.ndarray]], ...] = (
    ('ten', 26, _ten),
    ('five', 10, _pairs),
    ('five', 14, _five_with_box),
    ('five', 14, _five_by_axis),
    ('seven', 14, _pairs),
    ('seven', 18, _seven_with_box),
)


@dataclass(frozen=True)
class KeypointsList:
    """The rows of a list of keypoints.

    Attributes:
        path: The file.
        names: The image that each row names, as it is written.
        lines: Number of each row's line, from 1.
        values: The numbers of the rows, shape (N, V).
    """

    path: Path
    names: list[str]
    lines: list[int]
    values: np.ndarray


def convert(
    src: str | Path,
    dst: str | Path,
    *,
    marks: str | Path | None = None,
    marks_form: str | None = None,
    base: int | None = None,
    min_images: int = 1,
    images: str = 'link',
) -> dict[str, Path]:
    """Convert LFW.

    Everything is checked before the JSON file is written. Images without
    keypoints, and rows of a list without image, are left out and counted.

    Args:
        src: The folder of people's folders; it is only read. Images that
            lie in it directly belong to the person they are named after,
            ``Name_0001.jpg``.
        dst: The folder to fill; it may exist.
        keypoints: The list, or the folder of ``.pts`` files, here or in
            ``src``. None means ``src/lfw_ffd_ann.txt`` or, where that does
            not exist, ``.pts`` files beside the images.
        marks_form: One of ``MARKS_FORMS``; None means that it is found out
            from the file.
        base: Coordinate of the first pixel's centre in the keypoints; None
            means 0 for lists and 1 for ``.pts`` files.
        min_images: People with fewer images, with keypoints, are left out.
        images: ``link`` or ``copy`` the images.

    Returns:
        The written JSON file by the name of the split, ``train``.

    Raises:
        DataError: The source, the list or a file is not as described; no
            JSON file has been written then.
        ValueError: ``marks_form`` is none of the above.
    """
    src, dst = Path(src), Path(dst)
    if marks_form not in (None, *MARKS_FORMS):
        raise ValueError(f'marks_form {marks_form!r} is not in {MARKS_FORMS}')
    check_folders(src, dst, 'images')
    files = _find_images(src)
    if marks is None:
        marks = src / _LIST if (src / _LIST).is_file() else src
    marks = Path(marks)
    if not marks.exists():
        marks = src / marks
    if not marks.exists():
        raise DataError(
            f'{marks}: no such file; name the list of keypoints, or the '
            'folder of .pts files, with --marks'
        )
    as_files = marks.is_dir()
    if marks_form and (marks_form == 'pts') != as_files:
        raise DataError(
            f'{marks}: is a {"folder" if as_files else "file"}, which does '
            f'not go with --marks-form {marks_form}; name another one'
        )
    base = base if base is not None else int(as_files)

    imageless = 0
    if as_files:
        form, found = 'pts', _read_files(marks, files, base)
        _check_order(marks, np.stack(list(found.values())))
    else:
        table = _read_list(marks)
        form, read = _choose(table, marks_form)
        _check_order(marks, read)
        found, imageless = _match(table, read - base, files)

    people: dict[str, list[str]] = {}
    for name in files:
        if name in found:
            people.setdefault(person_of(name), []).append(name)
    few = [who for who, names in people.items() if len(names) < min_images]
    kept = [
        name
        for who, names in people.items()
        for name in names
        if len(names) >= min_images
    ]
    if not kept:
        raise DataError(
            f'{src}: nobody has {min_images} images with keypoints; lower '
            '--min-images'
        )
    shown = {name: files[name] for name in kept}
    sizes = image_sizes(shown)
    unmarked = len(files) - len(found)
    info = {
        'marks_form': form,
        'eye_corners': form != 'five',
        'nose_tip': 'middle of the nostrils' if form == 'ten' else 'marked',
        'min_images': min_images,
        'left_out': {
            'images without keypoints': unmarked,
            'keypoints without image': imageless,
            'people with fewer images': len(few),
        },
    }
    writer = DatasetWriter(
        src.resolve().name, 'convert_lfw', 'lfw', 'train', base, 7, info
    )
    for name in kept:
        subject_id = writer.add_subject(person_of(name))
        image_id = writer.add_image(f'images/{name}', *sizes[name])
        _add_face(writer, image_id, found[name], subject_id)
    place_images(shown, dst / 'images', images)
    path = dst / 'annotations' / 'lfw_train.json'
    writer.save(path)

    if unmarked:
        print(f'{unmarked} images without keypoints left out')
    if imageless:
        print(f'{imageless} rows of {marks.name} without image left out')
    if few:
        print(f'{len(few)} people with fewer images left out')
    counts = writer.counts
    print(
        f'train: {counts["images"]} images, {counts["subjects"]} subjects, '
        f'keypoints: {form} -> {path}'
    )
    return {'train': path}


def person_of(name: str) -> str:
    """Who is in the image: its folder, or its name without the number."""
    path = PurePosixPath(name)
    return path.parent.name or re.sub(r'_\d+$', '', path.stem)


def _find_images(src: Path) -> dict[str, Path]:
    """Images in the people's folders by their path below ``src``, sorted."""
    folders = [src] + sorted(
        path
        for path in src.iterdir()
        if path.is_dir() and not path.name.startswith('.')
    )
    files = {
        path.relative_to(src).as_posix(): path
        for folder in folders
        for path in files_by_stem(folder, IMAGE_SUFFIXES).values()
    }
    if not files:
        raise DataError(
            f'{src}: holds no images; name the folder that holds the '
            "people's folders"
        )
    return files


def _read_files(
    folder: Path, files: dict[str, Path], base: int
) -> dict[str, np.ndarray]:
    """The seven keypoints of each image that has a ``.pts`` file."""
    found = {}
    for name in tqdm(files, 'checking keypoints', disable=None):
        path = PurePosixPath(name).with_suffix('.pts')
        for place in (folder / path, folder / path.name):
            if place.is_file():
                found[name] = _read_seven(place, base)
                break
    if not found:
        raise DataError(
            f'{folder}: holds no .pts files of the images; name the list of '
            'keypoints, or the folder of .pts files, with --marks'
        )
    return found


def _read_seven(path: Path, base: int) -> np.ndarray:
    try:
        seven = read_pts(path, 68, base)[list(SEVEN_OF_68)]
    except DataError as error:
        try:
            seven = read_pts(path, 7, base)
        except DataError:
            raise error from None
    face_box(seven, path)
    return seven


def _read_list(path: Path) -> KeypointsList:
    """Read the rows of a list: a name and numbers, all of one length.

    A line that begins with ``#`` is skipped, and so are lines without a
    number before the first row: in Dantone's list a comment goes on in the
    next line.

    Raises:
        DataError: There are no rows, one is broken, or an image is named
            twice.
    """
    try:
        text = read_small(path, LIST_BYTES).decode('utf-8-sig')
    except UnicodeDecodeError:
        raise DataError(
            f'{path}: is no text in UTF-8; name a list of keypoints'
        ) from None
    lines: dict[str, int] = {}
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        tokens = line.replace(',', ' ').split()
        if not tokens or tokens[0].startswith('#'):
            continue
        values = [_number(token) for token in tokens[1:]]
        image = tokens[0].lower().endswith(IMAGE_SUFFIXES)
        if not rows and not image and all(map(math.isnan, values)):
            continue
        where = f'{path}: line {number}'
        for token, value in zip(tokens[1:], values):
            if not math.isfinite(value):
                raise DataError(
                    f'{where}: {short(token)!r} is not a finite number; '
                    'correct or remove the line'
                )
        known = {len(rows[0])} if rows else {count for _, count, _ in _LAYOUTS}
        if len(values) not in known:
            raise DataError(
                f'{where}: has {len(values)} numbers where '
                f'{" or ".join(map(str, sorted(known)))} are expected; '
                'correct or remove the line'
            )
        if leaves_folder(tokens[0]):
            raise DataError(
                f'{where}: {short(tokens[0])} leads out of the folder of '
                'images; correct or remove the line'
            )
        if tokens[0] in lines:
            raise DataError(
                f'{where}: marks the same image as line {lines[tokens[0]]}; '
                'keep one of the two'
            )
        lines[tokens[0]] = number
        rows.append(values)
    if not rows:
        raise DataError(
            f'{path}: holds no keypoints; name a list of keypoints'
        )
    return KeypointsList(
        path, list(lines), list(lines.values()), np.array(rows)
    )


def _number(token: str) -> float:
    try:
        return float(token)
    except ValueError:
        return math.nan


def _choose(table: KeypointsList, form: str | None) -> tuple[str, np.ndarray]:
    """Choose the layout under which most rows are upright faces.

    Args:
        table: The rows.
        form: One of ``MARKS_FORMS`` to choose from; None means any.

    Returns:
        The form, and keypoints of shape (N, 5 or 7, 2) in the file's base.
    """
    tried = [
        (name, read(table.values))
        for name, count, read in _LAYOUTS
        if count == table.values.shape[1] and form in (None, name)
    ]
    if not tried:
        raise DataError(
            f'{table.path}: has {table.values.shape[1]} numbers in a row, '
            f'which is not the form {form}; name another --marks-form'
        )
    best = max(tried, key=lambda each: _upright(each[1]).mean())
    if best[0] == 'ten':
        for line, tens in zip(table.lines, table.values[:, 5]):
            if tens != 10:
                raise DataError(
                    f'{table.path}: line {line}: says {tens:g} points where '
                    '10 are expected; correct or remove the line'
                )
    return best


def _upright(marks: np.ndarray) -> np.ndarray:
    """Which faces have level eyes, left first, and the mouth below them."""
    eye = 1 if marks.shape[1] == 5 else 2
    left, right = marks[:, :eye].mean(1), marks[:, eye : 2 * eye].mean(1)
    across = right - left
    mouth = marks[:, -2:].mean(1)
    return (
        (across[:, 0] > abs(across[:, 1]))
        & (marks[:, -1, 0] > marks[:, -2, 0])
        & (mouth[:, 1] > (left[:, 1] + right[:, 1]) / 2)
    )


def _check_order(path: Path, marks: np.ndarray) -> None:
    """Refuse keypoints of which most are no upright faces."""
    share = _upright(marks).mean()
    if share <= 0.5:
        raise DataError(
            f'{path}: in {1 - share:.0%} of the faces the keypoints are not '
            'in order, the left of the image first and the mouth below the '
            'eyes; change their order, or name another --marks-form'
        )


def _match(
    table: KeypointsList, marks: np.ndarray, files: dict[str, Path]
) -> tuple[dict[str, np.ndarray], int]:
    """Find the image of each row, by folder and name or by its name alone.

    Returns:
        The keypoints of each image that has a row, and the number of rows
        without image.
    """
    by_key: dict[str, list[str]] = {}
    for name in files:
        for key in _keys(name):
            by_key.setdefault(key, []).append(name)
    found: dict[str, np.ndarray] = {}
    line_of: dict[str, int] = {}
    for row, line, points in zip(table.names, table.lines, marks):
        hits = [by_key.get(key, []) for key in _keys(row)]
        single = [names[0] for names in hits if len(names) == 1]
        if not single:
            continue
        name = single[0]
        if name in found:
            raise DataError(
                f'{table.path}: line {line}: marks the same image as line '
                f'{line_of[name]}; keep one of the two'
            )
        face_box(points, f'{table.path}: line {line}')
        found[name], line_of[name] = points, line
    if not found:
        raise DataError(
            f'{table.path}: names none of the images, such as '
            f'{next(iter(files))}; name the list that belongs to them'
        )
    return found, len(table.names) - len(found)


def _keys(name: str) -> list[str]:
    """What an image is found by: folder and name, then its name alone."""
    path = PurePosixPath(name.replace('\\', '/'))
    stem = path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name
    return [f'{path.parent.name}/{stem}', stem]


def _add_face(
    writer: DatasetWriter, image_id: int, marks: np.ndarray, subject_id: int
) -> None:
    visible = np.ones(7, dtype=bool)
    bbox_keypoints = None
    if len(marks) == 5:
        visible[:4] = False
        bbox_keypoints = marks[:2]
        marks = np.concatenate([np.zeros((4, 2)), marks[2:]])
    writer.add_face(
        image_id,
        marks,
        visible=visible,
        subject_id=subject_id,
        bbox_keypoints=bbox_keypoints,
    )


def main() -> None:
    """Command line of :func:`convert`."""
    parser = argparse.ArgumentParser(
        description='Convert LFW to COCO-style JSON with seven keypoints.'
    )
    parser.add_argument('src', type=Path, help="folder of people's folders")
    parser.add_argument('dst', type=Path, help='folder to fill')
    parser.add_argument(
        '--marks',
        type=Path,
        metavar='PATH',
        help='list of keypoints, or folder of .pts files, by its path or in '
        f'SRC (default: SRC/{_LIST} if it is there, otherwise .pts files '
        'beside the images)',
    )
    parser.add_argument(
        '--marks-form',
        choices=MARKS_FORMS,
        help='form of the keypoints (default: found out from the file)',
    )
    parser.add_argument(
        '--base',
        type=int,
        choices=(0, 1),
        help="coordinate of the first pixel's centre in the keypoints "
        '(default: 0 in lists, 1 in .pts files)',
    )
    parser.add_argument(
        '--min-images',
        type=whole_number(1),
        default=1,
        metavar='N',
        help='leave out people with fewer images (default: 1)',
    )
    add_images_option(parser)
    args = parser.parse_args()
    main_guard(lambda: convert(**vars(args)))


if __name__ == '__main__':
    main()
