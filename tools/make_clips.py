"""Write the films that a moving camera would take of photos:

python tools/make_clips.py data/300w/annotations/300w_val.json DST \\
    [--frames 30] [--size 256] [--occluders 0.5] [--seed 0]

Each photo of a converted data set becomes a video in the extracted layout of
300-VW (frames and .pts marks, 1-based), to be converted by convert_300vw.py
--protocol csv: real texture, exact marks in every frame, for measuring jitter
and lag of any system. The camera's way and what passes in front of the face
are those of ClipFromImage.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS
from tqdm import tqdm

import rednet_mm  # noqa: F401

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.pts import write_pts
from rednet_mm.engine.launch import one_sentence_errors
from rednet_mm.errors import UserError

# The crop's side in sides of the box of the marks: the face moves in it.
PADDING = 2.0


def films(args: argparse.Namespace) -> Any:
    """A data set of single frames, ``frames`` of each photo in order."""
    init_default_scope('mmpose')
    return DATASETS.build(
        dict(
            type='VideoClipDataset',
            ann_file=str(args.json.resolve()),
            data_root=str(args.root or args.json.resolve().parents[1]),
            data_prefix=dict(img=''),
            frames_of_still=args.frames,
            test_mode=True,
            pipeline=[
                dict(type='LoadImage'),
                dict(type='GetBBoxCenterScale', padding=PADDING),
                dict(
                    type='ClipFromImage',
                    occluder_prob=args.occluders,
                    seed=args.seed,
                ),
                dict(
                    type='TopdownAffine',
                    input_size=(args.size, args.size),
                    use_udp=True,
                ),
            ],
        )
    )


def write(dataset: Any, folder: Path, frames: int) -> int:
    """All videos, and a table of them; how many there are."""
    rows = [('video', 'subject', 'split')]
    for place in tqdm(range(len(dataset)), unit='frame'):
        video, frame = divmod(place, frames)
        name = f'{video + 1:04d}'
        if frame == 0:
            rows.append((name, name, 'val'))
            for part in ('imgs', 'annot'):
                (folder / name / part).mkdir(parents=True)
        found = dataset[place]
        stem = f'{frame + 1:06d}'
        image = folder / name / 'imgs' / f'{stem}.jpg'
        cv2.imwrite(str(image), found['img'], [cv2.IMWRITE_JPEG_QUALITY, 95])
        marks = found['transformed_keypoints'][0]
        write_pts(folder / name / 'annot' / f'{stem}.pts', marks, base=1)
    table = ''.join(f'{",".join(row)}\n' for row in rows)
    (folder / 'subjects.csv').write_text(table)
    return len(rows) - 1


def make(args: argparse.Namespace) -> int:
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
    part.mkdir(parents=True)
    number = write(films(args), part, args.frames)
    part.rename(args.dst)
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('json', type=Path, help='what a converter wrote')
    parser.add_argument('dst', type=Path, help='folder to make')
    parser.add_argument(
        '--root', type=Path, help='of the images; default: two above the JSON'
    )
    parser.add_argument('--frames', type=int, default=30, help='of a video')
    parser.add_argument('--size', type=int, default=256, help='pixels a side')
    parser.add_argument(
        '--occluders',
        type=float,
        default=0.5,
        help='share of videos in which something passes before the face',
    )
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    with one_sentence_errors():
        number = make(args)
    print(f'{args.dst}: {number} videos of {args.frames} frames')


if __name__ == '__main__':
    main()
