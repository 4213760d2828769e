"""Time and memory of converting many frames with 68 keypoints each:

python tools/dev/benchmarks/convert_frames.py [--videos 20] [--frames 1000]

The source is made in a temporary folder, in 300-VW's layout with extracted
frames. Printed are the seconds of decoding every image once, of the whole
conversion, of what it takes beyond decoding, and the peak of memory.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

# The converters are not installed: they lie beside the tools.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from data_converters.convert_300vw import convert
from data_converters.images import image_sizes
from data_converters.make_tiny_300vw import mean_head
from data_converters.pts import write_pts


def make_source(root: Path, videos: int, frames: int, side: int) -> list[Path]:
    """Videos of equal frames, which are links to one file of noise.

    Returns:
        The frames of all videos.
    """
    image = root / 'picture.jpg'
    noise = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8))
    cv2.imwrite(str(image), cv2.resize(noise.astype(np.uint8), (side, side)))
    keypoints = mean_head()[:68, :2]
    low, high = keypoints.min(0), keypoints.max(0)
    keypoints = (keypoints - low) / (high - low).max() * side / 2 + side / 4
    paths = []
    for video in range(1, videos + 1):
        folder = root / 'source' / f'{video:03d}'
        for inner in ('annot', 'imgs'):
            (folder / inner).mkdir(parents=True)
        for frame in range(1, frames + 1):
            write_pts(folder / 'annot' / f'{frame:06d}.pts', keypoints + 0.001)
            paths.append(folder / 'imgs' / f'{frame:06d}.jpg')
            os.link(image, paths[-1])
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Time and memory of a conversion of many frames'
    )
    parser.add_argument('--videos', type=int, default=20)
    parser.add_argument('--frames', type=int, default=1000, help='of a video')
    parser.add_argument('--side', type=int, default=256, help='pixels')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = make_source(root, args.videos, args.frames, args.side)
        start = time.perf_counter()
        image_sizes({str(path): path for path in paths})
        decoding = time.perf_counter() - start
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        (path,) = convert(
            root / 'source', root / 'out', protocol='all'
        ).values()
        whole = time.perf_counter() - start
        size = path.stat().st_size / 1e6
    # Kilobytes on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f'{len(paths):,} frames of {args.side} x {args.side}, JSON of '
        f'{size:.0f} MB: decoding {decoding:.1f} s, conversion {whole:.1f} s, '
        f'beyond decoding {whole - decoding:.1f} s, peak of memory '
        f'{peak / 1e3:.0f} MB ({before / 1e3:.0f} MB before the conversion)'
    )


if __name__ == '__main__':
    main()
