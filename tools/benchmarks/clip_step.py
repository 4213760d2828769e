"""Time and peak memory of a training step on clips:

python tools/benchmarks/clip_step.py [--clips 5] [--frames 10] [--config FILE]
"""

import argparse
import resource
import statistics
import time

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

import rednet_mm  # noqa: F401
from rednet_mm.engine.launch import describe_run, existing_config


def frame_sample(size: int) -> PoseDataSample:
    """Marks at random places of the input, as a dataloader ships them."""
    labels = InstanceData()
    labels.keypoint_labels = torch.rand(1, 68, 2) * (size - 1)
    labels.keypoint_weights = torch.ones(1, 68)
    sample = PoseDataSample(gt_instance_labels=labels)
    sample.set_metainfo(dict(subject_label=0))
    return sample


def peak_gib() -> float:
    """The most memory the process has had, of the GPU where one is used."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--config', default='configs/rednet_r18_ytfaces.py')
    parser.add_argument('--clips', type=int, default=5, help='B')
    parser.add_argument('--frames', type=int, default=10, help='T')
    parser.add_argument('--repeats', type=int, default=3)
    args = parser.parse_args()
    cfg = Config.fromfile(existing_config(args.config))
    init_default_scope(cfg.default_scope)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters())
    width, height = cfg.codec.input_size
    clips = torch.randn(
        args.clips, args.frames, 3, height, width, device=device
    )
    samples = [
        frame_sample(width).to(device) for _ in range(args.clips * args.frames)
    ]
    before, seconds = peak_gib(), []
    for _ in range(args.repeats + 1):
        start = time.perf_counter()
        losses = model(clips, samples, mode='loss')
        sum(losses.values()).backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == 'cuda':
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    about = ', '.join(f'{k} {v}' for k, v in describe_run().items())
    median = statistics.median(seconds[1:])
    print(f'{args.config}, {args.clips} clips x {args.frames} frames of')
    print(f'{width}x{height}; {about}')
    print(
        f'median of {args.repeats} steps after one: {median:.2f} s, ', end=''
    )
    print(f'{args.clips * args.frames / median:.1f} frames a second')
    print(f'peak memory {peak_gib():.2f} GiB, {before:.2f} before the first')


if __name__ == '__main__':
    main()
