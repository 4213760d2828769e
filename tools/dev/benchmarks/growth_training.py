"""Training and testing, by what there is more of; for growth.py.

Each part takes the wishes of the command line and an empty folder.
"""

import argparse
import json
import sys
from contextlib import redirect_stdout
from itertools import count
from pathlib import Path
from sys import stderr

import clip_memory
from lines import MB, Growth
from mmengine.config import Config
from mmengine.runner import Runner
from own_process import apart
from training_step import TrainingStep, default_device, read_config
from turns import Call, median_seconds
from videos import drawn

# The converters are not installed: they lie beside the tools.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from data_converters.convert_300vw import convert
from rednet_mm.utils.errors import UserError

# Of a video that is tested on.
VIDEO_FRAMES = 6


def training(args: argparse.Namespace, folder: Path) -> Growth:
    """A step on clips, by their length."""
    lengths = dict.fromkeys(args.lengths)
    peaks = {t: apart(clip_memory.measure, args, 'plain', t) for t in lengths}
    # Of a process that was killed there is no metric.
    if None in peaks.values():
        raise UserError(
            f'{args.clips} clips do not fit the memory of this machine; name '
            'fewer with --clips, or shorter ones with --lengths'
        )
    cfg, device = read_config(args), default_device()
    steps = {t: TrainingStep(cfg, args.clips, t, device) for t in lengths}
    seconds = median_seconds(steps, args.repeats, 'steps')
    rows = [
        {'T': t, 'seconds': seconds[t], 'peak, MB': (peaks[t] or 0) / MB}
        for t in lengths
    ]
    return Growth(
        f'A training step on {args.clips} clips of T frames',
        'T',
        rows,
        ('seconds', 'peak, MB'),
    )


def first_videos(path: Path, videos: int) -> str:
    """Write the annotations of the first videos beside those of all.

    Returns:
        str: The name of the file.
    """
    data = json.loads(path.read_text())
    data['videos'] = data['videos'][:videos]
    kept = {each['id'] for each in data['videos']}
    data['images'] = [i for i in data['images'] if i['video_id'] in kept]
    shown = {each['id'] for each in data['images']}
    data['annotations'] = [
        each for each in data['annotations'] if each['image_id'] in shown
    ]
    part = path.with_name(f'first_{videos}.json')
    part.write_text(json.dumps(data))
    return part.name


def test_of(cfg: Config, folder: Path, whole: Path, videos: int) -> Call:
    """All of tools/test.py on the first videos, from config to metrics."""
    loader = cfg.test_dataloader.to_dict()
    loader.update(num_workers=0, persistent_workers=False)
    loader['dataset'] = dict(
        type='VideoClipDataset',
        data_root=str(whole.parents[1]),
        ann_file=f'{whole.parent.name}/{first_videos(whole, videos)}',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=loader['dataset']['pipeline'],
    )
    own = cfg.copy()
    own.merge_from_dict(dict(work_dir=str(folder), log_level='ERROR'))
    own.test_dataloader = loader
    numbers = count()

    def run() -> None:
        # MMEngine keeps runners by their name.
        own.experiment_name = f'growth_{videos}_{next(numbers)}'
        with redirect_stdout(stderr):
            Runner.from_cfg(own).test()

    return run


def by_videos(args: argparse.Namespace, folder: Path) -> Growth:
    """A test of the config on drawn videos, by their number."""
    drawn(folder / 'source', max(args.videos), VIDEO_FRAMES)
    with redirect_stdout(stderr):
        (whole,) = convert(
            folder / 'source', folder / 'data', protocol='all'
        ).values()
    cfg = read_config(args)
    tests = {
        videos: test_of(cfg, folder / 'work', whole, videos)
        for videos in args.videos
    }
    seconds = median_seconds(tests, args.repeats, 'tests')
    rows = [
        {'videos': videos, 'seconds': each} for videos, each in seconds.items()
    ]
    return Growth(
        f'A test on videos of {VIDEO_FRAMES} frames',
        'videos',
        rows,
        ('seconds',),
    )
