"""Converts 300-VW, or any data set laid out like it, to COCO-style JSON.

Source: ``NNN/vid.avi`` and ``NNN/annot/000001.pts ...`` as released, or the
extracted layout ``NNN/imgs/000001.jpg ...`` and ``NNN/annot/*.pts``; each
video is looked at by itself, and where both are there ``imgs`` is taken.
Result: ``DST/annotations/*.json`` and ``DST/frames/NNN``, the frames of
``vid.avi`` as JPEG files; or, with ``--frames avi``, ``DST/videos/NNN.avi``
and files ``videos/NNN.avi#12`` in the JSON (frame 12, from 0), which
LoadVideoFrame in place of LoadImage reads in a pipeline.

    python data_converters/convert_300vw.py SRC DST --protocol official
"""

from __future__ import annotations

import argparse
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.arguments import add_images_option, whole_number
from data_converters.errors import DataError, main_guard
from data_converters.frames import (
    extract_frames,
    frame_ids,
    frame_name,
    is_complete_jpeg,
    measure_video,
    read_fps,
    video_frame_name,
)
from data_converters.images import (
    IMAGE_SUFFIXES,
    check_folders,
    files_by_stem,
    image_size,
    place_file,
    place_folder,
)
from data_converters.listfile import Table, check_disjoint, read_table
from data_converters.parallel import run_parallel
from data_converters.pts import read_pts
from data_converters.schema import (
    CHOICES_OF_68,
    DatasetWriter,
    face_box,
    save_all,
)
from data_converters.splits import (
    ALL_VIDEOS,
    PROTOCOLS,
    REDNET_TEST,
    category_of,
    unused_frames,
)
from data_converters.untrusted import short

PROTOCOL_NAMES = (*PROTOCOLS, 'csv', 'all')

# What becomes of the frames of a vid.avi.
FRAME_MODES = ('jpg', 'avi')


@dataclass(frozen=True)
class Video:
    """A checked video of the source.

    Attributes:
        name: The folder's name.
        keypoints: Keypoints of shape (68, 2) in pixels by 0-based frame
            number, in order.
        images: Image of each marked frame in the extracted layout; None
            where the frames are still in ``avi``.
        avi: The video file, None in the extracted layout.
        fps: Frames per second, where the video file tells.
        unmarked: Images in the folder that have no keypoints.
    """

    name: str
    marks: dict[int, np.ndarray]
    images: dict[int, Path] | None
    avi: Path | None
    fps: float | None
    unmarked: int


@dataclass(frozen=True)
class PlacedVideo:
    """Where a video's frames are, by 0-based frame number.

    Attributes:
        names: File names relative to ``DST``.
        sizes: Width and height in pixels.
        note: What was left out, or an empty text.
    """

    names: dict[int, str]
    sizes: dict[int, tuple[int, int]]
    note: str


def convert(
    src: str | Path,
    dst: str | Path,
    *,
    protocol: str = 'official',
    subjects: str | Path | None = None,
    base: int = 1,
    quality: int = 95,
    workers: int | None = None,
    images: str = 'link',
    points: int = 68,
    skip_unused: bool = False,
    frames: str = 'jpg',
) -> dict[str, Path]:
    """Convert a data set in 300-VW's layout.

    All keypoints are checked before a frame is extracted, and the JSON files
    are written last and together. A second run reuses extracted frames.

    Args:
        src: The folder that holds the videos' folders; it is only read.
        dst: The folder to fill; it may exist.
        protocol: ``official`` (300-VW's 50 / 64 videos), ``rednet``
            (90 / 24), ``csv`` (the ``split`` column of ``subjects``) or
            ``all`` (one file).
        subjects: CSV file with the columns video, subject and, for
            ``csv``, split. Without it each video is a subject of its own.
        base: Coordinate base of the ``.pts`` files, 1 as released.
        quality: JPEG quality of extracted frames. Frames of an earlier
            run keep theirs.
        workers: Number of threads; None means one per core, at most 4.
        images: ``link`` or ``copy`` the images of the extracted layout,
            and the videos that stay whole.
        points: 68, or 7 for eye corners, nose tip and mouth corners only;
            the box is that of the 68 either way.
        skip_unused: Leave out the frames of 300-VW's test that are
            commonly left out (:func:`.splits.unused_frames`). Those beside
            them keep their numbers.
        frames: ``jpg`` to extract the frames of ``vid.avi``, or ``avi`` to
            leave them in it; each video is decoded once then, to see that
            they are there.

    Returns:
        The written JSON file of each split.

    Raises:
        DataError: The source, a list or a file is not as described; no
            JSON file has been written then.
        ValueError: ``protocol``, ``points`` or ``frames`` is none of the
            above.
    """
    src, dst = Path(src), Path(dst)
    if protocol not in PROTOCOL_NAMES:
        raise ValueError(f'protocol {protocol!r} is not in {PROTOCOL_NAMES}')
    if points not in CHOICES_OF_68:
        raise ValueError(f'points {points} is neither 68 nor 7')
    if frames not in FRAME_MODES:
        raise ValueError(f'frames {frames!r} is not in {FRAME_MODES}')
    check_folders(src, dst, 'frames')
    if frames == 'avi':
        check_folders(src, dst, 'videos')
    table = _read_subjects(subjects, protocol)
    splits = _choose(src, protocol, table, subjects)

    names = sorted(name for chosen in splits.values() for name in chosen)
    videos = [
        _check_video(src / name, base)
        for name in tqdm(names, 'checking keypoints', disable=None)
    ]

    def place(video: Video, stop: threading.Event) -> PlacedVideo:
        if video.images is not None:
            return _place_images(video, video.images, dst, images, stop)
        assert video.avi is not None
        if frames == 'avi':
            return _place_video(video, video.avi, dst, images, stop)
        return _extract(video, video.avi, dst, quality, stop)

    results = run_parallel(place, videos, workers=workers, label='frames')
    for result in results:
        if result.note:
            print(result.note)

    placed = dict(zip(names, zip(videos, results)))
    writers: dict[Path, DatasetWriter] = {}
    written: dict[str, Path] = {}
    for split, chosen in splits.items():
        stem = 'all' if protocol == 'all' else f'{protocol}_{split}'
        written[split] = dst / 'annotations' / f'{stem}.json'
        used = {name: placed[name][0] for name in chosen}
        info = {}
        if skip_unused:
            before = sum(len(video.marks) for video in used.values())
            used = {name: _without_unused(used[name]) for name in chosen}
            left_out = before - sum(len(v.marks) for v in used.values())
            info['unused_frames_left_out'] = left_out
            print(f'{split}: {left_out} frames of the common list left out')
        writer = DatasetWriter(
            src.resolve().name,
            'convert_300vw',
            protocol,
            split,
            base,
            points,
            info,
        )
        for name, video in used.items():
            subject = table[name]['subject'] if table else name
            if video.marks:
                _add_video(writer, video, placed[name][1], split, subject)
        writers[written[split]] = writer
    save_all(writers)

    for split, path in written.items():
        counts = writers[path].counts
        print(
            f'{split}: {counts["videos"]} videos, {counts["images"]} frames, '
            f'{counts["subjects"]} subjects -> {path}'
        )
    return written


def _read_subjects(path: str | Path | None, protocol: str) -> Table | None:
    if path is None:
        if protocol == 'csv':
            raise DataError(
                'protocol csv takes its splits from a list; '
                'name one with --subjects CSV'
            )
        return None
    columns = ('subject', 'split') if protocol == 'csv' else ('subject',)
    return read_table(Path(path), 'video', columns)


def _choose(
    src: Path,
    protocol: str,
    table: Table | None,
    subjects: str | Path | None,
) -> dict[str, list[str]]:
    """Choose the videos of each split, sorted by name."""
    present = sorted(
        path.name
        for path in src.iterdir()
        if path.is_dir() and not path.name.startswith('.')
    )
    if not present:
        raise DataError(
            f'{src}: holds no video folders; name the folder that holds '
            'NNN/annot'
        )

    if protocol in PROTOCOLS:
        listed = PROTOCOLS[protocol]
        splits = {
            split: [name for name in names if name in present]
            for split, names in listed.items()
        }
    elif protocol == 'csv' and table:
        splits = {row['split']: [] for row in table.values()}
        for name in present:
            if name in table:
                splits[table[name]['split']].append(name)
    else:
        splits = {'all': present}

    chosen = [name for names in splits.values() for name in names]
    if table is not None:
        # A part of 300-VW beside a list of the whole of it is normal.
        known = ALL_VIDEOS if protocol in PROTOCOLS else ()
        # Under csv and all, a folder that is not listed was forgotten.
        needed = chosen if protocol in PROTOCOLS else present
        for name in table:
            if name not in present and name not in known:
                raise DataError(
                    f'{subjects}: names the video {short(name)}, which is '
                    f'not in {src}; add the video or remove the row'
                )
        for name in needed:
            if name not in table:
                raise DataError(
                    f'{subjects}: has no row for the video {name} of {src}; '
                    'add a row or remove the video'
                )

    if protocol == 'csv' and table:
        check_disjoint(table, str(subjects))
    if protocol == 'rednet' and table:
        splits['train'] = _without_test_subjects(splits['train'], table)
    if protocol in PROTOCOLS:
        if not any(splits.values()):
            raise DataError(
                f'{src}: holds none of the {len(ALL_VIDEOS)} videos of '
                f'300-VW for {protocol}; choose --protocol csv or all'
            )
        for split, names in listed.items():
            missing = sum(name not in present for name in names)
            if missing:
                print(
                    f'{protocol} {split}: {missing} of the {len(names)} '
                    'listed videos are not in the source'
                )
        others = [name for name in present if name not in ALL_VIDEOS]
        if others:
            print(
                f'{len(others)} folders that are not on the lists are left '
                f'out: {", ".join(others[:5])}'
                + (' ...' if len(others) > 5 else '')
            )
    return {split: names for split, names in splits.items() if names}


def _without_test_subjects(train: list[str], table: Table) -> list[str]:
    # Also test videos that are not in this copy count: what is trained on
    # should not depend on how much of the data set is there.
    test = {table[name]['subject'] for name in REDNET_TEST if name in table}
    kept = [name for name in train if table[name]['subject'] not in test]
    dropped = [name for name in train if name not in kept]
    if dropped:
        print(
            f'rednet train: {len(dropped)} videos are left out because their '
            f'subject is on the test side: {", ".join(dropped)}'
        )
    return kept


def _check_video(folder: Path, base: int) -> Video:
    """Read a video's keypoints and find its frames.

    Raises:
        DataError: There are no keypoints or no frames, a mark file is bad or
            has no image, or the video file cannot be opened.
    """
    annot = folder / 'annot'
    if not annot.is_dir():
        raise DataError(
            f'{folder}: has no folder annot; add its keypoints or remove it'
        )
    files = files_by_stem(annot, ('.pts',))
    if not files:
        raise DataError(
            f'{annot}: holds no .pts files; add them or remove the video'
        )
    marks: dict[int, np.ndarray] = {}
    stems: dict[int, str] = {}
    for frame, stem in sorted(zip(frame_ids(files), files)):
        if frame in stems:
            raise DataError(
                f'{files[stem]}: marks the same frame as '
                f'{files[stems[frame]].name}; remove one of the two'
            )
        stems[frame] = stem
        marks[frame] = read_pts(files[stem], base=base)
        face_box(marks[frame], files[stem])

    imgs, avi = folder / 'imgs', folder / 'vid.avi'
    if imgs.is_dir():
        found = files_by_stem(imgs, IMAGE_SUFFIXES)
        for stem, path in files.items():
            if stem not in found:
                raise DataError(
                    f'{path}: has no image in {imgs}; '
                    'add the image or remove the keypoints'
                )
        images = {frame: found[stem] for frame, stem in stems.items()}
        unmarked = len(found) - len(images)
        return Video(folder.name, marks, images, None, None, unmarked)
    if avi.is_file():
        return Video(folder.name, marks, None, avi, read_fps(avi), 0)
    raise DataError(
        f'{folder}: has neither vid.avi nor a folder imgs; '
        'add the frames or remove the video'
    )


def _place_images(
    video: Video,
    images: dict[int, Path],
    dst: Path,
    mode: str,
    stop: threading.Event,
) -> PlacedVideo:
    """Link or copy frames that are images already, and measure them."""
    sizes: dict[int, tuple[int, int]] = {}
    for frame, path in images.items():
        if stop.is_set():
            break
        sizes[frame] = image_size(path)
    inner = f'frames/{video.name}'
    folder = next(iter(images.values())).parent
    files = [path.name for path in images.values()]
    place_folder(folder, dst / inner, files, mode)
    names = {frame: f'{inner}/{path.name}' for frame, path in images.items()}
    note = ''
    if video.unmarked:
        note = (
            f'{video.name}: {video.unmarked} images without keypoints left out'
        )
    return PlacedVideo(names, sizes, note)


def _place_video(
    video: Video, avi: Path, dst: Path, mode: str, stop: threading.Event
) -> PlacedVideo:
    """Link or copy a video whose frames stay in it, and measure it."""
    extra, size = measure_video(avi, max(video.marks) + 1, stop)
    inner = f'videos/{video.name}{avi.suffix}'
    place_file(avi, dst / inner, mode)
    names = {frame: video_frame_name(inner, frame) for frame in video.marks}
    return PlacedVideo(names, dict.fromkeys(names, size), _note(video, extra))


def _note(video: Video, extra: int) -> str:
    if not extra:
        return ''
    return f'{video.name}: {extra} frames beyond the keypoints left out'


def _extract(
    video: Video, avi: Path, dst: Path, quality: int, stop: threading.Event
) -> PlacedVideo:
    """Extract the frames of a video, or find those of an earlier run."""
    note = ''
    inner = f'frames/{video.name}'
    target = dst / inner
    names = {frame: f'{inner}/{frame_name(frame)}' for frame in video.marks}
    if target.is_symlink() or not target.is_dir():
        count = max(video.marks) + 1
        note = _note(video, extract_frames(avi, target, count, quality, stop))
    else:
        for name in names.values():
            if stop.is_set():
                break
            if not is_complete_jpeg(dst / name):
                raise DataError(
                    f'{target}: an earlier run left it without '
                    f'{Path(name).name}, or with a part of it; remove the '
                    'folder and run again'
                )
    # All frames of a stream are of one size.
    size = image_size(dst / names[min(names)])
    return PlacedVideo(names, dict.fromkeys(names, size), note)


def _without_unused(video: Video) -> Video:
    unused = unused_frames(video.name)
    kept = {
        frame: marks
        for frame, marks in video.marks.items()
        if frame not in unused
    }
    return replace(video, marks=kept)


def _add_video(
    writer: DatasetWriter,
    video: Video,
    placed: PlacedVideo,
    split: str,
    subject: str,
) -> None:
    subject_id = writer.add_subject(subject)
    video_id = writer.add_video(
        video.name,
        split=split,
        category=category_of(video.name),
        subject_id=subject_id,
        fps=video.fps,
    )
    for frame, marks in video.marks.items():
        image_id = writer.add_image(
            placed.names[frame],
            *placed.sizes[frame],
            video_id=video_id,
            frame_id=frame,
        )
        writer.add_face(
            image_id,
            marks[list(CHOICES_OF_68[writer.num_keypoints])],
            subject_id=subject_id,
            bbox_keypoints=marks,
        )


def main() -> None:
    """Command line of :func:`convert`."""
    parser = argparse.ArgumentParser(
        description='Convert 300-VW, or videos laid out like it, to '
        'COCO-style JSON.'
    )
    parser.add_argument('src', type=Path, help='folder of NNN/annot')
    parser.add_argument('dst', type=Path, help='folder to fill')
    parser.add_argument(
        '--protocol',
        choices=PROTOCOL_NAMES,
        default='official',
        help='how the videos are split (default: official)',
    )
    parser.add_argument(
        '--subjects',
        type=Path,
        metavar='CSV',
        help='list with the columns video, subject and, for --protocol csv, '
        'split',
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
        '--quality',
        type=whole_number(1, 100),
        default=95,
        help='JPEG quality of frames extracted from vid.avi (default: 95); '
        'remove DST/frames/NNN to extract a video again',
    )
    parser.add_argument(
        '--workers',
        type=whole_number(1, 256),
        help='threads (default: one per core, at most 4)',
    )
    add_images_option(parser, 'images that are already extracted, and videos')
    parser.add_argument(
        '--frames',
        choices=FRAME_MODES,
        default='jpg',
        help='extract the frames of vid.avi as JPEG files, or leave them in '
        'it and read them from there with LoadVideoFrame (default: jpg)',
    )
    parser.add_argument(
        '--points',
        type=int,
        choices=tuple(CHOICES_OF_68),
        default=68,
        help='keypoints to write: 68, or the 7 that are detected (default: '
        '68)',
    )
    parser.add_argument(
        '--skip-unused',
        action='store_true',
        help='leave out the 2,127 frames, in 16 test videos, that are '
        "commonly left out (MMPose's list)",
    )
    args = parser.parse_args()
    main_guard(lambda: convert(**vars(args)))


if __name__ == '__main__':
    main()
