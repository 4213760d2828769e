"""Write videos with exact keypoints, clean or degraded:

python tools/make_clips.py data/300w/annotations/300w_val.json DST \\
    [--frames 30] [--size 256] [--occluders 0.5] [--seed 0]
    [--degrade occluder shake ... --strength 1]

Each photo of a converted data set becomes the video that a moving camera
would take of it; of a data set of videos each face's longest run of frames is
taken as it is. With --degrade, bursts of these kinds make frames hard to
read; under camera shake the picture moves, and the keypoints with it. The
result has the extracted layout of 300-VW (frames and .pts files, 1-based), to
be converted by convert_300vw.py --protocol csv: real texture, exact keypoints
in every frame, for measuring jitter and lag of any system.
"""

import argparse
import shutil
from pathlib import Path

from tqdm import tqdm

import rednet_mm  # noqa: F401
from data_converters.pts import write_pts
from rednet_mm.datasets.degradation import KINDS
from rednet_mm.datasets.degraded_videos import (
    CleanVideo,
    annotated_videos,
    degraded,
    moved_photos,
    write_frame,
)
from rednet_mm.datasets.transforms.degrade_clip import photo_patches
from rednet_mm.engine.launch import one_sentence_errors
from rednet_mm.errors import UserError


def clean_videos(args: argparse.Namespace) -> list[CleanVideo]:
    """The photos of the data set as videos, or its videos."""
    return annotated_videos(args.json, args.root, args.frames) or moved_photos(
        args.json,
        args.root,
        args.frames or 30,
        args.size,
        args.occluders,
        args.seed,
    )


def write(videos: list[CleanVideo], folder: Path, args: argparse.Namespace) -> None:
    """All videos, and a table of them."""
    patches = None
    if 'occluder' in args.degrade:
        patches = photo_patches(
            str(args.patches or args.json),
            '' if args.patches else str(args.root or ''),
        )
    rows = [('video', 'subject', 'split')]
    frames = sum(len(video.frame_ids) for video in videos)
    with tqdm(total=frames, unit='frame') as progress:
        for video in videos:
            rows.append((video.name, video.subject, 'val'))
            for part in ('imgs', 'annot'):
                (folder / video.name / part).mkdir(parents=True)
            for frame in degraded(
                video,
                args.degrade,
                args.seed,
                patches,
                strength=args.strength,
            ):
                stem = f'{frame.frame_id + 1:06d}'
                write_frame(
                    folder / video.name / 'imgs' / f'{stem}.jpg', frame.image
                )
                write_pts(
                    folder / video.name / 'annot' / f'{stem}.pts',
                    frame.keypoints,
                    base=1,
                )
                progress.update()
    table = ''.join(f'{",".join(row)}\n' for row in rows)
    (folder / 'subjects.csv').write_text(table)


def make(args: argparse.Namespace) -> list[CleanVideo]:
    """The folder, whole or not at all.

    Raises:
        FileNotFoundError: if the annotation file or an image is not there.
        UserError: if the folder is there already.
    """
    if not args.json.is_file():
        raise FileNotFoundError(f'{args.json} does not exist; convert first')
    if args.dst.exists():
        raise UserError(f'{args.dst} is there already; name another folder')
    part = args.dst.with_name(f'{args.dst.name}.part')
    shutil.rmtree(part, ignore_errors=True)
    videos = clean_videos(args)
    part.mkdir(parents=True)
    write(videos, part, args)
    part.rename(args.dst)
    return videos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('json', type=Path, help='what a converter wrote')
    parser.add_argument('dst', type=Path, help='folder to make')
    parser.add_argument(
        '--root', type=Path, help='of the images; default: two above the JSON'
    )
    parser.add_argument(
        '--frames',
        type=int,
        help='of each video, at most (default: 30 of a photo, else all)',
    )
    parser.add_argument(
        '--size', type=int, default=256, help='pixels a side, of photos'
    )
    parser.add_argument(
        '--occluders',
        type=float,
        default=0.5,
        help='share of videos of photos in which something of one colour '
        'passes before the face',
    )
    parser.add_argument(
        '--degrade',
        nargs='+',
        default=[],
        choices=list(KINDS),
        help='what makes frames hard to read, in bursts',
    )
    parser.add_argument(
        '--strength', type=float, default=1.0, help='of that (default: 1)'
    )
    parser.add_argument(
        '--patches',
        type=Path,
        help='JSON whose photos give the textures of occluders (default: the '
        'same)',
    )
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    with one_sentence_errors():
        videos = make(args)
    frames = sorted({len(video.frame_ids) for video in videos})
    said = ' to '.join(map(str, {frames[0]: 0, frames[-1]: 0}))
    print(f'{args.dst}: {len(videos)} videos of {said} frames')


if __name__ == '__main__':
    main()
