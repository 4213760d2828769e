"""Converts AFLW to COCO-style JSON: up to 21 keypoints, pose, box.

Source: ``aflw.sqlite`` and the images ``0/*.jpg``, ``2/*.jpg``, ``3/*.jpg``,
somewhere in ``SRC``: as released (``aflw/data/aflw.sqlite``,
``aflw/data/flickr/3/image00035.jpg``), with the archives side by side, or
``SRC/aflw.sqlite`` and ``SRC/flickr/3``. Result:
``DST/annotations/aflw_train.json``, ``aflw_test.json`` and ``DST/images``.

    python data_converters/convert_aflw.py SRC DST

Keypoints are in the order of ``feature_id``, 1..21 -> 0..20, L and R being the
image's sides; one without a row is not visible. Coordinates are taken as
they are, 0-based: AFLW's annotation tool stores the place of the click on a
Qt image item, whose corner is (0, 0), and draws the same numbers with
OpenCV (``main_window.cpp``, ``FaceFeaturesDisplay.cpp`` of the sources
released with AFLW). Angles, in radians there, are written in degrees.

``box_size``, by which AFLW errors are divided, is the root of the area of
the face rectangle (``FaceRect``), or of the keypoints' box where there is
none.

The split is fixed: an image, with all its faces, is for testing when the
CRC-32 of its file's name is a multiple of 5, otherwise for training. What
else is in the source plays no part. The paper takes 80 % for training
(section 5.1) but does not list them.
"""

from __future__ import annotations

import argparse
import math
import sqlite3
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.arguments import add_images_option, percent, whole_number
from data_converters.errors import DataError, main_guard
from data_converters.images import (
    check_folders,
    image_sizes,
    place_images,
)
from data_converters.schema import (
    FARTHEST,
    SEVEN_OF_21,
    DatasetWriter,
    save_all,
)
from data_converters.untrusted import leaves_folder, short

DATABASE, PHOTOS = 'aflw.sqlite', 'flickr'

# How many folders deep the two are looked for, as in
# SRC/aflw-images-0/aflw/data/flickr.
_DEPTH = 4

# Tables and columns that are read; the files have more.
_COLUMNS = {
    'Faces': ('face_id', 'db_id', 'file_id'),
    'FaceImages': ('db_id', 'file_id', 'filepath', 'width', 'height'),
    'FeatureCoords': ('face_id', 'feature_id', 'x', 'y'),
    'FaceRect': ('face_id', 'w', 'h'),
    'FacePose': ('face_id', 'yaw', 'pitch', 'roll'),
}

# The annotation tool's sign for an angle that is not known (Pose.cpp).
_UNKNOWN_ANGLE = -2 * math.pi

YAW_GROUPS = ('[0, 30]', '(30, 90]', 'other')


@dataclass(frozen=True)
class Face:
    """A face as the database has it.

    Attributes:
        face_id: Its number.
        image: Path of the image below the folder of images; None where
            the database has no image for it.
        size: Width and height of the image when it was annotated, in
            pixels; None where the database does not tell.
        keypoints: Shape (21, 2), 0-based pixels, 0 where not visible.
        visible: Mask of shape (21,).
        box_size: Root of the face rectangle's area in pixels.
        pose: ``yaw``, ``pitch`` and ``roll`` in degrees.
    """

    face_id: int
    photo: str | None
    size: tuple[int, int] | None
    marks: np.ndarray
    visible: np.ndarray
    box_size: float | None
    pose: dict[str, float] | None


def split_of(photo: str) -> str:
    """The fixed side of an image, ``train`` or ``test``, by its name."""
    name = PurePosixPath(photo).name
    return 'train' if zlib.crc32(name.encode()) % 5 else 'test'


def yaw_group(pose: dict[str, float] | None) -> str:
    """The group of |yaw| in degrees that the paper reports (section 5.3)."""
    yaw = abs(pose['yaw']) if pose else math.inf
    return YAW_GROUPS[0 if yaw <= 30 else 1 if yaw <= 90 else 2]


def convert(
    src: str | Path,
    dst: str | Path,
    *,
    points: int = 21,
    min_points: int | None = None,
    max_missing: float = 5.0,
    images: str = 'link',
) -> dict[str, Path]:
    """Convert AFLW.

    Everything is checked before the JSON files are written, together. Left
    out and counted are faces without image, with too few keypoints, and those
    that are there twice with the same keypoints in the same image. Of several
    rows for one thing the first counts.

    Args:
        src: The folder that holds the database and the images; it is only
            read.
        dst: The folder to fill; it may exist.
        points: 21, or 7 for eye corners, nose tip and mouth corners only
            (``feature_id`` 7, 9, 10, 12, 15, 18, 20); the box is that of
            the 21 either way.
        min_points: A face with fewer visible keypoints, of the 21 or 7, is
            left out. None means a third: 7 of 21, 3 of 7. A profile shows
            about 12 and 4.
        max_missing: Up to how many percent of the faces may be without
            their image, or in an image that is not of the size that was
            annotated (scaled, or turned by its EXIF entry, so that the
            keypoints do not fit).
        images: ``link`` or ``copy`` the images.

    Returns:
        The written JSON file of each split.

    Raises:
        DataError: The source is not as described, or too much is missing;
            no JSON file has been written then.
        ValueError: ``points`` is neither 21 nor 7.
    """
    src, dst = Path(src), Path(dst)
    if points not in (7, 21):
        raise ValueError(f'points {points} is neither 7 nor 21')
    chosen = list(range(21)) if points == 21 else list(SEVEN_OF_21)
    fewest = min_points or math.ceil(points / 3)
    check_folders(src, dst, 'images')
    database, roots = _look(src)
    faces, repeated_rows = _read(database)
    total = len(faces)
    if not total:
        raise DataError(
            f'{database}: has no faces; unpack it again from aflw-db'
        )

    files = _find_photos(faces, roots)
    kept, without = _part(faces, lambda face: face.photo in files)
    if not kept:
        raise DataError(
            f'{src}: holds none of the images of {database.name}, such as '
            f'{PHOTOS}/{_names(without, 1)}; unpack aflw-images-0, -2 and -3 '
            'there'
        )
    _limit(src, 'has no image', without, total, max_missing)

    kept, few = _part(kept, lambda face: _enough(face, chosen, fewest))
    kept, twice = _part(kept, _first_time())

    photos = sorted({str(face.photo) for face in kept})
    sizes = image_sizes({photo: files[photo] for photo in photos})
    kept, other = _part(
        kept, lambda face: face.size in (None, sizes[str(face.photo)])
    )
    _limit(src, 'has an image of another size', other, total, max_missing)
    if not kept:
        raise DataError(
            f'{database}: no face is left of {total}; lower --min-points or '
            'complete the images'
        )
    left_out = {
        'no image': without,
        'image of another size': other,
        f'fewer than {fewest} keypoints': few,
        'the same face again': twice,
    }

    writers: dict[Path, DatasetWriter] = {}
    written: dict[str, Path] = {}
    summary = []
    for side in ('train', 'test'):
        faces_here = [f for f in kept if split_of(str(f.photo)) == side]
        if not faces_here:
            continue
        groups = dict.fromkeys(YAW_GROUPS, 0)
        for face in faces_here:
            groups[yaw_group(face.pose)] += 1
        info = {
            'split_rule': 'test where crc32(name of the image) % 5 == 0',
            'box_size': "FaceRect, or the keypoints' box where there is none",
            'min_points': fewest,
            'yaw_groups': groups,
            'left_out_of_all': {
                why: len(some) for why, some in left_out.items()
            },
        }
        path = dst / 'annotations' / f'aflw_{side}.json'
        writer = DatasetWriter(
            src.resolve().name, 'convert_aflw', 'aflw', side, 0, points, info
        )
        _add_faces(writer, faces_here, sizes, chosen)
        writers[path], written[side] = writer, path
        summary.append(
            f'{side}: {writer.counts["images"]} images, '
            f'{len(faces_here)} faces, |yaw| '
            + ', '.join(f'{group}: {n}' for group, n in groups.items())
            + f' -> {path}'
        )
    used = {str(face.photo): files[str(face.photo)] for face in kept}
    place_images(used, dst / 'images', images)
    save_all(writers)

    for why, some in left_out.items():
        if some:
            print(f'{len(some)} faces left out, {why}: {_names(some)}')
    if repeated_rows:
        print(f'{repeated_rows} repeated rows of the database left out')
    print('\n'.join(summary))
    return written


def _look(src: Path) -> tuple[Path, list[Path]]:
    """Find the database and the folders that images may lie in."""
    databases: list[Path] = []
    roots: list[Path] = []
    level = [src]
    for _ in range(_DEPTH + 1):
        inner = []
        for path in sorted(p for folder in level for p in folder.iterdir()):
            if path.name == DATABASE and path.is_file():
                databases.append(path)
            elif path.name == PHOTOS and path.is_dir():
                roots.append(path)
            elif path.is_dir() and not path.name.startswith('.'):
                inner.append(path)
        level = inner
    if len(databases) != 1:
        what = f'{len(databases)} files' if databases else 'no file'
        raise DataError(
            f'{src}: holds {what} {DATABASE}; name a folder with one, the '
            'database of aflw-db, and with the images'
        )
    return databases[0], [*roots, databases[0].parent, src]


def _read(database: Path) -> tuple[list[Face], int]:
    """Read all faces, sorted by image and number.

    Returns:
        The faces and the number of rows that repeat another one's key.

    Raises:
        DataError: The file is no database, or lacks a table, a column or
            a number.
    """
    # Opened by a URI because that is the way to open read-only. Without
    # "immutable" SQLite would write files beside some databases.
    uri = f'{database.resolve().as_uri()}?mode=ro&immutable=1'
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            _restrain(connection)
            tables = {
                table: _rows(connection, database, table) for table in _COLUMNS
            }
    except sqlite3.Error as error:
        raise DataError(
            f'{database}: cannot be read as an SQLite database ({error}); '
            'unpack it again from aflw-db'
        ) from None

    repeated = 0
    first: dict[str, dict[tuple, tuple]] = {}
    for table, rows in tables.items():
        # Landmarks and images have a key of two columns.
        width = 2 if table in ('FaceImages', 'FeatureCoords') else 1
        first[table] = {}
        for row in rows:
            first[table].setdefault(row[:width], row[width:])
        repeated += len(rows) - len(first[table])

    places = _places(first['FeatureCoords'], database)
    nowhere = np.full((21, 2), np.nan)
    faces = []
    for key, photo_key in first['Faces'].items():
        (face_id,) = key
        if not isinstance(face_id, int):
            raise DataError(
                f'{database}: {short(repr(face_id))} is no face_id (Faces); '
                'correct or remove that row'
            )
        photo, *size = first['FaceImages'].get(photo_key, (None, 0, 0))
        known = all(isinstance(side, int) and side > 0 for side in size)
        marks = places.get(face_id, nowhere)
        face = Face(
            face_id,
            _checked(photo, database),
            (size[0], size[1]) if known else None,
            np.nan_to_num(marks),
            np.isfinite(marks).all(axis=1),
            _box_size(first['FaceRect'].get(key), database, face_id),
            _pose(first['FacePose'].get(key), database, face_id),
        )
        faces.append(face)
    faces.sort(key=lambda face: (face.photo or '', face.face_id))
    return faces, repeated


def _restrain(connection: sqlite3.Connection) -> None:
    """Let a database from elsewhere neither call functions nor hold much."""
    connection.execute('PRAGMA trusted_schema = OFF')
    if hasattr(connection, 'setlimit'):  # since Python 3.11
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 20)


def _places(
    rows: Mapping[tuple, tuple], database: Path
) -> dict[Any, np.ndarray]:
    """Marks (21, 2) by face_id, NaN where a face has no such row."""
    places: dict[Any, np.ndarray] = {}
    for (face_id, feature_id), place in rows.items():
        where = (
            f'FeatureCoords, landmark {short(feature_id)} of face '
            f'{short(face_id)}'
        )
        number, x, y = _numbers((feature_id, *place), database, where)
        # What the tool has not set is -1, -1; it keeps nothing below 0. A
        # copy may have landmarks of other data sets beyond the 21.
        if number in range(1, 22) and x > 0 and y > 0:
            marks = places.setdefault(face_id, np.full((21, 2), np.nan))
            marks[int(number) - 1] = x, y
    return places


def _rows(
    connection: sqlite3.Connection, database: Path, table: str
) -> list[tuple]:
    """The needed columns of a table, the first annotation of a face first."""
    # A view, or a virtual table, runs what its author wrote, without end if
    # he likes; the columns that are listed are none that are computed.
    stored = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND rootpage > 0 "
        'AND name = ? COLLATE NOCASE',
        [table],
    ).fetchall()
    pragma = f'PRAGMA table_info({table})' if stored else 'SELECT 0 LIMIT 0'
    found = connection.execute(pragma).fetchall()
    there = {column[1].lower() for column in found}
    for column in _COLUMNS[table]:
        if column not in there:
            missing = f'column {column} in {table}' if there else table
            raise DataError(
                f'{database}: has no {"" if there else "table "}{missing}; '
                'unpack it again from aflw-db'
            )
    kind = 'annot_type_id, ' if 'annot_type_id' in there else ''
    return connection.execute(
        f'SELECT {", ".join(_COLUMNS[table])} FROM {table} '
        f'ORDER BY {kind}rowid'
    ).fetchall()


def _numbers(values: Sequence, database: Path, where: str) -> Sequence:
    """The same values, which must be finite numbers."""
    for value in values:
        # An SQLite column holds any type; not a number is stored as NULL.
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            text = 'NULL' if value is None else short(repr(value))
            raise DataError(
                f'{database}: {text} is no number ({where}); '
                'correct or remove that row'
            )
    return values


def _box_size(
    sides: Sequence | None, database: Path, face_id: int
) -> float | None:
    """Root of the area of a face rectangle, None where there is none."""
    if sides is None or None in sides:
        return None
    where = f'FaceRect, face {face_id}'
    width, height = _numbers(sides, database, where)
    if max(width, height) > FARTHEST:
        raise DataError(
            f'{database}: a rectangle is larger than any image ({where}); '
            'correct or remove that row'
        )
    return math.sqrt(width * height) if min(width, height) > 0 else None


def _pose(
    angles: Sequence | None, database: Path, face_id: int
) -> dict[str, float] | None:
    """Angles in degrees by their names, None where they are not known."""
    if angles is None or None in angles:
        return None
    angles = _numbers(angles, database, f'FacePose, face {face_id}')
    if min(angles) <= _UNKNOWN_ANGLE + 1e-6:
        return None
    if max(angles) > 2 * math.pi:
        raise DataError(
            f'{database}: {short(max(angles))} is no angle in radians '
            f'(FacePose, face {face_id}); correct or remove that row'
        )
    degrees = [round(math.degrees(angle), 4) for angle in angles]
    return dict(zip(_COLUMNS['FacePose'][1:], degrees))


def _checked(photo: Any, database: Path) -> str | None:
    """An image's path; it must stay inside the folder of images."""
    if photo is None:
        return None
    path = PurePosixPath(str(photo).replace('\\', '/'))
    if leaves_folder(str(photo)) or not path.name or len(str(path)) > 250:
        raise DataError(
            f'{database}: filepath {short(repr(photo))} in FaceImages is no '
            'path like 3/image00035.jpg; correct it'
        )
    return str(path)


def _find_photos(faces: list[Face], roots: list[Path]) -> dict[str, Path]:
    """The file of each image that is there."""
    files = {}
    for photo in sorted({face.photo for face in faces if face.photo}):
        for root in roots:
            if (root / photo).is_file():
                files[photo] = root / photo
                break
    return files


def _part(
    faces: list[Face], keep: Callable[[Face], bool]
) -> tuple[list[Face], list[Face]]:
    """Sort faces into those to keep and the others."""
    parts: tuple[list[Face], list[Face]] = ([], [])
    for face in faces:
        parts[0 if keep(face) else 1].append(face)
    return parts


def _enough(face: Face, chosen: list[int], fewest: int) -> bool:
    """Whether enough keypoints are visible, and a face's keypoints span a
    box.
    """
    if face.visible[chosen].sum() < fewest:
        return False
    seen = face.marks[face.visible]
    return bool((np.ptp(seen.round(3), axis=0) > 0).all())


def _first_time() -> Callable[[Face], bool]:
    """Says no to a face that has an earlier one's keypoints in the same
    image.
    """
    seen = set()

    def new(face: Face) -> bool:
        key = (face.photo, face.marks.tobytes())
        known = key in seen
        seen.add(key)
        return not known

    return new


def _limit(
    src: Path, lack: str, faces: list[Face], total: int, percent: float
) -> None:
    """Refuse a source of which too much cannot be used."""
    if 100 * len(faces) > percent * total:
        raise DataError(
            f'{src}: {len(faces)} of {total} faces are left out because each '
            f'{lack}, for example {_names(faces, 1)}; unpack aflw-images-0, '
            f'-2 and -3 again, or allow more than {percent:g} % with '
            '--max-missing'
        )


def _names(faces: list[Face], most: int = 5) -> str:
    names = [face.photo or f'face {face.face_id}' for face in faces]
    names = list(dict.fromkeys(names))
    return ', '.join(names[:most]) + (' ...' if len(names) > most > 1 else '')


def _add_faces(
    writer: DatasetWriter,
    faces: list[Face],
    sizes: dict[str, tuple[int, int]],
    chosen: list[int],
) -> None:
    image_ids: dict[str, int] = {}
    for face in faces:
        photo = str(face.photo)
        if photo not in image_ids:
            image_ids[photo] = writer.add_image(
                f'images/{photo}', *sizes[photo]
            )
        writer.add_face(
            image_ids[photo],
            face.marks[chosen],
            visible=face.visible[chosen],
            bbox_keypoints=face.marks[face.visible],
            box_size=face.box_size,
            pose=face.pose,
            face_id=face.face_id,
        )


def main() -> None:
    """Command line of :func:`convert`."""
    parser = argparse.ArgumentParser(
        description='Convert AFLW to COCO-style JSON.'
    )
    parser.add_argument(
        'src', type=Path, help=f'folder of {DATABASE} and {PHOTOS}'
    )
    parser.add_argument('dst', type=Path, help='folder to fill')
    parser.add_argument(
        '--points',
        type=int,
        choices=(7, 21),
        default=21,
        help='keypoints to write: 21, or the 7 that are detected (default: '
        '21)',
    )
    parser.add_argument(
        '--min-points',
        type=whole_number(1, 21),
        metavar='N',
        help='leave out faces with fewer visible keypoints (default: a third, '
        '7 of 21 or 3 of 7)',
    )
    parser.add_argument(
        '--max-missing',
        type=percent,
        default=5.0,
        metavar='PERCENT',
        help='share of the faces that may be without their image (default: 5)',
    )
    add_images_option(parser)
    args = parser.parse_args()
    main_guard(lambda: convert(**vars(args)))


if __name__ == '__main__':
    main()
