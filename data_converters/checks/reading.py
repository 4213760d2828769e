"""What is read of a converted data set: its JSON and its images."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_converters.checks.values import is_text
from data_converters.errors import DataError
from data_converters.frames import read_frames, split_frame_name
from data_converters.images import decode
from data_converters.parallel import run_parallel
from data_converters.untrusted import leaves_folder


class DecodedImage(NamedTuple):
    """What is known of an image file.

    Args:
        width: In pixels, 0 where the file cannot be decoded.
        height: In pixels, 0 where the file cannot be decoded.
        digest: Of the file's bytes, empty where there is no file.
    """

    width: int = 0
    height: int = 0
    digest: str = ''


def read_dataset(path: str | Path) -> dict[str, Any]:
    """Read a converted JSON file.

    Raises:
        DataError: There is no such file, or it is no JSON of images and
            annotations.
    """
    try:
        text = Path(path).read_text(encoding='utf-8')
        content = json.loads(text)
    except RecursionError:
        raise too_deep(path) from None
    except FileNotFoundError:
        raise DataError(
            f'{path}: does not exist; name a JSON file that a converter wrote'
        ) from None
    except ValueError as error:
        # Of JSON and of UTF-8.
        raise DataError(
            f'{path}: is no JSON file ({error}); convert the data again'
        ) from None
    sections = ('images', 'annotations')
    if not isinstance(content, dict) or not all(
        isinstance(content.get(section), list) for section in sections
    ):
        raise DataError(
            f'{path}: has no lists of images and annotations; name a JSON '
            'file that a converter wrote'
        )
    return content


def too_deep(path: str | Path) -> DataError:
    """What is said of a file whose lists lie in lists for ever."""
    return DataError(
        f'{path}: is nested deeper than any data set; convert the data again'
    )


def file_names(content: Mapping[str, Any]) -> list[str]:
    """The image files that a data set names in its folder, each once."""
    images = [each for each in content['images'] if isinstance(each, dict)]
    names = [image.get('file_name') for image in images]
    texts = [str(name) for name in names if is_text(name)]
    return list(
        dict.fromkeys(text for text in texts if not leaves_folder(text))
    )


def read_image(path: Path) -> DecodedImage:
    """Decode an image as the training will."""
    try:
        if not path.is_file():
            return DecodedImage()
        data = path.read_bytes()
    except (OSError, ValueError):
        # Or a name that is too long, or of characters that no file has.
        return DecodedImage()
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    picture = decode(data)
    if picture is None:
        return DecodedImage(digest=digest)
    return DecodedImage(picture.shape[1], picture.shape[0], digest)


def read_images(
    root: Path, names: Sequence[str], workers: int | None = None
) -> dict[str, DecodedImage]:
    """Decode images, in parallel and with a progress bar.

    Args:
        root: The data set's folder.
        names: Paths relative to it.
        workers: Number of threads; None means one per core, at most 4.
    """

    # Frames that stayed in their videos, by video.
    inside: dict[str, dict[int, str]] = {}
    for name in names:
        place = split_frame_name(name)
        if place is not None:
            inside.setdefault(place[0], {})[place[1]] = name
    files = [name for name in names if split_frame_name(name) is None]

    def read(name: str, stop: threading.Event) -> dict[str, DecodedImage]:
        if name in inside:
            return _read_video(root / name, inside[name])
        return {name: read_image(root / name)}

    items = [*inside, *files]
    found: dict[str, DecodedImage] = {}
    for some in run_parallel(read, items, workers=workers, label='images'):
        found |= some
    return {name: found[name] for name in names}


def _read_video(
    video: Path, names: Mapping[int, str]
) -> dict[str, DecodedImage]:
    """Decode the frames of a video that have these names by number."""
    if not video.is_file():
        return dict.fromkeys(names.values(), DecodedImage())
    # What cannot be decoded is there all the same.
    found = dict.fromkeys(names.values(), DecodedImage(digest=str(video)))
    try:
        for number, frame in read_frames(video, names):
            digest = hashlib.blake2b(frame.tobytes(), digest_size=16)
            found[names[number]] = DecodedImage(
                frame.shape[1], frame.shape[0], digest.hexdigest()
            )
    except DataError:
        pass
    return found
