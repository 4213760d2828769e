"""Seconds and peak memory of tools/evaluate.py on a large dump, as Markdown:

python tools/dev/benchmarks/evaluate_large.py [--frames 25000] [--systems 1]

The dumps are random faces in 60 videos, in both forms of tools/test.py and as
MMEngine's own DumpResults writes them.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import DumpResults
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from rednet_mm.evaluation import DumpPredictions
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.env import run_environment

EVALUATE = Path(__file__).resolve().parents[2] / 'evaluate.py'
VIDEOS = 60


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Time tools/evaluate.py')
    parser.add_argument('--frames', type=int, default=25_000)
    parser.add_argument('--systems', type=int, default=1)
    return parser.parse_args()


def samples_of(frames: int, seed: int) -> list[dict[str, Any]]:
    """Data samples as the pipelines pack them, with random keypoints."""
    rng = np.random.default_rng(0)
    noise = np.random.default_rng(1 + seed)
    face = rng.uniform(0, 200, (68, 2))
    per_video = -(-frames // VIDEOS)
    samples = []
    for number in range(frames):
        video, frame = divmod(number, per_video)
        keypoints = (face + rng.normal(0, 5, 2))[None].astype(np.float32)
        sample = PoseDataSample()
        sample.gt_instances = InstanceData(
            bboxes=np.array([[0, 0, 200, 200]], np.float32),
            bbox_centers=np.full((1, 2), 100, np.float32),
            bbox_scales=np.full((1, 2), 200, np.float32),
            bbox_scores=np.ones(1, np.float32),
            keypoints=keypoints,
            keypoints_visible=np.ones((1, 68), np.float32),
        )
        sample.gt_instance_labels = InstanceData(
            keypoint_labels=torch.from_numpy(keypoints.copy()),
            keypoint_weights=torch.ones(1, 68),
        )
        sample.pred_instances = InstanceData(
            keypoints=keypoints + noise.normal(0, 3, keypoints.shape),
            keypoint_scores=np.ones((1, 68), np.float32),
            bboxes=np.array([[0, 0, 200, 200]], np.float32),
            bbox_scores=np.ones(1, np.float32),
        )
        sample.set_metainfo(
            dict(
                id=number,
                img_id=number,
                img_path=f'data/frames/{video:03d}/{frame:06d}.jpg',
                track=(video, 0),
                video_id=video,
                frame_id=frame,
                category=1 + video % 3,
            )
        )
        samples.append(sample.to_dict())
    return samples


def write_dumps(folder: Path, frames: int, systems: int) -> dict[str, list]:
    """The forms, and of each the files of all systems."""
    forms: dict[str, list] = {'.npz': [], '.pkl': [], 'DumpResults': []}
    for system in range(systems):
        samples = samples_of(frames, system)
        for form, files in forms.items():
            suffix = form if form.startswith('.') else '.pkl'
            path = folder / f'{form.strip(".")}_{system}{suffix}'
            kind = DumpPredictions if form.startswith('.') else DumpResults
            metric = kind(str(path))
            metric.process(None, samples)
            metric.evaluate(len(samples))
            files.append(path)
    return forms


# The most that a process has held since it was started (Linux); what the
# parent held before counts in the metrics of wait4 and getrusage.
MEASURED = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
for line in open('/proc/self/status'):
    if line.startswith('VmHWM'):
        print(line.split()[1], file=sys.stderr)
"""


def measure(files: list[Path]) -> tuple[float, float]:
    """Seconds and peak memory in megabytes of one evaluation."""
    start = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, '-c', MEASURED, str(EVALUATE)),
            *map(str, files),
            *('--by', 'category'),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - start
    return seconds, int(done.stderr.split()[-1]) / 1e3


def main() -> None:
    args = parse_args()
    with report_user_errors(), tempfile.TemporaryDirectory() as folder:
        forms = write_dumps(Path(folder), args.frames, args.systems)
        about = ', '.join(f'{k} {v}' for k, v in run_environment().items())
        print(
            f'{args.frames} frames of 68 points in {VIDEOS} videos, '
            f'{args.systems} systems; {about}\n\n'
            '| dump | MB on disk | seconds | peak memory (MB) |\n'
            '| --- | ---: | ---: | ---: |'
        )
        for form, files in forms.items():
            size = sum(path.stat().st_size for path in files) / 1e6
            seconds, peak = measure(files)
            print(f'| {form} | {size:.0f} | {seconds:.1f} | {peak:.0f} |')


if __name__ == '__main__':
    main()
