"""A training step on clips, beside other ways to do the same work:

python tools/dev/benchmarks/training_speed.py [--clips 5] [--frames 10] \\
    [--config FILE] [--repeats 5] [--profile FILE.md] [--json FILE]

* all frames of all clips as one batch, maps drawn where the network is: ours
* frame by frame: the same network and losses, T calls with the state carried
* maps from the pipeline: MMPose's way, 68 maps a sample are drawn by NumPy,
  collated and moved; drawn here in the training's own process
* MMPose's heatmap network of the same depth on the same frames, its maps
  from the pipeline

They take turns, step by step; medians. The peak of memory is of a process of
its own for each. Freed memory is kept, as tools/train.py does, but not with
`--give-back`. `--profile` writes where the time of our step goes.
"""

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from clip_step import peak_gib
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpose.registry import KEYPOINT_CODECS, MODELS
from origin import Origin
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm
from training_step import (
    TrainingStep,
    add_config_arguments,
    default_device,
    read_config,
)
from turns import Call, in_turns

from rednet_mm.utils.cli import atomic_dump, check_suffix, report_user_errors
from rednet_mm.utils.memory import keep_freed_memory


class FrameByFrame(TrainingStep):
    """The frames of a clip one after the other, their state carried."""

    def __call__(self) -> None:
        clips, frames = self.clips.shape[:2]
        state, losses = None, torch.zeros(())
        for t in range(frames):
            outputs, identities, state = self.model.unroll(
                self.clips[:, t : t + 1], state
            )
            samples = self.samples[t::frames]
            found = self.model.head.loss_by_output(
                outputs, samples, dict(compute_acc=False)
            )
            if self.model.identity_head is not None:
                found.update(
                    self.model.identity_head.loss(identities, samples)
                )
            losses = losses + sum(found.values()) / frames
        self.optim_wrapper.update_params(losses)


class MapsFromPipeline(TrainingStep):
    """Maps that NumPy draws, sample by sample, as in MMPose's pipelines."""

    def __init__(self, cfg: Config, *sizes: Any) -> None:
        super().__init__(cfg, *sizes)
        width, height = cfg.codec.response_size
        self.codec = KEYPOINT_CODECS.build(
            dict(
                type='MSRAHeatmap',
                input_size=cfg.codec.input_size,
                heatmap_size=(width, height),
                sigma=cfg.codec.sigma,
            )
        )

    def maps(self) -> Tensor:
        """(B * T, 68, h, w), on the device."""
        drawn = [
            self.codec.encode(
                sample.gt_instance_labels.keypoint_labels.cpu().numpy(),
                np.ones((1, 68), np.float32),
            )['heatmaps']
            for sample in self.samples
        ]
        return torch.from_numpy(np.stack(drawn)).to(self.clips.device)

    def __call__(self) -> None:
        targets = self.maps()
        outputs, identities, _ = self.model.unroll(self.clips)
        head, weights = self.model.head, targets.new_ones(len(targets), 68)
        few = list(head.det_indices)
        kinds = dict(
            det=((targets[:, few] > 0.5).float(), weights[:, few]),
            reg=(targets, weights),
        )
        losses = sum(
            head.losses[kind](output, *kinds[kind])
            for kind, output in zip(head.steps, outputs)
        )
        if self.model.identity_head is not None:
            more = self.model.identity_head.loss(identities, self.samples)
            losses = losses + sum(more.values())
        self.optim_wrapper.update_params(losses)


class HeatmapNetwork(MapsFromPipeline):
    """MMPose's top-down heatmap network with the same ResNet."""

    def __init__(self, cfg: Config, *sizes: Any) -> None:
        super().__init__(cfg, *sizes)
        depth = cfg.model.backbone.depth
        # Three deconvolutions: a quarter of the input.
        self.codec.heatmap_size = tuple(s // 4 for s in cfg.codec.input_size)
        self.codec.scale_factor = np.array([4, 4], np.float32)
        network = dict(
            type='TopdownPoseEstimator',
            backbone=dict(type='ResNet', depth=depth),
            head=dict(
                type='HeatmapHead',
                in_channels=512 if depth < 50 else 2048,
                out_channels=68,
                loss=dict(type='KeypointMSELoss', use_target_weight=True),
            ),
        )
        self.model = MODELS.build(network).train().to(self.clips.device)
        self.optim_wrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)

    def __call__(self) -> None:
        targets = self.maps()
        output = self.model(self.clips.flatten(0, 1), None, mode='tensor')
        loss = self.model.head.loss_module(
            output, targets, targets.new_ones(len(targets), 68)
        )
        self.optim_wrapper.update_params(loss)


WAYS: dict[str, type[TrainingStep]] = {
    'ours': TrainingStep,
    'frame by frame': FrameByFrame,
    'maps from the pipeline': MapsFromPipeline,
    "MMPose's heatmap network": HeatmapNetwork,
}


def peak_of(way: str, args: argparse.Namespace) -> float:
    """GiB of a process that takes two such steps."""
    command = [sys.executable, __file__, '--alone', way]
    command += ['--config', args.config, '--clips', str(args.clips)]
    command += ['--frames', str(args.frames)]
    if args.give_back:
        command.append('--give-back')
    for key, value in (args.cfg_options or {}).items():
        command += ['--cfg-options', f'{key}={value}']
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def write_profile(step: Call, path: str) -> None:
    """The operators of a step that take most time, as Markdown."""
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as found:
        step()
    table = found.key_averages().table('self_cpu_time_total', row_limit=20)
    dump = f'```\n{table}\n```\n'
    with open(path, 'w') as out:
        out.write(dump)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser, 'configs/rednet_r18_ytfaces.py')
    parser.add_argument('--clips', type=int, default=5, help='B')
    parser.add_argument('--frames', type=int, default=10, help='T')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument(
        '--give-back',
        action='store_true',
        help='memory as if tools/train.py did not keep it',
    )
    parser.add_argument('--profile', metavar='FILE', help='also write this')
    parser.add_argument('--json', metavar='FILE', help='also write it here')
    parser.add_argument('--alone', choices=list(WAYS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    with report_user_errors():
        run(args)


def run(args: argparse.Namespace) -> None:
    check_suffix('--json', args.json, '.json')
    check_suffix('--profile', args.profile, '.md')
    cfg, device = read_config(args), default_device()
    sizes = args.clips, args.frames, device
    if not args.give_back:
        keep_freed_memory()
    if args.alone:
        step = WAYS[args.alone](cfg, *sizes)
        step()
        step()
        print(json.dumps(peak_gib()))
        return
    peaks = {way: peak_of(way, args) for way in tqdm(WAYS, 'memory')}
    steps = {way: each(cfg, *sizes) for way, each in WAYS.items()}
    seconds = in_turns(steps, args.repeats, 'steps')
    if args.profile:
        write_profile(steps['ours'], args.profile)
    frames, origin = args.clips * args.frames, Origin.here()
    rows = [
        dict(
            way=way,
            seconds=statistics.median(each),
            rate=frames / statistics.median(each),
            peak=peaks[way],
        )
        for way, each in seconds.items()
    ]
    width, height = cfg.codec.input_size
    print(
        f'{origin}. {args.clips} clips of {args.frames} frames, '
        f'{width} x {height}; medians of {args.repeats} steps in turns.\n\n'
        '| way | s a step | frames a second | ours is faster by | peak GiB |'
        '\n|---|---|---|---|---|'
    )
    for row in rows:
        gain = row['seconds'] / rows[0]['seconds']
        print(
            '| {way} | {seconds:.2f} | {rate:.1f} | '.format(**row)
            + f'{gain:.2f} | {row["peak"]:.2f} |'
        )
    if args.json:
        atomic_dump(dict(asdict(origin), rows=rows), args.json)


if __name__ == '__main__':
    main()
