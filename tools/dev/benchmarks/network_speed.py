"""Time of networks alone, beside MMPose's and the machine's own rate:

python tools/dev/benchmarks/network_speed.py [--networks NAME ...] \\
    [--batches 1 4 16] [--ways fp32 channels_last bf16 compile onnx] \\
    [--repeats 7] [--json FILE]

Frames in, maps out; by ONNX Runtime pixels in, landmarks out. Weights are
random: the time does not depend on them. Freed memory is kept, as
tools/test.py does. What is compared takes turns, call by call, with a matrix
product among them, so that whatever else the machine does falls on all;
metrics are medians. GFLOP/s count convolutions and matrix products, one
multiply-add as two.
"""

import argparse
import tempfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

import mmpose
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from origin import Origin
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm
from turns import Call, median_seconds

from rednet_mm.apis import OnnxNetwork, TorchNetwork
from rednet_mm.apis.onnx_export import export_onnx
from rednet_mm.utils.bundled import NAME
from rednet_mm.utils.cli import atomic_dump, check_suffix, report_user_errors
from rednet_mm.utils.memory import keep_freed_memory

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
BASELINES = Path(mmpose.__path__[0]) / '.mim' / 'configs' / 'face_2d_keypoint'
BASELINES /= 'topdown_heatmap'

# Side of the matrices whose product tells the machine's rate.
MATRIX = 2048


@dataclass(frozen=True)
class Network:
    """A config, and what differs from it in backbone and head.

    Attributes:
        path (Path): The config.
        depth (int, optional): Of the ResNet.
        steps (tuple, optional): Of the head; None leaves the config's.
    """

    path: Path
    depth: Optional[int] = None
    steps: Optional[tuple[str, ...]] = None

    def config(self) -> Config:
        """The config with the changes in it."""
        cfg = Config.fromfile(self.path)
        if self.depth:
            code = 512 if self.depth < 50 else 2048
            cfg.model.backbone.depth = self.depth
            cfg.model.neck.in_channels = code
            cfg.model.identity_head.in_channels = code // 2
        if self.steps:
            cfg.model.head.steps = self.steps
        return cfg


RESNET, VGG = (
    CONFIGS / 'rednet_resnet_300vw.py',
    CONFIGS / 'rednet_vgg_300vw.py',
)

NETWORKS = {
    'RED-Net small': Network(CONFIGS / f'{NAME}.py'),
    'RED-Net ResNet-18': Network(RESNET, 18),
    'RED-Net ResNet-18, one step': Network(RESNET, 18, ('reg',)),
    'RED-Net ResNet-50': Network(RESNET, 50),
    'RED-Net ResNet-50, one step': Network(RESNET, 50, ('reg',)),
    'RED-Net ResNet-152': Network(RESNET, 152),
    'RED-Net ResNet-152, one step': Network(RESNET, 152, ('reg',)),
    'RED-Net VGG-16': Network(VGG),
    'RED-Net VGG-16, one step': Network(VGG, steps=('reg',)),
    'MMPose td-hm_res50': Network(
        BASELINES
        / 'coco_wholebody_face'
        / 'td-hm_res50_8xb32-60e_coco-wholebody-face-256x256.py'
    ),
    'MMPose td-hm_hrnetv2-w18': Network(
        BASELINES / '300w' / 'td-hm_hrnetv2-w18_8xb64-60e_300w-256x256.py'
    ),
}

WAYS = ('fp32', 'channels_last', 'bf16', 'compile', 'onnx')


def build(cfg: Config) -> nn.Module:
    """A network in eval mode."""
    init_default_scope('mmpose')
    cfg.model.backbone.pop('init_cfg', None)
    return MODELS.build(cfg.model).eval()


def operations(cfg: Config) -> float:
    """Floating-point operations of one frame."""
    width, height = cfg.codec.input_size
    counter = FlopCounterMode(display=False)
    # oneDNN's LSTM is one operation that the counter does not know.
    with (
        FakeTensorMode(),
        torch.no_grad(),
        torch.backends.mkldnn.flags(enabled=False),
    ):
        model = build(cfg)
        with counter:
            model(torch.empty(1, 3, height, width), None, mode='tensor')
    return float(counter.get_total_flops())


def by_pytorch(cfg: Config, batch: int, way: str) -> Call:
    """A call of the network on random frames."""
    width, height = cfg.codec.input_size
    model, frames = build(cfg), torch.randn(batch, 3, height, width)
    if way != 'fp32':
        model = model.to(memory_format=torch.channels_last)
        frames = frames.contiguous(memory_format=torch.channels_last)
    run: Call = lambda: model(frames, None, mode='tensor')  # noqa: E731
    if way == 'compile':
        torch._dynamo.config.allow_rnn = True
        run = torch.compile(run)

    def call() -> None:
        half = torch.autocast('cpu', torch.bfloat16)
        with torch.inference_mode(), half if way == 'bf16' else nullcontext():
            run()

    return call


def by_onnx(cfg: Config, batch: int, folder: Path, threads: int) -> Call:
    """The same network as a file, run by ONNX Runtime."""
    weights, file = folder / 'weights.pth', folder / 'network.onnx'
    torch.save(dict(state_dict=build(cfg).state_dict()), weights)
    export_onnx(TorchNetwork(cfg, str(weights)), str(file), 'random weights')
    network = OnnxNetwork(str(file), threads)
    width, height = network.input_size
    rng = np.random.default_rng(0)
    crops = rng.integers(256, size=(batch, height, width, 3), dtype=np.uint8)
    return lambda: network.run(crops, [None] * batch)


def product() -> Call:
    """A matrix product, the fastest thing that a processor does."""
    matrix = torch.randn(MATRIX, MATRIX)
    return lambda: matrix @ matrix


def measure(
    name: str, args: argparse.Namespace, folder: Path
) -> list[dict[str, Any]]:
    """All batches and ways of a network, a row each."""
    cfg = NETWORKS[name].config()
    ours = cfg.model.type == 'RecurrentPoseEstimator'
    work, rows = operations(cfg), []
    for batch in args.batches:
        calls: dict[str, Call] = {'product': product()}
        for way in args.ways:
            if way != 'onnx':
                calls[way] = by_pytorch(cfg, batch, way)
            elif ours:
                calls[way] = by_onnx(cfg, batch, folder, args.threads)
        seconds = median_seconds(calls, args.repeats)
        rate = 2 * MATRIX**3 / seconds.pop('product')
        for way, each in seconds.items():
            reached = batch * work / each
            rows.append(
                dict(
                    network=name,
                    batch=batch,
                    way=way,
                    ms_a_frame=1e3 * each / batch,
                    gflops_a_frame=work / 1e9,
                    gflop_rate=reached / 1e9,
                    product_rate=rate / 1e9,
                    share=reached / rate,
                )
            )
    return rows


def as_markdown(rows: list[dict[str, Any]], about: str) -> str:
    """A line a row, its share being of the product's rate in fp32."""
    lines = [
        about,
        '',
        '| network | batch | way | ms a frame | GFLOP a frame | GFLOP/s | '
        'of the matrix product |',
        '|---|---|---|---|---|---|---|',
    ]
    form = (
        '| {network} | {batch} | {way} | {ms_a_frame:.1f} | '
        '{gflops_a_frame:.1f} | {gflop_rate:.0f} | {share:.0%} |'
    )
    lines += [form.format(**row) for row in rows]
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--networks', nargs='+', default=list(NETWORKS), choices=list(NETWORKS)
    )
    parser.add_argument('--batches', nargs='+', type=int, default=[1, 4, 16])
    parser.add_argument(
        '--ways', nargs='+', default=['fp32', 'channels_last'], choices=WAYS
    )
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument(
        '--threads', type=int, default=torch.get_num_threads(), help='of each'
    )
    parser.add_argument('--json', metavar='FILE', help='also write it here')
    args = parser.parse_args()
    with report_user_errors():
        run(args)


def run(args: argparse.Namespace) -> None:
    check_suffix('--json', args.json, '.json')
    keep_freed_memory()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    origin = Origin.here()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in tqdm(args.networks, disable=None):
            rows += measure(name, args, Path(folder))
    about = f'{origin}; medians of {args.repeats} calls in turns.'
    print(as_markdown(rows, about))
    if args.json:
        atomic_dump(dict(asdict(origin), rows=rows), args.json)


if __name__ == '__main__':
    main()
