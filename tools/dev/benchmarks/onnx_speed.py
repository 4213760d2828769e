"""Time of a frame by PyTorch and by ONNX Runtime, as Markdown:

python tools/dev/benchmarks/onnx_speed.py [--config FILE] [--faces 1 2 4] \\
    [--threads 2] [--compile] [--json FILE]

Weights are random: the time does not depend on them. What is compared takes
turns of ten frames, so that whatever else the machine does falls on all;
states are carried as in a video. What cuts out the faces is not in it. Beside
each median stands the quickest frame, which other work disturbs least.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from origin import Origin
from training_step import add_config_arguments, read_config
from turns import in_turns

from rednet_mm.apis import FaceNetwork, OnnxNetwork, TorchNetwork
from rednet_mm.apis.onnx_export import export_onnx
from rednet_mm.utils.cli import atomic_dump, check_suffix, report_user_errors
from rednet_mm.utils.errors import UserError

# Frames before the clock runs: memory is laid out, code compiled.
WARM_UP = 3

# Frames of a turn: as in a video, a network follows upon itself.
IN_A_ROW = 10


class Video:
    """Frames of random pixels for one network, its states carried.

    Args:
        network (FaceNetwork): Takes them.
        faces (int): In each frame.
    """

    def __init__(self, network: FaceNetwork[Any], faces: int) -> None:
        width, height = network.input_size
        rng = np.random.default_rng(0)
        shape = (faces, height, width, 3)
        self.network = network
        self.crops = rng.integers(256, size=shape, dtype=np.uint8)
        self.states: list[Any] = [None] * faces

    def step(self) -> None:
        """One frame."""
        _, self.states = self.network.run(self.crops, self.states)


def networks(
    cfg: Config, folder: Path, threads: int, compiled: bool
) -> dict[str, FaceNetwork[Any]]:
    """What is compared, by name; all with the same weights."""
    torch.manual_seed(0)
    weights, file = folder / 'weights.pth', folder / 'network.onnx'
    state = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=state), weights)
    found: dict[str, FaceNetwork[Any]] = {
        f'PyTorch {each}': TorchNetwork(cfg, str(weights), precision=each)
        for each in ('fp32', 'bf16')
    }
    export_onnx(TorchNetwork(cfg, str(weights)), str(file), 'random weights')
    found['ONNX Runtime'] = OnnxNetwork(str(file), threads)
    if compiled:
        torch._dynamo.config.allow_rnn = True
        for each in ('fp32', 'bf16'):
            network = TorchNetwork(cfg, str(weights), precision=each)
            unroll: Callable = torch.compile(network.model.unroll)
            network.model.unroll = unroll
            found[f'torch.compile {each}'] = network
    return found


def measure(
    compared: dict[str, FaceNetwork[Any]], faces: int, frames: int
) -> dict[str, dict[str, float]]:
    """Milliseconds of a frame of each network."""
    calls = {name: Video(each, faces).step for name, each in compared.items()}
    seconds = in_turns(
        calls, frames // IN_A_ROW, f'{faces} faces', WARM_UP, IN_A_ROW
    )
    return {
        name: dict(median=1e3 * statistics.median(each), least=1e3 * min(each))
        for name, each in seconds.items()
    }


def as_markdown(rows: dict[int, dict[str, dict]], about: str) -> str:
    """A line a network, a column a number of faces."""
    lines = [
        about,
        '',
        '| ms a frame, faces: | ' + ' | '.join(map(str, rows)) + ' |',
        '|---|' + '---|' * len(rows),
    ]
    for name in next(iter(rows.values())):
        cells = [
            '{median:.1f} ({least:.1f})'.format(**row[name])
            for row in rows.values()
        ]
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_config_arguments(parser, 'configs/rednet_r18_faces.py')
    parser.add_argument('--faces', nargs='+', type=int, default=[1, 2, 4])
    parser.add_argument(
        '--frames', type=int, default=100, help=f'whole {IN_A_ROW}s'
    )
    parser.add_argument(
        '--threads', type=int, default=torch.get_num_threads(), help='of each'
    )
    parser.add_argument(
        '--compile', action='store_true', help='torch.compile as well: minutes'
    )
    parser.add_argument('--json', metavar='FILE', help='also write it here')
    args = parser.parse_args()
    with report_user_errors():
        run(args)


def run(args: argparse.Namespace) -> None:
    check_suffix('--json', args.json, '.json')
    if args.frames < IN_A_ROW:
        raise UserError(f'--frames {args.frames}: {IN_A_ROW} or more')
    torch.set_num_threads(args.threads)
    cfg = read_config(args)
    origin = Origin.here(onnxruntime=version('onnxruntime'))
    with tempfile.TemporaryDirectory() as folder:
        compared = networks(cfg, Path(folder), args.threads, args.compile)
        rows = {
            faces: measure(compared, faces, args.frames)
            for faces in args.faces
        }
    width, height = cfg.codec.input_size
    about = (
        f'{origin}. Crops of {width} x {height}; medians of {args.frames} '
        f'frames in turns of {IN_A_ROW}, in brackets the quickest.'
    )
    print(as_markdown(rows, about))
    if args.json:
        atomic_dump(dict(asdict(origin), rows=rows), args.json)


if __name__ == '__main__':
    main()
