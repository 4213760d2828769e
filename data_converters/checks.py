"""Checks of converted data sets: what is wrong, how often, and where.

An error would spoil or stop a training or an evaluation; a warning is for a
person to judge. Letters: K keypoints. All coordinates are 0-based image
pixels.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_converters.errors import DataError, short
from data_converters.frames import read_frames, split_frame_name
from data_converters.images import decode, leaves_folder
from data_converters.parallel import run_parallel

# The longer side of a face's box, in pixels, below which it is called tiny.
TINY_FACE = 20

# By which the configs enlarge a face's box (GetBBoxCenterScale).
PADDING = 1.25

# What the paper counts (RED-Net, IJCV 2018, Table 4), by split; 300-VW's
# are of the protocol rednet.
TABLE_4: dict[str, dict[str, dict[str, int]]] = {
    'AFLW': {
        'train': {'images': 16864},
        'test': {'images': 4216},
        'all': {'images': 21080},
    },
    'LFW': {'all': {'images': 12007, 'subjects': 5371}},
    'Helen': {'all': {'images': 2330}},
    'LFPW': {'all': {'images': 1035}},
    'Talking Face': {'all': {'images': 500, 'videos': 5, 'subjects': 1}},
    'Face Movies': {'all': {'images': 2150, 'videos': 6, 'subjects': 6}},
    '300-VW': {
        'train': {'images': 90000, 'videos': 90},
        'test': {'images': 24000, 'videos': 24},
        'all': {'images': 114000, 'videos': 114, 'subjects': 105},
    },
}

# Words in protocol or source that tell a data set, where the converter
# takes many.
_WORDS = {
    'helen': 'Helen',
    'lfpw': 'LFPW',
    'talking': 'Talking Face',
    'tf': 'Talking Face',
    'movies': 'Face Movies',
    'fm': 'Face Movies',
}

_COUNTED = {
    'videos': 'videos',
    'images': 'images',
    'annotations': 'faces',
    'subjects': 'subjects',
}


class Picture(NamedTuple):
    """What is known of an image file.

    Args:
        width: In pixels, 0 where the file cannot be decoded.
        height: In pixels, 0 where the file cannot be decoded.
        digest: Of the file's bytes, empty where there is no file.
    """

    width: int = 0
    height: int = 0
    digest: str = ''


@dataclass
class Finding:
    """One kind of thing that is wrong.

    Args:
        level: ``error`` or ``warning``.
        kind: What is wrong, in words.
        count: How often.
        examples: Where, the first few.
    """

    level: str
    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Findings:
    """Collects what is wrong, by kind.

    Args:
        keep: How many examples of each kind are kept.
    """

    def __init__(self, keep: int = 3) -> None:
        self._keep = keep
        self._found: dict[tuple[str, str], Finding] = {}

    def error(self, kind: str, example: str) -> None:
        """Note one error."""
        self._add('error', kind, example)

    def warning(self, kind: str, example: str) -> None:
        """Note one warning."""
        self._add('warning', kind, example)

    def all(self) -> list[Finding]:
        """What was found, errors first."""
        return sorted(self._found.values(), key=lambda found: found.level)

    def count(self, level: str) -> int:
        """How often something of a level was found."""
        return sum(each.count for each in self.all() if each.level == level)

    def _add(self, level: str, kind: str, example: str) -> None:
        found = self._found.setdefault((level, kind), Finding(level, kind))
        found.count += 1
        if len(found.examples) < self._keep:
            found.examples.append(short(example, 300))


# -- what is read -----------------------------------------------------------


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
        raise _too_deep(path) from None
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


def _too_deep(path: str | Path) -> DataError:
    return DataError(
        f'{path}: is nested deeper than any data set; convert the data again'
    )


def file_names(content: Mapping[str, Any]) -> list[str]:
    """The image files that a data set names in its folder, each once."""
    images = [each for each in content['images'] if isinstance(each, dict)]
    names = [image.get('file_name') for image in images]
    texts = [str(name) for name in names if _is_text(name)]
    return list(
        dict.fromkeys(text for text in texts if not leaves_folder(text))
    )


def read_picture(path: Path) -> Picture:
    """Decode an image as the training will."""
    try:
        if not path.is_file():
            return Picture()
        data = path.read_bytes()
    except (OSError, ValueError):
        # Or a name that is too long, or of characters that no file has.
        return Picture()
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    picture = decode(data)
    if picture is None:
        return Picture(digest=digest)
    return Picture(picture.shape[1], picture.shape[0], digest)


def read_pictures(
    root: Path, names: Sequence[str], workers: int | None = None
) -> dict[str, Picture]:
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

    def read(name: str, stop: threading.Event) -> dict[str, Picture]:
        if name in inside:
            return _read_video(root / name, inside[name])
        return {name: read_picture(root / name)}

    items = [*inside, *files]
    found: dict[str, Picture] = {}
    for some in run_parallel(read, items, workers=workers, label='images'):
        found |= some
    return {name: found[name] for name in names}


def _read_video(video: Path, names: Mapping[int, str]) -> dict[str, Picture]:
    """Decode the frames of a video that have these names by number."""
    if not video.is_file():
        return dict.fromkeys(names.values(), Picture())
    # What cannot be decoded is there all the same.
    found = dict.fromkeys(names.values(), Picture(digest=str(video)))
    try:
        for number, frame in read_frames(video, names):
            digest = hashlib.blake2b(frame.tobytes(), digest_size=16)
            found[names[number]] = Picture(
                frame.shape[1], frame.shape[0], digest.hexdigest()
            )
    except DataError:
        pass
    return found


# -- one file ---------------------------------------------------------------


def check_content(
    content: Mapping[str, Any],
    pictures: Mapping[str, Picture] | None = None,
    *,
    tiny: float = TINY_FACE,
    keep: int = 3,
) -> Findings:
    """Find what is wrong within one data set.

    Args:
        content: As :func:`read_dataset` gives it.
        pictures: Of each image's file name; None where the images were not
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
        for name in _twice(names):
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
        picture = (pictures or {}).get(image['file_name'], Picture())
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
        there = len(_listed(content, section))
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
    for place, entry in enumerate(_listed(content, section)):
        where = f'{section}[{place}]'
        if not isinstance(entry, dict):
            found.error(f'entry of {section} that is no object', where)
            continue
        lacks = [key for key in needed if entry.get(key) is None]
        if not _is_id(entry.get('id')):
            lacks.insert(0, 'id')
        if 'file_name' in needed and not lacks:
            sizes = (entry['width'], entry['height'])
            if not _is_text(entry['file_name']):
                lacks.append('file_name')
            if not all(_is_number(side) and side > 0 for side in sizes):
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
    if _is_id(entry[key]) and entry[key] in known:
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
    pictures: Mapping[str, Picture] | None,
    found: Findings,
) -> None:
    for name in _twice([image['file_name'] for image in images.values()]):
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
    """Check box and marks of one face.

    Args:
        face: The annotation.
        count: K, None where it is not known.
        size: Width and height of the image in pixels.
        tiny: As for :func:`check_content`.
        name: Of the face.
        found: Gets what is wrong.
    """
    box = _numbers(face['bbox'])
    if box.shape != (4,) or not np.isfinite(box).all() or min(box[2:]) <= 0:
        found.error('empty box', f'{name}: {short(face["bbox"])}')
    elif max(box[2:]) < tiny:
        found.warning(f'face smaller than {tiny:g} px', name)
    marks = _numbers(face['keypoints'])
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
            'num_keypoints other than the visible marks',
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
    center, scale = _numbers(face['center']), _numbers(face['scale'])
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
        if _is_frame(image):
            frames_of[image['video_id']].append(image)
    for video, frames in frames_of.items():
        name = _video_name(videos, video)
        numbers = [frame['frame_id'] for frame in frames]
        for number in _twice(numbers):
            found.error(
                'frame number used twice in a video', f'{name}: {number}'
            )
        if numbers != sorted(numbers):
            found.warning('frames not in order in the file', name)
        frames.sort(key=lambda frame: frame['frame_id'])
        parts = [_numbered(frame['file_name']) for frame in frames]
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
        people = [_face_of(face, _is_frame(image)) for face in faces]
        known = [one for one in people if one is not None]
        if _twice(same) or (_twice(known) and _is_frame(image)):
            found.error('face twice in a frame', image['file_name'])
        elif _twice(known):
            found.warning('subject twice in a photo', image['file_name'])
        if _is_frame(image):
            for one in known:
                tracks[image['video_id'], one].add(image['frame_id'])
    for (video, _), frames in tracks.items():
        for last, here in pairwise(sorted(frames)):
            if here > last + 1:
                found.warning(
                    'gap in the frames of a face',
                    f'{_video_name(videos, video)}: {last} to {here}',
                )
                break


def _face_of(face: Mapping[str, Any], moving: bool) -> str | None:
    """Who a face is, as the data set of clips tells tracks apart."""
    face_id = face.get('track_id', face.get('subject_id'))
    if face_id is None:
        # Without a name, there is one face in a video.
        return '-' if moving else None
    return str(face_id)


# -- several files ----------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """What is compared of a file with others.

    Args:
        name: The JSON file.
        info: What it says of itself.
        files: Digest of each image by its real path, empty where it is not
            known.
        names: Names of its ``subjects`` and ``videos``.
        counts: How many videos, images, faces and subjects there are.
    """

    name: str
    info: Mapping[str, Any]
    files: Mapping[str, str]
    names: Mapping[str, frozenset[str]]
    counts: Mapping[str, int]


def make_part(
    path: Path,
    content: Mapping[str, Any],
    root: Path,
    pictures: Mapping[str, Picture] | None = None,
) -> Part:
    """Take out of a data set what is compared with others.

    Args:
        path: The JSON file.
        content: What it holds.
        root: The folder that its images are in.
        pictures: As for :func:`check_content`.
    """
    info = content.get('info')
    names = {
        section: frozenset(
            str(entry['name'])
            for entry in _listed(content, section)
            if isinstance(entry, dict) and 'name' in entry
        )
        for section in ('subjects', 'videos')
    }
    return Part(
        str(path),
        info if isinstance(info, dict) else {},
        {
            os.path.realpath(root / name): (
                pictures[name].digest if pictures else ''
            )
            for name in file_names(content)
        },
        names,
        {what: len(_listed(content, key)) for key, what in _COUNTED.items()},
    )


def check_between(parts: Sequence[Part], keep: int = 3) -> Findings:
    """Find what is on both sides of a split.

    Image files are compared by where they really are and by their bytes,
    subjects and videos by name among the files of one converter. What is on
    the training's side and on another is an error; what two files beside
    the training share is a warning, for one may be a list of the other's,
    and so is what is shared with a file of no split (``all``). Files of the
    same split are on one side.

    Args:
        parts: One for each file.
        keep: How many examples of each kind are kept.
    """
    found = Findings(keep)
    for one, two in combinations(parts, 2):
        sides = [str(part.info.get('split', 'all')) for part in (one, two)]
        if sides[0] == sides[1] != 'all':
            continue
        trains = [side.startswith('train') for side in sides]
        spoils = any(trains) and not all(trains) and 'all' not in sides
        report = found.error if spoils else found.warning
        both = f'{Path(one.name).name} and {Path(two.name).name}'
        digests = set(two.files.values()) - {''}
        shared = {
            'image': {
                path
                for path, digest in one.files.items()
                if path in two.files or digest in digests
            }
        }
        if one.info.get('converter') == two.info.get('converter'):
            for section in ('subjects', 'videos'):
                same = one.names[section] & two.names[section]
                shared[section[:-1]] = set(same)
        for what, values in shared.items():
            for value in sorted(values):
                report(f'{what} in {both}', value)
    return found


def known_set(info: Mapping[str, Any]) -> str | None:
    """The data set of Table 4 that a file says to come from."""
    converter, protocol = info.get('converter'), info.get('protocol')
    if converter in ('convert_aflw', 'convert_lfw'):
        return {'convert_aflw': 'AFLW', 'convert_lfw': 'LFW'}[converter]
    if converter == 'convert_300vw':
        return '300-VW' if protocol in ('official', 'rednet') else None
    text = f'{protocol} {info.get("source")}'.lower()
    words = re.findall('[a-z]+', text)
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def beside_paper(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Counts beside those of the paper's Table 4.

    Returns:
        One row for each count of a split, and for the sum where the paper
        does not split or several files of a data set are given: ``set``,
        ``split``, ``what``, ``found``, ``paper``.
    """
    sets = defaultdict(list)
    for part in parts:
        name = known_set(part.info)
        if name:
            sets[name].append(part)
    rows = []
    for name, members in sets.items():
        paper = TABLE_4[name]
        for part in members:
            split = str(part.info.get('split'))
            theirs = part.info.get('protocol') != 'official'
            if theirs and split != 'all':
                for what, number in paper.get(split, {}).items():
                    rows.append((name, split, what, part.counts[what], number))
        if len(members) == 1 and 'train' in paper and split != 'all':
            continue
        for what, number in paper['all'].items():
            if what == 'subjects':
                people = {n for part in members for n in part.names[what]}
                here = len(people)
            else:
                here = sum(part.counts[what] for part in members)
            rows.append((name, 'all', what, here, number))
    titles = ('set', 'split', 'what', 'found', 'paper')
    return [dict(zip(titles, row)) for row in rows]


# -- the report -------------------------------------------------------------


def check_files(
    paths: Sequence[Path],
    *,
    root: Path | None = None,
    images: bool = True,
    tiny: float = TINY_FACE,
    keep: int = 3,
    workers: int | None = None,
) -> dict[str, Any]:
    """Check converted data sets, each and beside each other.

    Args:
        paths: JSON files.
        root: The folder that the images are in; None means the one above
            the JSON file's folder, as the converters lay it out.
        images: Whether to decode the images.
        tiny: As for :func:`check_content`.
        keep: How many examples of each kind are kept.
        workers: Number of threads that decode.

    Returns:
        The report: ``files``, ``between``, ``table_4``, ``errors`` and
        ``warnings``, of nothing but what JSON knows.

    Raises:
        DataError: A file cannot be read at all.
    """
    parts, files, all_findings = [], [], []
    for path in paths:
        content = read_dataset(path)
        folder = root or path.resolve().parents[1]
        pictures = None
        if images:
            pictures = read_pictures(folder, file_names(content), workers)
        try:
            findings = check_content(content, pictures, tiny=tiny, keep=keep)
        except RecursionError:
            raise _too_deep(path) from None
        part = make_part(path, content, folder, pictures)
        parts.append(part)
        all_findings.append(findings)
        files.append(
            {
                'file': part.name,
                'info': dict(part.info),
                'counts': dict(part.counts),
                'images_checked': images,
                'findings': [asdict(each) for each in findings.all()],
            }
        )
    between = check_between(parts, keep)
    all_findings.append(between)
    return {
        'files': files,
        'between': [asdict(each) for each in between.all()],
        'table_4': beside_paper(parts),
        'errors': sum(each.count('error') for each in all_findings),
        'warnings': sum(each.count('warning') for each in all_findings),
    }


def as_text(report: Mapping[str, Any]) -> str:
    """A report for a person to read."""
    lines = []
    for file in report['files']:
        info = file['info']
        origin = [
            f'{key} {info[key]}'
            for key in ('converter', 'protocol', 'split')
            if key in info
        ]
        counts = [f'{n:,} {what}' for what, n in file['counts'].items() if n]
        lines += [file['file'], '  ' + ', '.join(origin + counts)]
        if not file['images_checked']:
            lines.append('  images not looked at')
        lines += _finding_lines(file['findings']) or ['  nothing wrong']
    if report['between']:
        lines += ['Between the files', *_finding_lines(report['between'])]
    if report['table_4']:
        lines.append("Beside the paper's Table 4")
        for row in report['table_4']:
            off = row['found'] - row['paper']
            lines.append(
                f'  {row["set"]:12} {row["split"]:6} {row["what"]:9}'
                f'{row["found"]:9,}   paper {row["paper"]:9,}'
                + (f'   {off:+,}' if off else '')
            )
    lines.append(
        f'{report["errors"]:,} errors, {report["warnings"]:,} warnings'
    )
    return '\n'.join(lines)


def _finding_lines(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for found in findings:
        more = found['count'] - len(found['examples'])
        lines.append(
            f'  {found["level"]:8}{found["count"]:7,} x {found["kind"]}'
        )
        lines += [f'{"":21}{example}' for example in found['examples']]
        if more > 0:
            lines.append(f'{"":21}... and {more:,} more')
    return lines


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Write a report as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.part')
    try:
        part.write_text(json.dumps(report, indent=1) + '\n')
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


# -- small things -----------------------------------------------------------


def _listed(content: Mapping[str, Any], section: str) -> list:
    """A section's list, empty where there is none."""
    entries = content.get(section)
    return entries if isinstance(entries, list) else []


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_id(value: Any) -> bool:
    # Numbers of hundreds of digits are no numbers to numpy.
    return isinstance(value, str) or (
        isinstance(value, int) and abs(value) < 1 << 63
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < 1 << 31


def _is_frame(image: Mapping[str, Any]) -> bool:
    frame = image.get('frame_id')
    return (
        _is_id(image.get('video_id')) and _is_id(frame) and not _is_text(frame)
    )


def _numbers(value: Any) -> np.ndarray:
    """An array of floats, empty where there is no such thing."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)


def _numbered(file_name: str) -> tuple[str, int]:
    """What stays of a frame's path, and the number at its stem's end."""
    stem = file_name
    if split_frame_name(file_name) is None:
        stem, _ = os.path.splitext(file_name)
    text = stem.rstrip('0123456789')
    number = stem[len(text) :]
    return (text, int(number)) if 0 < len(number) < 19 else (stem, -1)


def _twice(values: Sequence[Any]) -> list[Any]:
    """What is there more than once, each once."""
    seen: set[Any] = set()
    again: dict[Any, None] = {}
    for value in values:
        if value in seen:
            again[value] = None
        seen.add(value)
    return list(again)


def _video_name(videos: Mapping[Any, dict], video: Any) -> str:
    return str(videos[video]['name']) if video in videos else f'video {video}'
