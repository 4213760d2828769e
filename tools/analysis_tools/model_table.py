"""Write sizes, parameters and multiply-adds of the networks as Markdown:

python tools/analysis_tools/model_table.py [--out TABLE.md]

Nothing is computed and no memory is taken for weights: the networks of the
stage 3 configs run on fake tensors.
"""

import argparse
import copy
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, Iterable, Optional

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.env import run_environment

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'

# Name: config, and what differs from it in the backbone.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    'VGG-16': ('rednet_vgg_300vw.py', {}),
    'ResNet-18': ('rednet_resnet_300vw.py', dict(depth=18)),
    'ResNet-50': ('rednet_resnet_300vw.py', dict(depth=50)),
    'ResNet-152': ('rednet_resnet_300vw.py', {}),
}

# What the paper says: section 4.1 (millions), Tables 5 and 7 ("Mb").
PAPER_ENCODER = {'VGG-16': '14.8'}
PAPER_MEMORY = {'VGG-16': '184', 'ResNet-152': '257'}
PAPER_CASCADE = {'ResNet-152': '468'}

PARTS = ('encoder', 'decoder', 'skips', 'feedback', 'neck', 'head', 'identity')


def build(
    name: str,
    feedback: Optional[str] = 'stem',
    steps: tuple[str, ...] = ('det', 'reg'),
    cascade: bool = False,
) -> nn.Module:
    """A network of ``NETWORKS`` in eval mode, under the caller's mode.

    Args:
        name (str): A key of ``NETWORKS``.
        feedback (str, optional): As for the backbones.
        steps (tuple[str]): As for the head.
        cascade (bool): As for the estimator.
    """
    file, changes = NETWORKS[name]
    cfg = Config.fromfile(CONFIGS / file)
    init_default_scope(cfg.default_scope)
    model = copy.deepcopy(cfg.model)
    model.backbone.update(changes, feedback=feedback, num_steps=len(steps))
    # Basic blocks are four times narrower than bottleneck units.
    code = 512 if name in ('VGG-16', 'ResNet-18') else 2048
    model.neck.update(in_channels=code, num_steps=len(steps))
    model.head.steps = steps
    model.identity_head.in_channels = code // 2
    return MODELS.build(dict(model, cascade=cascade)).eval()


def part_of(parameter: str) -> str:
    """Which of ``PARTS`` a parameter of the estimator belongs to."""
    top, _, rest = parameter.partition('.')
    if top != 'backbone':
        return {'identity_head': 'identity'}.get(top, top)
    for start, part in (
        ('up', 'decoder'),
        ('skip', 'skips'),
        ('feedback_unit', 'feedback'),
    ):
        if rest.startswith(start):
            return part
    return 'encoder'


def count_parts(model: nn.Module) -> Counter[str]:
    """Parameters by part."""
    counts: Counter[str] = Counter()
    for name, value in model.named_parameters():
        counts[part_of(name)] += value.numel()
    return counts


def count_networks(model: nn.Module) -> int:
    """Parameters of encoder-decoders and necks, of all steps."""
    return sum(
        value.numel()
        for name, value in model.named_parameters()
        if name.split('.')[0]
        in ('backbone', 'neck', 'later_backbones', 'later_necks')
    )


def stages(backbone: Any) -> list[nn.Module]:
    """The layers that end the nine stages of Table 1 or 2, in order."""
    if hasattr(backbone, 'features'):
        down: list[nn.Module] = [
            m for m in backbone.features if isinstance(m, nn.MaxPool2d)
        ]
    else:
        down = [backbone.conv1]
        down += [getattr(backbone, f'layer{i}') for i in range(1, 5)]
    return down + [getattr(backbone, f'up{i}') for i in range(4, 0, -1)]


def run_frame(model: Any, size: int) -> tuple[list[str], float]:
    """One frame of ``size`` x ``size`` pixels through all steps.

    Returns:
        tuple: Channels and height of each stage's output in the last step
        and of the response maps, and the multiply-adds (convolutions and
        matrix products; half of what torch counts, which takes one
        multiply-add for two operations).
    """
    shapes: dict[int, str] = {}

    def note(place: int, output: Any) -> None:
        value = output[0] if isinstance(output, tuple) else output
        shapes[place] = f'{value.shape[1]} @ {value.shape[2]}'

    handles = [
        stage.register_forward_hook(
            lambda _, inputs, output, place=place: note(place, output)
        )
        for place, stage in enumerate(stages(model.backbone))
    ]
    counter = FlopCounterMode(display=False)
    # oneDNN's LSTM is one operation that the counter does not know.
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False), counter:
        outputs, _, _ = model.unroll(torch.empty(1, 1, 3, size, size))
    for handle in handles:
        handle.remove()
    note(len(handles), outputs[-1])
    return [shapes[place] for place in sorted(shapes)], (
        counter.get_total_flops() / 2
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a Markdown table."""
    head = list(head)
    lines = [head, ['---'] * len(head), *rows]
    return [f'| {" | ".join(line)} |' for line in lines]


def millions(count: float) -> str:
    return f'{count / 1e6:.2f}'


def megabytes(count: float) -> str:
    """Of so many float32 numbers, in 10^6 bytes."""
    return f'{4 * count / 1e6:.1f}'


def as_markdown(
    names: Iterable[str] = tuple(NETWORKS), size: int = 256
) -> str:
    """The four tables.

    Args:
        names (Iterable[str]): Keys of ``NETWORKS``.
        size (int): Side of the input in pixels, a multiple of 32.
    """
    shapes, parts, sizes, works = [], [], [], []
    for name in names:
        with FakeTensorMode(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            model = build(name)
            counts = count_parts(model)
            row, stem = run_frame(model, size)
            shared = build(name, 'input')
            _, whole = run_frame(shared, size)
            _, once = run_frame(build(name, None, ('reg',)), size)
            one = count_networks(shared)
            both = count_networks(build(name, 'input', cascade=True))
        total = counts.total() - counts['identity']
        shapes.append([name, *row])
        parts.append(
            [
                name,
                *(millions(counts[p]) if counts[p] else '-' for p in PARTS),
                PAPER_ENCODER.get(name, '-'),
            ]
        )
        sizes.append(
            [
                name,
                millions(total),
                megabytes(total),
                f'{4 * total / 2**20:.1f}',
                PAPER_MEMORY.get(name, '-'),
                millions(one),
                millions(both),
                megabytes(both),
                f'{both / one:.3f}',
                PAPER_CASCADE.get(name, '-'),
            ]
        )
        works.append([name, *(f'{n / 1e9:.2f}' for n in (once, stem, whole))])
    stage_names = [
        f'{a}{i} / {c}{i}'
        for a, c, order in (('A', 'C', range(5)), ('B', 'D', range(4, 0, -1)))
        for i in order
    ]
    lines = [
        'Written by `python tools/analysis_tools/model_table.py`, commit '
        f'{run_environment()["commit"]}. Input {size} x {size}, float32. The '
        'networks are those of the stage 3 configs: steps det and reg, '
        'feedback `stem` where nothing else is said, recurrence over time.',
        '',
        '### Output of each stage',
        '',
        'Channels @ side in pixels. A and B are the stages of VGG (behind '
        'the pooling), C and D those of ResNet.',
        '',
        *table(['network', *stage_names, 'maps'], shapes),
        '',
        '### Parameters, in millions',
        '',
        'The identity head (90 subjects) is for training only.',
        '',
        *table(
            [
                'network',
                *PARTS[:3],
                'feedback unit',
                *PARTS[4:6],
                'identity head',
                "paper's encoder",
            ],
            parts,
        ),
        '',
        '### Size of the model',
        '',
        'Total: all parts but the identity head. MB are 10^6 bytes, MiB '
        '2^20. Cascade: the same two steps with unshared weights; its '
        'columns and `one network` have feedback `input`, so that both of '
        'its networks are of one form, and leave out the last 1x1 '
        'convolutions, of which either model has one a kind.',
        '',
        *table(
            [
                'network',
                'total, M',
                'MB',
                'MiB',
                "paper's Mb",
                'one network, M',
                'cascade, M',
                'cascade, MB',
                'cascade : one',
                "paper's cascade, Mb",
            ],
            sizes,
        ),
        '',
        '### Multiply-adds per frame, in 10^9',
        '',
        'One multiply-add is two floating-point operations (flops). '
        'Convolutions and matrix products are counted; norms, pooling, '
        'unpooling and resizing are not. One step: one-shot regression. The '
        'paper gives none.',
        '',
        *table(
            [
                'network',
                '1 step',
                '2 steps, feedback `stem`',
                '2 steps, feedback `input`',
            ],
            works,
        ),
    ]
    return '\n'.join(lines) + '\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, help='also write it here')
    args = parser.parse_args()
    with report_user_errors():
        text = as_markdown()
    print(text, end='')
    if args.out:
        args.out.write_text(text)


if __name__ == '__main__':
    main()
