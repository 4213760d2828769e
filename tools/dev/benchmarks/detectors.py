"""Compare face detectors: recall, false finds, time a frame.

python tools/dev/benchmarks/detectors.py --stills DATA/300w \\
    --clips DATA/ytfaces --videos DATA/videos [--sheets FOLDER] [--calibrate]

Still images and clips have keypoints, and so true boxes. Videos have none: a
face is where at least two of the judges other than the detector in question
agree. docs/detectors.md holds the result. Detectors whose package is not
installed are named and left out.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from detector_candidates import CANDIDATES, Find
from mmdet.evaluation.functional import bbox_overlaps

# The converters are not installed: they lie beside the tools.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from data_converters.pts import read_pts
from rednet_mm.apis import contact_sheet, read_frames
from rednet_mm.tracking.detectors import Calibration
from rednet_mm.tracking.tracker import bbox_from_keypoints
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.env import run_environment

# A box is that of a face if both cover each other by so much.
OVERLAP = 0.4

# Every so many-th frame of a video is looked at.
EVERY = 5

# Detectors of different families, trained on different data, whose
# agreement stands in for ground truth in videos.
JUDGES = ('BlazeFace full range', 'MTCNN', 'CenterFace, 320 px', 'SSD')


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes x y w h, (F, 4) and (G, 4): (F, G)."""
    corners = [
        np.c_[each[:, :2], each[:, :2] + each[:, 2:4]]
        for each in (boxes, others)
    ]
    return bbox_overlaps(*corners)


def load_stills(root: Path, split: str) -> list[tuple[Path, np.ndarray]]:
    """Images of 300-W and the square round the keypoints of each."""
    with open(root / 'split.csv') as lines:
        files = [
            root / row['file']
            for row in csv.DictReader(lines)
            if row['split'] == split
        ]
    return [
        (file, bbox_from_keypoints(read_pts(file.with_suffix('.pts'))))
        for file in files
    ]


def load_clips(root: Path, split: str) -> list[tuple[Path, np.ndarray]]:
    """The first frame of each video of YouTube-Faces, and its square."""
    with open(root / 'subjects.csv') as lines:
        names = [
            row['video']
            for row in csv.DictReader(lines)
            if row['split'] == split
        ]
    keypoints = [min((root / name / 'annot').iterdir()) for name in names]
    return [
        (
            file.parents[1] / 'imgs' / f'{file.stem}.jpg',
            bbox_from_keypoints(read_pts(file, base=0)),
        )
        for file in keypoints
    ]


def calibrate(
    found: list[np.ndarray], truth: list[np.ndarray]
) -> tuple[Calibration, float]:
    """The calibration of boxes (F, 5) to true squares (4,), image by image.

    Returns:
        tuple: The calibration, and how far to the right of the boxes the
        squares lie, in sides of the box, which should be nothing.
    """
    scales, shifts = [], []
    for boxes, square in zip(found, truth):
        overlap = overlaps(boxes, square[None])[:, 0]
        if not len(boxes) or overlap.max() < 0.2:
            continue
        box = boxes[overlap.argmax(), :4]
        side = np.sqrt(box[2] * box[3])
        scales.append(square[2] / side)
        shifts.append(
            (square[:2] + square[2:] / 2 - box[:2] - box[2:] / 2) / side
        )
    right, down = np.median(shifts, axis=0)
    return Calibration(float(np.median(scales)), float(down)), float(right)


def marked(
    found: list[np.ndarray], truth: list[np.ndarray]
) -> tuple[float, float, int]:
    """Recall, mean overlap of what was found, number of other finds."""
    best = [
        overlaps(boxes, square[None]).max(initial=0)
        for boxes, square in zip(found, truth)
    ]
    hit = np.array(best) >= OVERLAP
    others = sum(map(len, found)) - hit.sum()
    return hit.mean(), np.array(best)[hit].mean(), int(others)


def agreed(judges: list[np.ndarray]) -> np.ndarray:
    """Where at least two judges find a face in one frame, (G, 4)."""
    faces = np.zeros((0, 4))
    for place, boxes in enumerate(judges):
        others = [each for n, each in enumerate(judges) if n != place]
        for box in boxes[:, None]:
            seconded = any(
                overlaps(box, other).max(initial=0) >= OVERLAP
                for other in others
            )
            new = overlaps(box, faces).max(initial=0) < OVERLAP
            if seconded and new:
                faces = np.vstack([faces, box[:, :4]])
    return faces


def in_video(
    found: list[np.ndarray], reference: list[np.ndarray]
) -> tuple[int, int, int]:
    """Faces of the reference, how many of them are found, false finds."""
    faces = hits = finds = 0
    for boxes, truth in zip(found, reference):
        overlap = overlaps(boxes, truth)
        faces += len(truth)
        finds += int((overlap.max(1, initial=0) < OVERLAP).sum())
        hits += int((overlap.max(0, initial=0) >= OVERLAP).sum())
    return faces, hits, finds


def sampled(video: Path) -> list[np.ndarray]:
    """Every fifth frame of a video."""
    with read_frames(str(video)) as frames:
        return [
            frame.image
            for number, frame in enumerate(frames)
            if number % EVERY == 0
        ]


def run(
    find: Find, images: list[np.ndarray]
) -> tuple[list[np.ndarray], float]:
    """What is found in each image, and the median time, milliseconds."""
    find(images[0])
    found, times = [], []
    for image in images:
        begin = time.perf_counter()
        found.append(find(image))
        times.append(time.perf_counter() - begin)
    return found, 1000 * float(np.median(times))


def table(rows: list[list]) -> None:
    """Print rows, the first of which is the head, as Markdown."""
    rows.insert(1, ['---' for _ in rows[0]])
    for row in rows:
        print('| ' + ' | '.join(map(str, row)) + ' |')
    print()


def draw(
    image: np.ndarray, reference: np.ndarray, boxes: dict[str, np.ndarray]
) -> np.ndarray:
    """The reference in green, thick, and each judge's boxes, thin."""
    image = image.copy()
    colours = [(0, 0, 255), (255, 128, 0), (0, 220, 255), (255, 0, 255)]
    layers = [(reference, (0, 255, 0), 3)]
    layers += [(each, c, 1) for each, c in zip(boxes.values(), colours)]
    for rows, colour, thick in layers:
        for x, y, w, h in rows[:, :4].round().astype(int):
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, thick)
    return image


def compare(args: argparse.Namespace) -> None:
    cv2.setNumThreads(2)
    found_by: dict[str, Find] = {}
    for name, build in CANDIDATES.items():
        try:
            found_by[name] = build()
        except ImportError as error:
            print(f'left out: {name} ({error})')
    stills = Path(args.stills), load_stills
    clips = Path(args.clips), load_clips
    train = [
        pair
        for root, load in (stills, clips)
        for pair in load(root, 'train')[::4]
    ]
    tests = [load(root, 'val') for root, load in (stills, clips)]
    calibrations = measure_calibrations(found_by, train)
    if args.calibrate:
        return
    videos = sorted(
        video
        for video in Path(args.videos).iterdir()
        if video.suffix in {'.avi', '.mov', '.mp4', '.wmv'}
    )
    frames = [sampled(video) for video in videos]
    rows: list[list] = [
        [
            'detector',
            '300-W: recall',
            'overlap',
            'others',
            'YouTube-Faces: recall',
            'overlap',
            'others',
            'ms a frame',
        ]
    ]
    in_videos: dict[str, list[np.ndarray]] = {}
    for name, find in found_by.items():
        row = [name]
        for test in tests:
            images = [cv2.imread(str(file)) for file, _ in test]
            boxes, _ = run(find, images)
            recall, overlap, others = marked(
                [calibrations[name](each[:, :4]) for each in boxes],
                [square for _, square in test],
            )
            row += [f'{100 * recall:.1f} %', f'{overlap:.2f}', str(others)]
        boxes, took = run(find, [image for video in frames for image in video])
        in_videos[name] = [calibrations[name](each[:, :4]) for each in boxes]
        rows.append([*row, f'{took:.1f}'])
    table(rows)
    report_videos(videos, frames, in_videos)
    if args.sheets:
        save_sheets(Path(args.sheets), videos, frames, in_videos)


def measure_calibrations(
    found_by: dict[str, Find], train: list[tuple[Path, np.ndarray]]
) -> dict[str, Calibration]:
    """Measure and print each detector's calibration."""
    images = [cv2.imread(str(file)) for file, _ in train]
    rows: list[list] = [['detector', 'images', 'scale', 'down', 'right']]
    calibrations = {}
    for name, find in found_by.items():
        boxes, _ = run(find, images)
        each, right = calibrate(boxes, [square for _, square in train])
        calibrations[name] = each
        rows.append(
            [
                name,
                len(images),
                f'{each.scale:.3f}',
                f'{each.down:.3f}',
                f'{right:.3f}',
            ]
        )
    table(rows)
    return calibrations


def report_videos(
    videos: list[Path],
    frames: list[list[np.ndarray]],
    in_videos: dict[str, list[np.ndarray]],
) -> None:
    """Print recall and false finds, video by video."""
    ends = np.cumsum([0, *map(len, frames)])
    rows: list[list] = [
        [
            'detector',
            'faces',
            'recall',
            'false finds',
            *(video.stem[:12] for video in videos),
        ]
    ]
    for name, found in in_videos.items():
        judges = [in_videos[j] for j in JUDGES if j != name and j in in_videos]
        if len(judges) < 3 - (name in JUDGES):
            continue
        reference = [agreed(list(each)) for each in zip(*judges)]
        each_video = [
            in_video(found[a:b], reference[a:b])
            for a, b in zip(ends, ends[1:])
        ]
        faces, hits, finds = np.sum(each_video, axis=0)
        rows.append(
            [
                name,
                faces,
                f'{100 * hits / faces:.1f} %',
                finds,
                *(f'{h}/{f} +{e}' for f, h, e in each_video),
            ]
        )
    print(f'{ends[-1]} frames, every {EVERY}th; found/there +false')
    table(rows)


def save_sheets(
    folder: Path,
    videos: list[Path],
    frames: list[list[np.ndarray]],
    in_videos: dict[str, list[np.ndarray]],
) -> None:
    """Draw the agreement of all judges, a sheet for each video."""
    folder.mkdir(parents=True, exist_ok=True)
    place = 0
    for video, images in zip(videos, frames):
        drawn = []
        for image in images:
            boxes = {j: in_videos[j][place] for j in JUDGES if j in in_videos}
            drawn.append(draw(image, agreed(list(boxes.values())), boxes))
            place += 1
        chosen = np.linspace(0, len(drawn) - 1, 24, dtype=int)
        sheet = contact_sheet([drawn[n] for n in sorted(set(chosen))])
        cv2.imwrite(str(folder / f'{video.stem}.jpg'), sheet)


def main() -> None:
    parser = argparse.ArgumentParser(description='Compare face detectors')
    parser.add_argument('--stills', required=True, help='folder of 300-W')
    parser.add_argument('--clips', required=True, help='of YouTube-Faces')
    parser.add_argument('--videos', required=True, help='folder of videos')
    parser.add_argument('--sheets', help='draw the reference into this folder')
    parser.add_argument(
        '--calibrate', action='store_true', help='only the calibrations'
    )
    args = parser.parse_args()
    with report_user_errors():
        print(run_environment())
        compare(args)


if __name__ == '__main__':
    main()
