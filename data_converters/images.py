"""Finds, reads and places images; the source is only read."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from data_converters.errors import DataError
from data_converters.parallel import run_parallel

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')
PLACE_MODES = ('link', 'copy')


def files_by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Visible files of a folder with one of the suffixes, in any case.

    Args:
        folder: Only its own files are listed, sorted by name.
        suffixes: Lower-case suffixes with their dot.

    Raises:
        DataError: Two files differ in the suffix only.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith('.')
        if hidden or path.suffix.lower() not in suffixes:
            continue
        if path.stem in found:
            raise DataError(
                f'{path}: stands beside {found[path.stem].name} for the '
                'same keypoints; remove one of the two'
            )
        found[path.stem] = path
    return found


def decode(data: bytes) -> np.ndarray | None:
    """Decode an image as the training will, None where that fails.

    Not with ``cv2.imread``: that fills what is missing of a JPEG file that
    was cut short with gray, where the training's reader, which decodes
    bytes, takes no such file. The EXIF orientation is applied.

    Args:
        data: The content of an image file.

    Returns:
        Pixels of shape (H, W, 3), BGR, uint8.
    """
    if not data:
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        # More pixels than OpenCV decodes, or than there is memory for.
        return None


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels.

    The image is decoded, not only its header read: that finds files that
    are broken or cut short before a training run does.

    Raises:
        DataError: The file is no readable image.
    """
    image = decode(path.read_bytes() if path.is_file() else b'')
    if image is None:
        raise DataError(
            f'{path}: is not a readable image; replace it or remove it '
            'together with its keypoints'
        )
    return image.shape[1], image.shape[0]


def image_sizes(files: Mapping[str, Path]) -> dict[str, tuple[int, int]]:
    """:func:`image_size` of many images by name, in threads."""

    def measure(name: str, stop: threading.Event) -> tuple[int, int]:
        return image_size(files[name])

    names = list(files)
    sizes = run_parallel(measure, names, workers=None, label='images')
    return dict(zip(names, sizes))


def check_folders(src: Path, dst: Path, inner: str) -> None:
    """Refuse folders that would make a converter write into its source.

    Args:
        src: The source folder.
        dst: The converted data set's folder.
        inner: Name of the folder of images inside ``dst``.

    Raises:
        DataError: ``src`` is no folder, ``dst`` lies in it, or it lies in
            the folder of images that is about to be written.
    """
    if not src.is_dir():
        raise DataError(
            f'{src}: no such folder; name the folder of the data set'
        )
    source, target = src.resolve(), dst.resolve()
    written = target / inner
    if source in (target, *target.parents) or written in (
        source,
        *source.parents,
    ):
        raise DataError(
            f'{dst}: would be written into the source {src}; '
            'name another destination'
        )


def place_folder(
    source: Path, target: Path, names: Iterable[str], mode: str
) -> None:
    """Make ``target`` show the images of ``source``.

    Args:
        source: The folder of images.
        target: With ``link`` it becomes a symbolic link to the resolved
            source. With ``copy``, or where an earlier run left a real
            folder, it becomes a folder with copies of ``names``; files of
            the source's size are taken as copied.
        names: File names in ``source``.
        mode: One of ``PLACE_MODES``.
    """
    if mode == 'link' and (target.is_symlink() or not target.exists()):
        _link(source, target)
        return
    if target.is_symlink():
        target.unlink()
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        _copy(source / name, target / name)


def place_file(source: Path, target: Path, mode: str) -> None:
    """Make ``target`` show one image, see :func:`place_folder`."""
    if mode == 'link' and (target.is_symlink() or not target.exists()):
        _link(source, target)
    else:
        _copy(source, target)


def place_images(files: Mapping[str, Path], target: Path, mode: str) -> None:
    """Make ``target`` show images out of one or more source folders.

    A folder whose images all come from one source folder is linked as a
    whole, see :func:`place_folder`.

    Args:
        files: The source of each image's path relative to ``target``; the
            file's name is the same in both.
        target: The folder of images.
        mode: One of ``PLACE_MODES``.
    """
    by_folder: dict[PurePosixPath, list[Path]] = {}
    for name, source in files.items():
        by_folder.setdefault(PurePosixPath(name).parent, []).append(source)
    outer = {parent for folder in by_folder for parent in folder.parents}
    for folder, sources in by_folder.items():
        parents = {source.parent for source in sources}
        whole = folder not in (PurePosixPath(), *outer) and len(parents) == 1
        # A link to a folder, of an earlier run, that is passed through now
        # would lead into the source.
        for passed in folder.parents if whole else (folder, *folder.parents):
            link = target / passed
            if passed != PurePosixPath() and link.is_symlink():
                link.unlink()
        if whole:
            names = [source.name for source in sources]
            place_folder(parents.pop(), target / folder, names, mode)
        else:
            for source in sources:
                place_file(source, target / folder / source.name, mode)


def _link(source: Path, target: Path) -> None:
    resolved = source.resolve()
    if target.is_symlink() and target.resolve() == resolved:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f'{target.name}.part')
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(resolved)
    os.replace(fresh, target)


def _copy(source: Path, target: Path) -> None:
    real = target.exists() and not target.is_symlink()
    if real and target.stat().st_size == source.stat().st_size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f'{target.name}.part')
    try:
        # To a name of its own: writing through a link of an earlier run
        # would write into the source.
        shutil.copyfile(source, fresh)
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
