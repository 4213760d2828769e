"""Measure our models and other methods on the same faces, as a page:

python tools/dev/benchmarks/results.py --baselines PYTHON \\
    --out docs/reports/results.md [--ours NAME=CONFIG,CHECKPOINT ...]
    [--work-dir work_dirs/results]

The bundled model and those of --ours (RED-Net or any of MMPose's) by
tools/test.py, dlib and MediaPipe by tools/dev/predict_baseline.py in the
environment whose interpreter is PYTHON (docs/baselines.md), then
tools/evaluate.py, on

* data/300w and data/ytfaces, the parts for validation
  (docs/reports/real_faces.md);
* data/clips_300w, videos of the images of the first
  (tools/dataset/make_clips.py).

The bundled one on videos also with boxes out of the landmarks of the frame
before, and every RED-Net on the images with boxes that are off
(tools/analysis_tools/box_robustness.py).

Milliseconds: median of the time for a face alone, in turns of ten. What is
there and newer than its checkpoint is not done again; all that evaluate.py
says, differences and other norms too, stays in the folder of work.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from network_speed import by_pytorch
from origin import Origin
from turns import Call, in_turns

from rednet_mm.apis import bundled_network
from rednet_mm.evaluation import read_dump
from rednet_mm.utils.bundled import bundled_model
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.io import atomic_write
from rednet_mm.utils.markdown import replace_section

TOOLS = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Faces:
    """A converted data set.

    Attributes:
        title (str): On the page.
        root (str): Its folder.
        file (str): Its annotations.
        video (bool): Whether it is measured in tracking too, and its metrics
            over time mean anything.
    """

    title: str
    root: str
    file: str
    video: bool = False

    @property
    def json(self) -> str:
        return f'{self.root}/annotations/{self.file}'


DATA = {
    '300w': Faces(
        '300-W, validation part: 147 faces, keypoints by hand',
        'data/300w',
        '300w_val.json',
    ),
    'ytfaces': Faces(
        'YouTube Faces, validation subjects: 428 frames, keypoints by a '
        'detector',
        'data/ytfaces',
        'csv_val.json',
    ),
    'clips': Faces(
        'Videos of the 147 images of 300-W: 4,410 frames, exact motion',
        'data/clips_300w',
        'csv_val.json',
        video=True,
    ),
}

BASELINES = {'dlib': 'dlib 68', 'mediapipe': 'MediaPipe FaceMesh'}

# Calls by which the time is measured, and how many of them in a row: a system
# at work finds its own data in the caches.
TIMED, IN_A_ROW = 100, 10

# What of tools/evaluate.py's page is shown.
SHOWN = ('Error of landmarks', 'Stability over time')

# All that stands behind it on the page is written by this command.
MARK = '<!-- From here on: written by tools/dev/benchmarks/results.py -->'


@dataclass(frozen=True)
class Model:
    """A network that tools/test.py tests."""

    name: str
    config: str
    checkpoint: str

    @property
    def file_name(self) -> str:
        return self.name.replace(' ', '_')

    @property
    def is_rednet(self) -> bool:
        kind = Config.fromfile(self.config).model.type
        return bool(kind == 'RecurrentPoseEstimator')


def models(args: argparse.Namespace) -> list[Model]:
    """The bundled one, and those of the command line.

    Raises:
        UserError: if one is not NAME=CONFIG,CHECKPOINT.
    """
    bundled = bundled_model()
    found = [
        Model('RED-Net bundled', str(bundled.config), str(bundled.weights))
    ]
    for word in args.ours:
        name, _, files = word.partition('=')
        config, comma, checkpoint = files.partition(',')
        if not comma:
            raise UserError(f'--ours {word}: write NAME=CONFIG,CHECKPOINT')
        found.append(Model(name, config, checkpoint))
    return found


def run(*command: str) -> str:
    """What a command printed.

    Raises:
        UserError: if it failed.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise UserError(f'{shlex.join(command)} failed; see above')
    return done.stdout


def of_checkpoint(model: Model, path: Path) -> bool:
    """Whether a file is there that was made with this checkpoint."""
    newest = Path(model.checkpoint).stat().st_mtime
    return path.is_file() and path.stat().st_mtime >= newest


def on_data(key: str) -> list[str]:
    """Options of our tools: which data set."""
    data = 'test_dataloader.dataset'
    return [
        '--cfg-options',
        f'{data}.type=VideoClipDataset',
        f'{data}.data_root={DATA[key].root}/',
        f'{data}.ann_file=annotations/{DATA[key].file}',
    ]


def dump_of(
    model: Model, key: str, folder: Path, boxes: str = 'truth'
) -> Path:
    """Predictions of a model on a data set, made where they are missing."""
    suffix = '' if boxes == 'truth' else f'_{boxes}'
    path = folder / f'{model.file_name}_{key}{suffix}.npz'
    if not of_checkpoint(model, path):
        run(
            *(sys.executable, str(TOOLS / 'test.py')),
            *(model.config, model.checkpoint, '--dump', str(path)),
            *('--boxes', boxes, '--work-dir', str(folder / 'test')),
            *on_data(key),
        )
    return path


def boxes_of(model: Model, key: str, folder: Path) -> list[dict]:
    """Tables of boxes that are off, made where they are missing."""
    out = folder / f'{model.file_name}_{key}_boxes'
    path = out / 'box_robustness.json'
    if not of_checkpoint(model, path):
        run(
            *(sys.executable, str(TOOLS / 'analysis_tools/box_robustness.py')),
            *(model.config, model.checkpoint, '--out', str(out)),
            *('--detector', 'default', *on_data(key)),
        )
    return json.loads(path.read_text())['tables']


def box_table(key: str, args: argparse.Namespace) -> str:
    """Errors and failures of every RED-Net, box by box."""
    ours = [each for each in models(args) if each.is_rednet]
    columns = []
    for model in ours:
        shift, scale, detector = boxes_of(model, key, args.work_dir)
        columns.append([*shift['rows'], *scale['rows'], *detector['rows'][1:]])
    first, *_ = columns
    heads = [f'{each.name}: error | failures > 10 %' for each in ours]
    lines = [f'| box | {" | ".join(heads)} |', '|---' * (2 * len(ours) + 1)]
    lines[1] += '|'
    for number in range(len(first)):
        cells = []
        for rows in columns:
            row = rows[number]
            cells += [row['NME (%)'], row['failure > 10 (%)']]
        told = ' | '.join(f'{cell:.2f}' for cell in cells)
        lines.append(f'| {box_name(first[number])} | {told} |')
    return '\n'.join(lines)


def box_name(row: dict) -> str:
    """Of a row of tools/analysis_tools/box_robustness.py."""
    if 'shift (sides)' in row:
        return f'moved by {row["shift (sides)"]} of its side'
    if 'scale' in row:
        return f'{row["scale"]} times as large'
    return f'{row["box of"]}'


def predictions_of(baseline: str, key: str, args: argparse.Namespace) -> Path:
    """Predictions of another system, made where they are missing."""
    path: Path = args.work_dir / f'{baseline}_{key}.json'
    if not path.is_file():
        tool = str(TOOLS / 'dev/predict_baseline.py')
        run(
            args.baselines,
            tool,
            '--baseline',
            baseline,
            DATA[key].json,
            '--out',
            str(path),
        )
    return path


def tables(key: str, args: argparse.Namespace) -> str:
    """What tools/evaluate.py says of all systems on a data set."""
    ours = [
        f'{each.name}={dump_of(each, key, args.work_dir)}'
        for each in models(args)
    ]
    if DATA[key].video:
        bundled, *_ = models(args)
        tracked = dump_of(bundled, key, args.work_dir, 'tracking')
        ours.append(f'{bundled.name}, tracked={tracked}')
    baselines = [
        f'{name}={predictions_of(baseline, key, args)}'
        for baseline, name in BASELINES.items()
    ]
    parts = []
    for points in ('68', '51'):
        out = args.work_dir / f'{key}_{points}'
        command = [*ours, '--predictions', *baselines]
        command += ['--annotations', DATA[key].json, '--points', points]
        command += ['--out', str(out), '--format', 'markdown']
        if not DATA[key].video:
            command.append('--no-smooth')
        run(sys.executable, str(TOOLS / 'evaluate.py'), *command)
        parts += shown((out / 'evaluation.md').read_text(), points)
    return '\n\n'.join(parts)


def shown(text: str, points: str) -> list[str]:
    """The sections of a page of tools/evaluate.py that are shown.

    Args:
        text (str): The page.
        points (str): How many, for the headings.
    """
    found = []
    for section in text.split('### ')[1:]:
        title, _, rest = section.partition('\n')
        if title in SHOWN:
            found.append(f'### {title}, {points} points\n\n{rest.strip()}')
    return found


def commits(args: argparse.Namespace) -> str:
    """Of the code that made the predictions of ours."""
    known = {
        read_dump(
            str(dump_of(each, key, args.work_dir)), each.name
        ).provenance.get('commit')
        for each in models(args)
        for key in DATA
    }
    return ' and '.join(sorted(filter(None, known)))


def speeds(args: argparse.Namespace) -> str:
    """Milliseconds of a face, and megabytes of what is needed for it."""
    bundled = bundled_network()
    width, height = bundled.input_size
    crop = np.zeros((1, height, width, 3), np.uint8)
    calls: dict[str, Call] = {
        'RED-Net bundled, ONNX Runtime': lambda: bundled.run(crop, [None])
    }
    megabytes = {}
    for model in models(args):
        name = f'{model.name}, PyTorch'
        cfg = Config.fromfile(model.config)
        calls[name] = by_pytorch(cfg, 1, 'channels_last')
        megabytes[name] = Path(model.checkpoint).stat().st_size / 1e6
    seconds = in_turns(calls, TIMED // IN_A_ROW, in_a_row=IN_A_ROW)
    lines = ['| system | ms a face | MB of its file |', '|---|---|---|']
    for name, times in seconds.items():
        size = f'{megabytes[name]:.1f}' if name in megabytes else '-'
        each = 1e3 * statistics.median(times)
        lines.append(f'| {name} | {each:.1f} | {size} |')
    for baseline, name in BASELINES.items():
        found = json.loads(predictions_of(baseline, '300w', args).read_text())
        each = statistics.median(frame['ms'] for frame in found['frames'])
        size = found['about']['megabytes']
        lines.append(f'| {name}, with its crop | {each:.1f} | {size} |')
    return '\n'.join(lines)


def page(args: argparse.Namespace) -> str:
    """All of it, as Markdown."""
    ours = ''.join(
        f'* {each.name}: `{each.config}`, `{each.checkpoint}`\n'
        for each in models(args)[1:]
    )
    parts = [
        f'## {data.title}\n\n{tables(key, args)}' for key, data in DATA.items()
    ]
    return (
        f'{Origin.here()}. Predictions of ours by commit {commits(args)}.\n\n'
        f'{ours}\n'
        + '\n\n'.join(parts)
        + '\n\n## Boxes that are off, images of 300-W\n\n'
        + 'Moved boxes: mean over eight directions. The detector: its own '
        + 'boxes; faces that it did not find are failures, and left out of '
        + f'the error.\n\n{box_table("300w", args)}'
        + '\n\n## Time and size\n\nOne face, the network alone; medians of '
        + f'{TIMED} calls, in turns of {IN_A_ROW}. The other two systems: '
        + 'medians over the images, in their own process.\n\n'
        + f'{speeds(args)}\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--baselines',
        required=True,
        help='the interpreter of their environment',
    )
    parser.add_argument(
        '--ours', nargs='+', default=[], metavar='NAME=CONFIG,CHECKPOINT'
    )
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/results')
    )
    parser.add_argument(
        '--out', type=Path, required=True, help=f'page with the line {MARK}'
    )
    args = parser.parse_args()
    with report_user_errors():
        replace_section(
            args.out, MARK, ''
        )  # says what is wrong, before the work
        args.work_dir.mkdir(parents=True, exist_ok=True)
        text = page(args)
        content = replace_section(args.out, MARK, text)
        with atomic_write(args.out) as part:
            part.write_text(content)
    print(text)


if __name__ == '__main__':
    main()
