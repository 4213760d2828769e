"""What is wrong within one JSON file. Letters: K keypoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from data_converters.checks.findings import Findings
from data_converters.checks.reading import DecodedImage
from data_converters.checks.values import (
    as_numbers,
    is_frame,
    is_id,
    is_number,
    is_text,
    listed,
    numbered,
    twice,
    video_name,
)
from data_converters.untrusted import leaves_folder, short

# The longer side of a face's box, in pixels, below which it is called tiny.
TINY_FACE = 20

# By which the configs enlarge a face's box (GetBBoxCenterScale).
PADDING = 1.25


def check_content(
    content: Mapping[str, Any],
    pictures: Mapping[str, DecodedImage] | None = None,
    *,
    tiny: float = TINY_FACE,
    keep: int = 3,
) -> Findings:
    """Find what is wrong within one data set.

    Args:
        content: As :func:`read_dataset` gives it.
        images: Of each image's file name; None where the images were not
            looked at.
        tiny: The longer side of a box, in pixels, below which a face is
            called tiny.
        keep: How many examples of each kind are kept.
    """
    found = Findings(keep)
    subjects = _entries(content, 'subjects', ('name',), found)
    videos = _entries(content, 'videos', ('name',), found)
    images = _entries(
        content, 'images', ('file_name', 'width', 'height'), found
    )
    faces = _entries(
        content,
        'annotations',
        ('image_id', 'keypoints', 'bbox', 'center', 'scale'),
        found,
    )
    for section in (subjects, videos):
        names = [str(each['name']) for each in section.values()]
        for name in twice(names):
            found.warning('name of a subject or video used twice', name)
    for video in videos.values():
        if video.get('subject_id') is not None:
            _refer(video, 'subject_id', subjects, str(video['name']), found)
    _check_images(images, videos, pictures, found)
    faces_of = defaultdict(list)
    count = _num_keypoints(content, found)
    for face in faces.values():
        name = f'annotation {face["id"]}'
        if not _refer(face, 'image_id', images, name, found):
            continue
        image = images[face['image_id']]
        name = f'{image["file_name"]} ({name})'
        if face.get('subject_id') is not None:
            _refer(face, 'subject_id', subjects, name, found)
        size: Any = (image['width'], image['height'])
        picture = (pictures or {}).get(image['file_name'], DecodedImage())
        if picture.width:
            size = picture[:2]
        _check_face(face, count, size, tiny, name, found)
        faces_of[image['id']].append(face)
    for image in images.values():
        if image['id'] not in faces_of:
            found.warning('image without a face', image['file_name'])
    _check_order(images, videos, found)
    _check_tracks(images, videos, faces_of, found)
    info = content.get('info')
    counts = info.get('counts') if isinstance(info, dict) else None
    if not isinstance(counts, dict):
        counts = {}
    for section, written in counts.items():
        there = len(listed(content, section))
        if written != there:
            found.warning(
                'count in the file other than what it holds',
                f'{section}: {written} written, {there} there',
            )
    return found


def _entries(
    content: Mapping[str, Any],
    section: str,
    needed: Collection[str],
    found: Findings,
) -> dict[Any, dict]:
    """The whole entries of a section by id; the rest are errors."""
    entries: dict[Any, dict] = {}
    if not isinstance(content.get(section, []), list):
        found.error('section that is no list', section)
    for place, entry in enumerate(listed(content, section)):
        where = f'{section}[{place}]'
        if not isinstance(entry, dict):
            found.error(f'entry of {section} that is no object', where)
            continue
        lacks = [key for key in needed if entry.get(key) is None]
        if not is_id(entry.get('id')):
            lacks.insert(0, 'id')
        if 'file_name' in needed and not lacks:
            sizes = (entry['width'], entry['height'])
            if not is_text(entry['file_name']):
                lacks.append('file_name')
            if not all(is_number(side) and side > 0 for side in sizes):
                lacks.append('width, height')
        if lacks:
            found.error(
                f'entry of {section} that is not whole',
                f'{where} lacks {", ".join(lacks)}',
            )
        elif entry['id'] in entries:
            found.error(f'id used twice in {section}', str(entry['id']))
        else:
            entries[entry['id']] = entry
    return entries


def _refer(
    entry: Mapping[str, Any],
    key: str,
    known: Mapping[Any, Any],
    name: str,
    found: Findings,
) -> bool:
    """Whether an entry refers to one that is there."""
    if is_id(entry[key]) and entry[key] in known:
        return True
    found.error(
        f'{key} that is not in the file', f'{name}: {short(entry[key])}'
    )
    return False


def _num_keypoints(content: Mapping[str, Any], found: Findings) -> int | None:
    """K, as the category says."""
    try:
        names = content['categories'][0]['keypoints']
        if isinstance(names, list) and names:
            return len(names)
    except (KeyError, IndexError, TypeError):
        pass
    found.error('no category that names the keypoints', 'categories')
    return None


def _check_images(
    images: Mapping[Any, dict],
    videos: Mapping[Any, dict],
    pictures: Mapping[str, DecodedImage] | None,
    found: Findings,
) -> None:
    for name in twice([image['file_name'] for image in images.values()]):
        found.warning('image file listed twice', name)
    for image in images.values():
        name = image['file_name']
        outside = leaves_folder(name)
        if outside:
            found.error("path out of the data set's folder", name)
        if image.get('video_id') is not None:
            _refer(image, 'video_id', videos, name, found)
            frame = image.get('frame_id')
            if not isinstance(frame, int) or frame < 0:
                found.error(
                    'frame without a number', f'{name}: {short(frame)}'
                )
        if pictures is None or outside:
            continue
        picture, written = pictures[name], (image['width'], image['height'])
        if not picture.digest:
            found.error('image file missing', name)
        elif not picture.width:
            found.error('image file that cannot be decoded', name)
        elif picture[:2] != written:
            found.error(
                'image of another size than written',
                f'{name}: {picture.width} x {picture.height}, written '
                f'{written[0]} x {written[1]}',
            )


def _check_face(
    face: Mapping[str, Any],
    count: int | None,
    size: tuple[float, float],
    tiny: float,
    name: str,
    found: Findings,
) -> None:
    """Check box and keypoints of one face.

    Args:
        face: The annotation.
        count: K, None where it is not known.
        size: Width and height of the image in pixels.
        tiny: As for :func:`check_content`.
        name: Of the face.
        found: Gets what is wrong.
    """
    box = as_numbers(face['bbox'])
    if box.shape != (4,) or not np.isfinite(box).all() or min(box[2:]) <= 0:
        found.error('empty box', f'{name}: {short(face["bbox"])}')
    elif max(box[2:]) < tiny:
        found.warning(f'face smaller than {tiny:g} px', name)
    marks = as_numbers(face['keypoints'])
    if (
        marks.ndim != 1
        or not marks.size
        or marks.size != 3 * (count or marks.size // 3)
    ):
        expected = f'not {3 * count}' if count else 'not of three each'
        found.error(
            'wrong number of values in keypoints',
            f'{name}: {marks.size}, {expected}',
        )
        return
    marks = marks.reshape(-1, 3)
    if not np.isfinite(marks).all():
        place = int(np.flatnonzero(~np.isfinite(marks).all(1))[0])
        found.error('mark that is not finite', f'{name}: mark {place}')
        return
    if not np.isin(marks[:, 2], (0, 1, 2)).all():
        found.error('visibility other than 0, 1 or 2', name)
    seen = marks[marks[:, 2] > 0, :2]
    if face.get('num_keypoints') != len(seen):
        found.error(
            'num_keypoints other than the visible keypoints',
            f'{name}: {short(face.get("num_keypoints"))}, not {len(seen)}',
        )
    if not len(seen):
        found.warning('face without a visible mark', name)
        return
    # Pixel i covers i - 0.5 to i + 0.5.
    beyond = np.maximum(-0.5 - seen, seen - (np.array(size) - 0.5)).max()
    if beyond > max(size):
        found.error('mark far outside the image', f'{name}: {beyond:.0f} px')
    elif beyond > 0:
        found.warning('mark outside the image', f'{name}: {beyond:.1f} px')
    center, scale = as_numbers(face['center']), as_numbers(face['scale'])
    numbers = np.append(center, scale)
    if numbers.shape != (3,) or not (np.isfinite(numbers).all() and scale > 0):
        found.error('center or scale that is no place', name)
        return
    # What MMPose crops: a square of 200 times the scale, enlarged.
    half = 100 * PADDING * float(scale)
    if np.abs(seen - center).max() > half:
        found.warning('mark outside what is cropped', name)


def _check_order(
    images: Mapping[Any, dict], videos: Mapping[Any, dict], found: Findings
) -> None:
    """Check the frames of each video: numbered once, in order of time."""
    frames_of = defaultdict(list)
    for image in images.values():
        if is_frame(image):
            frames_of[image['video_id']].append(image)
    for video, frames in frames_of.items():
        name = video_name(videos, video)
        numbers = [frame['frame_id'] for frame in frames]
        for number in twice(numbers):
            found.error(
                'frame number used twice in a video', f'{name}: {number}'
            )
        if numbers != sorted(numbers):
            found.warning('frames not in order in the file', name)
        frames.sort(key=lambda frame: frame['frame_id'])
        parts = [numbered(frame['file_name']) for frame in frames]
        if len({text for text, _ in parts}) > 1:
            continue  # Not numbered: the names say nothing of time.
        for (one, two), (_, last), (_, here) in zip(
            pairwise(frames), parts, parts[1:]
        ):
            if last >= here and one['frame_id'] < two['frame_id']:
                found.error(
                    'frame numbers against the order of the files',
                    f'{one["file_name"]} before {two["file_name"]}',
                )
                break


def _check_tracks(
    images: Mapping[Any, dict],
    videos: Mapping[Any, dict],
    faces_of: Mapping[Any, list[dict]],
    found: Findings,
) -> None:
    """Check that a face is once in a frame and in every frame."""
    tracks: dict[tuple, set[int]] = defaultdict(set)
    for image_id, faces in faces_of.items():
        image = images[image_id]
        same = [str(face['keypoints']) for face in faces]
        people = [_face_of(face, is_frame(image)) for face in faces]
        known = [one for one in people if one is not None]
        if twice(same) or (twice(known) and is_frame(image)):
            found.error('face twice in a frame', image['file_name'])
        elif twice(known):
            found.warning('subject twice in an image', image['file_name'])
        if is_frame(image):
            for one in known:
                tracks[image['video_id'], one].add(image['frame_id'])
    for (video, _), frames in tracks.items():
        for last, here in pairwise(sorted(frames)):
            if here > last + 1:
                found.warning(
                    'gap in the frames of a face',
                    f'{video_name(videos, video)}: {last} to {here}',
                )
                break


def _face_of(face: Mapping[str, Any], moving: bool) -> str | None:
    """Who a face is, as the data set of clips tells tracks apart."""
    face_id = face.get('track_id', face.get('subject_id'))
    if face_id is None:
        # Without a name, there is one face in a video.
        return '-' if moving else None
    return str(face_id)
