"""Train and test ablations, and write the paper's tables with the results:

python tools/ablation.py [CONFIG ...] --scale SCALE.py --out FOLDER
"""

import argparse
import copy
import csv
import hashlib
import json
import statistics
import subprocess
import sys
import time
from math import isfinite
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

import rednet_mm  # noqa: F401
from rednet_mm.engine.launch import (
    describe_run,
    dump_whole,
    one_sentence_errors,
)
from rednet_mm.engine.scaling import read_scale
from rednet_mm.engine.stages import (
    TOOLS,
    Stage,
    final_checkpoint,
    read_stages,
    train_stage,
)
from rednet_mm.errors import UserError
from rednet_mm.evaluation import FaceLandmarkMetric, compare, read_dump
from rednet_mm.evaluation.comparison import COVERAGE, Comparison

ABLATIONS = Path(__file__).resolve().parents[1] / 'configs' / 'ablations'

FULL = ('face/NME', 'face/NME_std', 'face/failure_rate')
COMMON = tuple(name.replace('/', '/common/') for name in FULL)
CHALLENGING = tuple(name.replace('/', '/challenging/') for name in FULL)

# The paper's tables: head, columns (title, figure), and rows (label, config,
# the paper's figures in the order of the columns).
TABLES: dict[str, dict[str, Any]] = {
    'Table 5': dict(
        about='the two networks on images (the paper: AFLW), then on videos '
        '(300-VW)',
        columns=[
            ('Mean (%)', FULL[0]),
            ('Std (%)', FULL[1]),
            ('Time (ms)', 'ms'),
            ('Memory (Mb)', 'mb'),
        ],
        rows=[
            ('VGGNet-based', 'table5_vgg_aflw', (6.85, 4.52, 43.6, 184)),
            ('ResNet-based', 'table5_resnet_aflw', (6.33, 3.61, 54.9, 257)),
            ('VGGNet-based', 'table5_vgg_300vw', (5.16, 2.57, 42.5, 184)),
            ('ResNet-based', 'table5_resnet_300vw', (4.75, 2.10, 56.2, 257)),
        ],
    ),
    'Table 6': dict(
        about='recurrence in space, on images (the paper: AFLW)',
        columns=[
            ('Common error (%)', COMMON[0]),
            ('Common failure (%)', COMMON[2]),
            ('Challenging error (%)', CHALLENGING[0]),
            ('Challenging failure (%)', CHALLENGING[2]),
        ],
        rows=[
            (
                'One-shot detection',
                'table6_oneshot_det',
                (6.05, 4.62, 8.14, 12.4),
            ),
            (
                'One-shot regression',
                'table6_oneshot_reg',
                (5.92, 4.75, 7.87, 14.5),
            ),
            (
                'Recurrent det. & det.',
                'table6_det_det',
                (5.86, 3.44, 7.33, 8.20),
            ),
            (
                'Recurrent det. & reg.',
                'table6_det_reg',
                (5.71, 3.30, 6.97, 8.75),
            ),
        ],
    ),
    'Table 7': dict(
        about='cascade and recurrence, challenging images (the paper: AFLW)',
        columns=[
            ('Mean (%)', CHALLENGING[0]),
            ('Std (%)', CHALLENGING[1]),
            ('Memory (Mb)', 'mb'),
        ],
        rows=[
            ('Cascade det. & reg.', 'table7_cascade', (6.81, 4.53, 468)),
            ('Recurrent det. & reg.', 'table7_recurrent', (6.33, 3.61, 257)),
        ],
    ),
    'Table 8': dict(
        about='recurrence over time, on videos (the paper: 300-VW)',
        columns=[
            (f'{group} {title}', figure)
            for group, figures in (
                ('Common', COMMON),
                ('Challenging', CHALLENGING),
                ('Full', FULL),
            )
            for title, figure in zip(
                ('mean (%)', 'std (%)', 'failure (%)'), figures
            )
        ],
        rows=[
            (
                'without',
                'table8_without_recurrence',
                (4.52, 2.24, 3.48, 6.27, 5.33, 13.3, 5.83, 3.42, 6.43),
            ),
            (
                'with',
                'table8_with_recurrence',
                (4.21, 1.85, 1.71, 5.64, 3.28, 5.40, 5.25, 2.15, 2.82),
            ),
        ],
    ),
}
# The two curves of Figure 9. The paper draws them; in words it says 0.84
# with and 0.80 without for the left eye after 10 epochs, and 9 % in all.
CURVES = {
    'with identity': 'figure9_with_identity',
    'without identity': 'figure9_without_identity',
}
PARTS = (
    'contour',
    'brows',
    'nose',
    'left_eye',
    'right_eye',
    'mouth',
    'all',
)


# Predictions of a run's test, in its folder.
DUMP = 'predictions.npz'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train and test ablations, write the paper's tables; the "
        'same command goes on where it stopped'
    )
    parser.add_argument(
        'configs',
        nargs='*',
        type=Path,
        help='which of configs/ablations (default: all)',
    )
    parser.add_argument(
        '--scale', help='smaller experiments: a file of ablations/scales'
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='folder of runs and tables'
    )
    parser.add_argument(
        '--gpus', type=int, default=0, help='how many GPUs; 0: one process'
    )
    parser.add_argument(
        '--tables-only',
        action='store_true',
        help='train nothing, write the tables of what is there',
    )
    parser.add_argument('--seed', type=int, help='other than the configs')
    return parser.parse_args()


def all_ablations() -> list[Path]:
    """The configs of all rows and curves, images before videos."""
    names = [row[1] for table in TABLES.values() for row in table['rows']]
    names = sorted(names, key=lambda name: name.endswith('300vw'))
    names = sorted(names, key=lambda name: name.startswith('table8'))
    return [ABLATIONS / f'{name}.py' for name in [*names, *CURVES.values()]]


def run_key(stages: list[Stage]) -> str:
    """Short digest of everything that decides a training's result."""
    content = []
    for stage in stages:
        settings = stage.cfg.to_dict()
        for name in ('stage', 'work_dir', 'run_info'):
            settings.pop(name, None)
        if settings['model'].get('identity_head') is None:
            settings['model'].pop('identity_head', None)
        content.append(settings)
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_folder(out: Path, stages: list[Stage]) -> Path:
    """Where a chain's last training is; one folder for equal settings."""
    key = run_key(stages)
    there = sorted((out / 'runs').glob(f'*-{key}'))
    return (
        there[0]
        if there
        else (out / 'runs' / f'{Path(stages[-1].path).stem}-{key}')
    )


def ablation_stages(
    path: Path, scale: Optional[dict[str, Any]], seed: Optional[int]
) -> list[Stage]:
    """An ablation's chain of trainings at a scale."""
    stages = read_stages(str(path), scale)
    if seed is None:
        return stages
    for stage in stages:
        stage.cfg.randomness.seed = seed
    return [Stage(stage.path, stage.cfg, True) for stage in stages]


def train_chain(out: Path, stages: list[Stage], gpus: int) -> str:
    """Train what is not trained yet; the last stage's checkpoint."""
    checkpoint = None
    for last in range(1, len(stages) + 1):
        folder = run_folder(out, stages[:last])
        stage = stages[last - 1]
        if not final_checkpoint(stage.cfg, str(folder)):
            print(f'   training {stage.path} in {folder}', flush=True)
        checkpoint = train_stage(stage, str(folder), checkpoint, gpus)
    assert checkpoint is not None
    return checkpoint


def test_run(stage: Stage, folder: Path, checkpoint: str) -> None:
    """Measure the last checkpoint, once."""
    result = folder / 'test.json'
    if result.exists():
        return
    config = folder / 'scaled' / Path(stage.path).name
    command = [
        sys.executable,
        str(TOOLS / 'test.py'),
        str(config if stage.changed else stage.path),
        checkpoint,
        '--work-dir',
        str(folder / 'test'),
        '--out',
        str(result),
        '--dump',
        str(folder / DUMP),
    ]
    if subprocess.run(command).returncode:
        raise UserError(f'the test of {checkpoint} failed; see above')


def measure_network(cfg: Config) -> dict[str, float]:
    """Megabytes of the weights, and milliseconds a frame at batch 1.

    The identity head, which no test needs, does not count. The time is the
    median of ten calls of ``step``, after three.
    """
    init_default_scope('mmpose')
    settings = copy.deepcopy(cfg.model)
    settings.pop('identity_head', None)
    settings.backbone.pop('init_cfg', None)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = MODELS.build(settings).to(device).eval()
    width, height = cfg.codec.input_size
    frame = torch.rand(1, 3, height, width, device=device)
    state, seconds = None, []
    with torch.no_grad():
        for _ in range(13):
            start = time.perf_counter()
            _, state = model.step(frame, state)
            if device == 'cuda':
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return dict(mb=weights / 1e6, ms=1e3 * statistics.median(seconds[3:]))


def read_figures(out: Path, stages: list[Stage]) -> dict[str, float]:
    """What a run's test and its network give; empty before it is tested."""
    result = run_folder(out, stages) / 'test.json'
    if not result.exists():
        return {}
    cached = run_folder(out, stages) / 'network.json'
    if not cached.exists():
        dump_whole(measure_network(stages[-1].cfg), str(cached))
    return {
        **json.loads(result.read_text()),
        **json.loads(cached.read_text()),
    }


def read_comparison(out: Path, stages: list[Stage]) -> Optional[Comparison]:
    """A run's predictions by the protocol of its config, with intervals.

    None before it is tested, and where the test was one of before there were
    dumps: remove its ``test.json``, and the same command makes one.
    """
    folder = run_folder(out, stages)
    if not (folder / 'test.json').exists() or not (folder / DUMP).exists():
        return None
    evaluators = stages[-1].cfg.test_evaluator
    if not isinstance(evaluators, (list, tuple)):
        evaluators = [evaluators]
    (settings,) = [e for e in evaluators if e.type == 'FaceLandmarkMetric']
    records = read_dump(str(folder / DUMP), Path(stages[-1].path).stem)
    metric = FaceLandmarkMetric(
        **{key: value for key, value in settings.items() if key != 'type'}
    )
    return compare([records], metric.protocol(records))


def interval_of(comparison: Optional[Comparison], figure: str) -> str:
    """The interval of a figure of FaceLandmarkMetric; '' where unknown."""
    *group, name = figure.split('/')[1:]
    if comparison is None:
        return ''
    if name == 'failure_rate':
        name = 'failure_rate@10'
    found = comparison.figure(0, name, *group)
    known = isfinite(found.low) and isfinite(found.high)
    return f' [{found.low:.2f}, {found.high:.2f}]' if known else ''


def table_lines(
    name: str,
    figures: dict[str, dict[str, float]],
    comparisons: dict[str, Optional[Comparison]],
) -> list[str]:
    """A table in the paper's form: our figure, and the paper's in brackets."""
    table = TABLES[name]
    titles = [title for title, _ in table['columns']]
    lines = [
        f'### {name}: {table["about"]}',
        '',
        '| | ' + ' | '.join(titles) + ' | config |',
        '| --- |' + ' --- |' * (1 + len(titles)),
    ]
    protocols = {}
    for label, config, paper in table['rows']:
        ours, comparison = figures.get(config, {}), comparisons.get(config)
        if comparison:
            protocols[comparison.protocol.sentence()] = comparison.samples
        cells = []
        for (_, figure), given in zip(table['columns'], paper):
            own = '-'
            if figure in ours:
                own = f'{ours[figure]:.2f}'
                if figure.startswith('face/'):
                    own += interval_of(comparison, figure)
            cells.append(f'{own} ({given})')
        lines.append(f'| {label} | ' + ' | '.join(cells) + f' | `{config}` |')
    for sentence, samples in protocols.items():
        lines += [
            '',
            f'*{sentence}. In square brackets: {COVERAGE} % bootstrap '
            f'intervals over videos, or images of stills ({samples} '
            'samples).*',
        ]
    return [*lines, '']


def read_curve(folder: Path) -> dict[int, dict[str, float]]:
    """Validation figures of the response maps by epoch."""
    curve = {}
    for log in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in log.read_text().splitlines():
            record = json.loads(line)
            if 'map/accuracy/all' in record:
                curve[int(record['step'])] = record
    return curve


def figure_lines(curves: dict[str, dict[int, dict[str, float]]]) -> list[str]:
    """Figure 9 as a table: accuracy and F1 by component and epoch."""
    lines = [
        '### Figure 9: pixels of the response maps classified right',
        '',
        'Accuracy / F1 in %, by facial component. The paper: left eye 84 with '
        'identity and 80 without after 10 epochs, about 9 % more in the end.',
        '',
        '| | epoch | ' + ' | '.join(PARTS) + ' |',
        '| --- | --- |' + ' --- |' * len(PARTS),
    ]
    for label, curve in curves.items():
        for epoch, record in sorted(curve.items()):
            cells = [
                f'{record[f"map/accuracy/{part}"]:.2f} / '
                f'{record[f"map/f1/{part}"]:.1f}'
                for part in PARTS
            ]
            lines.append(f'| {label} | {epoch} | ' + ' | '.join(cells) + ' |')
        if not curve:
            lines.append(f'| {label} | -' + ' | -' * len(PARTS) + ' |')
    return [*lines, '']


def draw_figure(
    curves: dict[str, dict[int, dict[str, float]]], path: Path
) -> None:
    """Figure 9 as a picture and as numbers beside it."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(PARTS), figsize=(21, 6), sharex=True)
    with path.with_suffix('.csv').open('w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(['curve', 'epoch', 'part', 'accuracy', 'f1'])
        for label, curve in curves.items():
            epochs = sorted(curve)
            for column, part in enumerate(PARTS):
                for row, kind in enumerate(('accuracy', 'f1')):
                    values = [curve[e][f'map/{kind}/{part}'] for e in epochs]
                    axes[row, column].plot(epochs, values, label=label)
                    axes[row, column].set_title(f'{part}, {kind} (%)')
                for epoch in epochs:
                    record = curve[epoch]
                    writer.writerow(
                        [
                            label,
                            epoch,
                            part,
                            record[f'map/accuracy/{part}'],
                            record[f'map/f1/{part}'],
                        ]
                    )
    axes[0, 0].legend()
    for axis in axes[1]:
        axis.set_xlabel('epoch')
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def write_tables(out: Path, chains: dict[str, list[Stage]], about: str) -> str:
    """All tables of what is there, as Markdown in ``out/tables.md``."""
    figures = {
        name: read_figures(out, stages) for name, stages in chains.items()
    }
    comparisons = {
        name: read_comparison(out, stages) for name, stages in chains.items()
    }
    lines = [about, '']
    for name, table in TABLES.items():
        if any(config in chains for _, config, _ in table['rows']):
            lines += table_lines(name, figures, comparisons)
    if any(config in chains for config in CURVES.values()):
        curves = {
            label: read_curve(run_folder(out, chains[config]))
            for label, config in CURVES.items()
            if config in chains
        }
        lines += figure_lines(curves)
        draw_figure(curves, out / 'figure9.png')
    text = '\n'.join(lines)
    (out / 'tables.md').write_text(text)
    return text


def describe(args: argparse.Namespace, chains: dict[str, list[Stage]]) -> str:
    """What the tables were made with, and how to read them."""
    sets, seeds = [], set()
    for stages in chains.values():
        for stage in stages:
            seeds.add(stage.cfg.randomness.seed)
            sets.append(
                stage.cfg.val_dataloader.dataset.data_root
                + stage.cfg.val_dataloader.dataset.ann_file
            )
    about = ', '.join(f'{k} {v}' for k, v in describe_run().items())
    words = ' '.join(str(word) for word in sys.argv[1:])
    return (
        f'Written by `python tools/ablation.py {words}`: scale '
        f'`{args.scale or "of the paper"}`, tested on '
        f'{", ".join(f"`{each}`" for each in sorted(set(sets)))}, seed '
        f'{", ".join(map(str, sorted(seeds)))}, {about}. The first figure of '
        "a cell is ours, the paper's is in brackets. Memory: megabytes of "
        'the weights in float32. Time: one frame, one call.'
    )


def main() -> None:
    args = parse_args()
    with one_sentence_errors('interrupted; the same command goes on'):
        scale = read_scale(args.scale) if args.scale else None
        paths = args.configs or all_ablations()
        chains = {
            path.stem: ablation_stages(path, scale, args.seed)
            for path in paths
        }
        args.out.mkdir(parents=True, exist_ok=True)
        for number, (name, stages) in enumerate(chains.items(), 1):
            if args.tables_only:
                break
            print(f'== {number} of {len(chains)}: {name}', flush=True)
            checkpoint = train_chain(args.out, stages, args.gpus)
            test_run(stages[-1], run_folder(args.out, stages), checkpoint)
            write_tables(args.out, chains, describe(args, chains))
        print(write_tables(args.out, chains, describe(args, chains)))
        print(f'written: {args.out / "tables.md"}')


if __name__ == '__main__':
    main()
