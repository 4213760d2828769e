"""Clean videos with exact keypoints, and degraded versions of them.

Letters: T frames, K keypoints.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional
from zlib import crc32

import cv2
import numpy as np
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS
from scipy.ndimage import uniform_filter1d

from rednet_mm.errors import UserError

from .degradation import degradation_plan, degrade, displacement
from .occluders import PhotoPatches
from .transforms import LoadVideoFrame

# The crop's side in sides of the bbox of the keypoints: the face moves in it.
PADDING = 2.0

# The crop that degradation is measured by, in the same unit.
CROP = 1.25

# Frames over which the way of the face is smoothed for what is before it.
CALM = 15


@dataclass(frozen=True)
class CleanVideo:
    """A face in a video, frames in order.

    Args:
        name (str): Of the video.
        subject (str): Who it is.
        frame_ids (tuple[int]): 0-based number of each frame, T.
        keypoints (np.ndarray): (T, K, 2), pixels.
        read (Callable): Gives the image of the frame at a place of the T,
            (H, W, 3), BGR.
    """

    name: str
    subject: str
    frame_ids: tuple[int, ...]
    keypoints: np.ndarray
    read: Callable[[int], np.ndarray]


@dataclass(frozen=True)
class DegradedFrame:
    """A frame of a degraded video.

    Args:
        frame_id (int): 0-based number.
        image (np.ndarray): (H, W, 3), BGR.
        keypoints (np.ndarray): (K, 2), exact in this image, pixels.
        params (dict): What was done, see :func:`degradation_plan`.
    """

    frame_id: int
    image: np.ndarray
    keypoints: np.ndarray
    params: dict[str, Any]


def moved_photos(
    ann_file: Path,
    root: Optional[Path] = None,
    frames: int = 30,
    size: int = 256,
    occluders: float = 0.0,
    seed: int = 0,
    limit: Optional[int] = None,
) -> list[CleanVideo]:
    """Videos that a moving camera would take of photos.

    Args:
        ann_file (Path): JSON of a converted data set of photos.
        root (Path, optional): Where its file names start. Defaults to two
            above the file.
        frames (int): Of each video. Defaults to 30.
        size (int): Pixels a side. Defaults to 256.
        occluders (float): Share of videos in which something of one colour
            passes before the face, see ``ClipFromImage``. Defaults to 0.
        seed (int): Of the camera's ways. Defaults to 0.
        limit (int, optional): Photos, evenly spread over the file. Defaults
            to all.

    Raises:
        FileNotFoundError: if the annotation file is not there.
    """
    dataset = _photos(ann_file, root, frames, size, occluders, seed)
    number = len(dataset) // frames
    chosen = range(number)
    if limit is not None and limit < number:
        chosen = range(0, number, -(-number // limit))  # type: ignore
    found = []
    for photo in chosen:
        first = photo * frames
        # The way alone, without the picture, is not to be had: it is read
        # now for the keypoints and again when it is wanted.
        points = np.stack(
            [
                dataset[first + frame]['transformed_keypoints'][0]
                for frame in range(frames)
            ]
        )

        def read(place: int, first: int = first) -> np.ndarray:
            image: np.ndarray = dataset[first + place]['img']
            return image

        name = f'{photo + 1:04d}'
        found.append(
            CleanVideo(name, name, tuple(range(frames)), points, read)
        )
    return found


def _photos(
    ann_file: Path,
    root: Optional[Path],
    frames: int,
    size: int,
    occluders: float,
    seed: int,
) -> Any:
    """A data set of single frames, ``frames`` of each photo in order."""
    init_default_scope('mmpose')
    return DATASETS.build(
        dict(
            type='VideoClipDataset',
            ann_file=str(ann_file.resolve()),
            data_root=str(root or ann_file.resolve().parents[1]),
            data_prefix=dict(img=''),
            frames_of_still=frames,
            test_mode=True,
            pipeline=[
                dict(type='LoadImage'),
                dict(type='GetBBoxCenterScale', padding=PADDING),
                dict(
                    type='ClipFromImage', occluder_prob=occluders, seed=seed
                ),
                dict(
                    type='TopdownAffine', input_size=(size, size), use_udp=True
                ),
            ],
        )
    )


def annotated_videos(
    ann_file: Path,
    root: Optional[Path] = None,
    frames: Optional[int] = None,
) -> list[CleanVideo]:
    """The faces of annotated videos, of each the longest run of frames.

    Of a data set of photos there are none.

    Args:
        ann_file (Path): JSON of a converted data set of videos.
        root (Path, optional): Where its file names start. Defaults to two
            above the file.
        frames (int, optional): At most so many of each. Defaults to all.

    Raises:
        FileNotFoundError: if the file does not exist.
    """
    root = root or ann_file.resolve().parents[1]
    content = json.loads(ann_file.read_text(encoding='utf-8'))
    images = {each['id']: each for each in content['images']}
    names = {each['id']: each['name'] for each in content.get('videos', [])}
    people = {each['id']: each['name'] for each in content.get('subjects', [])}
    tracks: dict[tuple[Any, Any], list[tuple[int, str, np.ndarray]]] = {}
    for face in content['annotations']:
        image = images[face['image_id']]
        if image.get('video_id') is None:
            continue
        points = np.array(face['keypoints'], float).reshape(-1, 3)[:, :2]
        key = (image['video_id'], face.get('subject_id'))
        tracks.setdefault(key, []).append(
            (image['frame_id'], image['file_name'], points)
        )
    found = []
    for (video, person), rows in tracks.items():
        run = _longest_run(sorted(rows, key=lambda row: row[0]))[:frames]
        numbers, files, keypoints = zip(*run)
        name = names[video]
        if sum(key[0] == video for key in tracks) > 1:
            name = f'{name}_{person}'
        reader = _Reader(tuple(str(root / file) for file in files))
        found.append(
            CleanVideo(
                name,
                people.get(person, name),
                numbers,
                np.stack(keypoints),
                reader,
            )
        )
    return found


class _Reader:
    def __init__(self, files: Sequence[str]) -> None:
        self.files = files
        self.load = LoadVideoFrame()

    def __call__(self, place: int) -> np.ndarray:
        image: np.ndarray = self.load(dict(img_path=self.files[place]))['img']
        return image


def _longest_run(rows: list[Any]) -> list[Any]:
    numbers = np.array([row[0] for row in rows])
    parts = np.split(
        np.arange(len(rows)), np.flatnonzero(np.diff(numbers) != 1) + 1
    )
    longest = max(parts, key=len)
    return [rows[place] for place in longest]


def degraded(
    video: CleanVideo,
    kinds: Sequence[str],
    seed: int,
    patches: Optional[PhotoPatches] = None,
    **settings: Any,
) -> Iterator[DegradedFrame]:
    """A degraded version of a video, the same for the same seed.

    Args:
        video (CleanVideo): It stays as it is.
        kinds (Sequence[str]): Of :func:`degradation_plan`; none: clean.
        seed (int): With the video's name and the kinds it decides on all.
        patches (PhotoPatches, optional): Textures of occluders.
        **settings: Of :func:`degradation_plan`.

    Yields:
        DegradedFrame: In order.
    """
    plan: list[dict[str, Any]] = [{}] * len(video.frame_ids)
    if kinds:
        words = [crc32(word.encode()) for word in (video.name, *kinds)]
        rng = np.random.default_rng([seed, *words])
        plan = degradation_plan(len(plan), rng, kinds, **settings)
    low, high = video.keypoints.min(1), video.keypoints.max(1)
    calm = dict(size=min(CALM, len(plan)), axis=0, mode='nearest')
    centers = uniform_filter1d((low + high) / 2, **calm)
    sides = CROP * uniform_filter1d((high - low).max(1), **calm)
    for place, params in enumerate(plan):
        image = video.read(place)
        yield DegradedFrame(
            video.frame_ids[place],
            degrade(image, params, centers[place], sides[place], patches),
            video.keypoints[place] + displacement(params, sides[place]),
            params,
        )


def write_frame(path: Path, image: np.ndarray, quality: int = 95) -> None:
    """Write a frame as JPEG.

    Raises:
        UserError: if it cannot be written.
    """
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, quality]):
        raise UserError(f'{path}: cannot be written; look for free space')
