"""Spoil checkpoints and trainings, and see what comes of it:

python tools/dev/reliability/faults.py WORK_DIR

Checkpoints of a small network are damaged in many ways, drawn with --seed,
and given to everything that loads one; pickles that would write a file are
hidden in some. Then the command lines get the same, and trainings learn so
fast that their loss becomes infinite. A fault is survived where the sentence
for it comes, or where exactly the right weights are loaded, and nothing ran.
The counts go to WORK_DIR/reliability/faults.json.
"""

import argparse
import contextlib
import copy
import io
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from attacks import CONTAINERS, attacks, left_behind, works
from damage import DAMAGES
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmpose.registry import MODELS
from mmpose.utils import register_all_modules
from rows import Row, write_rows
from torch import nn
from tqdm import tqdm

from rednet_mm.apis import TorchNetwork
from rednet_mm.utils.checkpoint import check_checkpoint
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.errors import UserError

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / 'configs' / 'rednet_r18_tiny300vw.py'

# Damage that nobody can notice in a file without checksums.
UNNOTICED = 'bytes turned, form of torch 1.5'

# What other networks have instead, as options of the config.
OTHERS: tuple[dict[str, Any], ...] = (
    {'model.backbone.depth': 34},
    {'model.backbone.base_channels': 16, 'model.neck.in_channels': 128},
    {'model.backbone.feedback': 'input'},
    {'model.head.num_keypoints': 98},
    {'model.backbone.depth': 50, 'model.neck.in_channels': 256},
)

# A word each: {config}, {checkpoint}, {out} is a folder.
COMMANDS = {
    'train.py --resume': 'train.py {config} --resume {checkpoint} '
    '--work-dir {out}',
    'train.py, load_from': 'train.py {config} --work-dir {out} '
    '--cfg-options load_from={checkpoint}',
    'test.py': 'test.py {config} {checkpoint} --work-dir {out}',
    'track_video.py': 'track_video.py {video} --config {config} '
    '--checkpoint {checkpoint} --json {out}/tracked.json',
    'export_onnx.py': 'export_onnx.py {config} {checkpoint} {out}/net.onnx',
    'MMPoseInferencer': '',
}
INFERENCER = (
    'import sys; from mmpose.apis import MMPoseInferencer; '
    'MMPoseInferencer(pose2d=sys.argv[1], pose2d_weights=sys.argv[2], '
    'det_model="whole_image", device="cpu")'
)
# What the command lines get; the others are alike on the way to the loader.
GIVEN_TO_COMMANDS = (
    'cut short',
    'bits turned',
    'all weights renamed',
    'NaN or infinite weights',
    'no dictionary',
)


class Bench:
    """A small network, its checkpoint, and a folder.

    Args:
        folder (Path): Where everything goes.
        seed (int): Of the damage.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        self.ran = folder / 'ran'
        self.ran.mkdir()
        self.path = folder / 'checkpoint.pth'
        cfg = Config.fromfile(CONFIG)
        cfg.merge_from_dict(
            {
                'model.backbone.base_channels': 8,
                'model.backbone.init_cfg': None,
                'model.neck.in_channels': 64,
                'model.identity_head.in_channels': 32,
            }
        )
        self.config = str(folder / 'config.py')
        cfg.dump(self.config)
        self.cfg = cfg
        torch.manual_seed(seed)
        model = MODELS.build(cfg.model)
        model.init_weights()
        self.whole = dict(
            meta=dict(epoch=1, iter=4),
            state_dict=model.state_dict(),
            message_hub=dict(log_scalars={}, runtime_info={}),
        )
        self.network = MODELS.build(cfg.model)
        self.fresh = copy.deepcopy(self.network.state_dict())

    def other(self, options: dict[str, Any]) -> dict:
        """The checkpoint of another network."""
        cfg = copy.deepcopy(self.cfg)
        cfg.merge_from_dict(options)
        return dict(state_dict=MODELS.build(cfg.model).state_dict())

    def exploding(self, data: Path, factor: float) -> str:
        """A config whose learning rate is multiplied after an epoch."""
        cfg = copy.deepcopy(self.cfg)
        for each in ('train', 'val', 'test'):
            loader = cfg[f'{each}_dataloader']
            loader.dataset.data_root = str(data)
            loader.update(num_workers=0, persistent_workers=False)
        cfg.train_dataloader.dataset.clips_per_video = 2
        cfg.train_cfg.max_epochs = 3
        cfg.param_scheduler = [
            dict(type='MultiStepLR', milestones=[1], gamma=factor)
        ]
        path = str(self.folder / 'exploding.py')
        cfg.dump(path)
        return path

    def loaders(self) -> Iterator[Callable[[], nn.Module]]:
        """Everything that loads; each gives the network it loaded into.

        What only checks has the file loaded by torch afterwards.
        """
        path = str(self.path)

        def checked(purpose: str) -> nn.Module:
            check_checkpoint(self.network, path, purpose)
            weights = torch.load(path, weights_only=True)
            weights = weights.get('state_dict', weights)
            self.network.load_state_dict(weights, strict=False)
            return self.network

        def by_mmengine() -> nn.Module:
            load_checkpoint(self.network, path, logger='silent')
            return self.network

        for purpose in ('load', 'test', 'resume'):
            yield partial(checked, purpose)
        yield by_mmengine
        yield lambda: TorchNetwork(self.config, path).model

    def outcome(self, load: Callable[[], nn.Module]) -> str:
        """What a loader made of the file.

        Returns:
            str: ``'refused'``, ``'right'``, ``'other weights'``, or what was
            wrong.
        """
        self.network.load_state_dict(self.fresh)
        try:
            # MMEngine says what it loads.
            with contextlib.redirect_stdout(io.StringIO()):
                loaded = load()
        except UserError as error:
            sentence = str(error)
            if str(self.path) not in sentence or '\n' in sentence:
                return f'not a sentence: {sentence}'
            if not _same(self.network.state_dict(), self.fresh):
                return 'refused when half of it was loaded'
            return 'refused'
        except Exception as error:
            return f'{type(error).__name__}: {error}'
        if _same(loaded.state_dict(), self.whole['state_dict']):
            return 'right'
        return 'other weights'

    def row(self, fault: str, good: set[str], files: Iterator[str]) -> Row:
        """Give files, one after the other, to all loaders.

        Args:
            fault (str): What is wrong with them.
            good (set[str]): Outcomes that are survived.
            files (Iterator[str]): The next file is there when its name comes.
        """
        counts: dict[str, int] = {}
        lost: list[str] = []
        for name in files:
            for load in self.loaders():
                found = self.outcome(load)
                if left_behind(self.ran):
                    found = 'code ran'
                counts[found] = counts.get(found, 0) + 1
                if found not in good:
                    lost.append(f'{name}: {found}')
        for each in lost:
            tqdm.write(f'lost: {fault}, {each}'[:300])
        said = ', '.join(
            f'{counts[known]:,} {known}'
            for known in ('refused', 'right', 'other weights')
            if known in counts
        )
        total = sum(counts.values())
        return Row(
            'checkpoint, 5 loaders',
            fault,
            total,
            total - len(lost),
            len(lost),
            said,
        )

    # -- files ---------------------------------------------------------------

    def damaged(self, fault: str, times: int) -> Iterator[str]:
        """Files with one kind of damage."""
        for number in range(times):
            DAMAGES[fault](self.rng, self.whole, self.path)
            yield f'number {number}'

    def others(self) -> Iterator[str]:
        """Checkpoints of other networks."""
        for options in OTHERS:
            torch.save(self.other(options), self.path)
            yield str(options)

    def attacked(self) -> Iterator[str]:
        """Checkpoints with each attack in each kind of file."""
        for name, attack in attacks(self.ran).items():
            if not works(attack, self.ran):
                raise RuntimeError(f'the attack {name} does nothing')
            for container, write in CONTAINERS.items():
                write(attack, self.whole, self.path)
                yield f'{name} in {container}'


def _same(ours: dict, theirs: dict) -> bool:
    """Whether all weights are equal; counters of batches do not matter."""
    return all(
        torch.equal(value, theirs[name])
        for name, value in ours.items()
        if not name.endswith('num_batches_tracked')
    )


def checkpoint_rows(bench: Bench, times: int) -> list[Row]:
    """All kinds of damage, given to all loaders."""
    rows = [bench.row('code in the pickle', {'refused'}, bench.attacked())]
    rows.append(bench.row('another network', {'refused'}, bench.others()))
    for fault in tqdm(DAMAGES, 'damage', disable=None):
        good = {'refused', 'right'}
        if fault == UNNOTICED:
            good.add('other weights')
        rows.append(bench.row(fault, good, bench.damaged(fault, times)))
    return rows


# -- command lines -----------------------------------------------------------


def run(words: list[str]) -> tuple[int, str]:
    """Status and standard error of a command of this project."""
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS='ignore'),
        timeout=600,
    )
    return done.returncode, done.stderr


def command_row(bench: Bench, name: str) -> Row:
    """A command with every kind of file that cannot be loaded."""
    attack = attacks(bench.ran)['os.system']
    files: dict[str, Callable[[], Any]] = {
        fault: partial(next, bench.damaged(fault, 1))
        for fault in GIVEN_TO_COMMANDS
    }
    for kind in list(CONTAINERS)[:3]:
        write = CONTAINERS[kind]
        files[kind] = partial(write, attack, bench.whole, bench.path)
    files['another network'] = partial(
        torch.save, bench.other(OTHERS[0]), bench.path
    )
    survived = 0
    for kind, spoil in files.items():
        spoil()
        out = bench.folder / 'out'
        words = COMMANDS[name].format(
            config=bench.config,
            checkpoint=bench.path,
            out=out,
            video=bench.folder / 'video.mp4',
        )
        if words:
            script, *rest = words.split()
            status, said = run([str(ROOT / 'tools' / script), *rest])
            fine = status == 2 and 'Traceback' not in said
            start = f'error: {bench.path} '
        else:
            # A library: the sentence stands under a trace.
            status, said = run(
                ['-c', INFERENCER, bench.config, str(bench.path)]
            )
            fine = status == 1
            start = f'rednet_mm.utils.errors.UserError: {bench.path} '
        last = said.strip().splitlines()[-1] if said.strip() else ''
        fine = fine and last.startswith(start) and not left_behind(bench.ran)
        survived += fine
        if not fine:
            tqdm.write(f'lost: {name}, {kind}, status {status}: {last}')
    return Row(
        name,
        'checkpoint that cannot be loaded',
        len(files),
        survived,
        len(files) - survived,
        'one sentence that names the file, no output, nothing ran',
    )


# -- trainings ---------------------------------------------------------------


def training_row(bench: Bench, factors: list[float]) -> Row:
    """Trainings whose learning rate is multiplied after the first epoch."""
    data = bench.folder / 'data'
    make = ROOT / 'data_converters'
    source = bench.folder / 'source'
    convert = [str(make / 'convert_300vw.py'), str(source), str(data)]
    convert += ['--protocol', 'csv', '--subjects', f'{source}/subjects.csv']
    for words in ([str(make / 'make_tiny_300vw.py'), str(source)], convert):
        status, said = run(words)
        if status:
            raise UserError(f'no data to train on: {said.strip()}')
    survived = 0
    for number, factor in enumerate(factors):
        work = bench.folder / f'training_{number}'
        config = bench.exploding(data, factor)
        words = [str(ROOT / 'tools' / 'train.py'), config]
        words += ['--work-dir', str(work), '--no-validate']
        words += ['--amp'] if number % 2 else []
        status, said = run(words)
        last = said.strip().splitlines()[-1] if said.strip() else ''
        kept = work / 'epoch_1.pth'
        fine = status == 2 and 'training was stopped' in last
        fine = fine and f'{kept} is sound' in last and '.jpg' in last
        if fine:
            check_checkpoint(bench.network, str(kept), 'resume')
            fine = [path.name for path in work.glob('*.pth')] == [kept.name]
        survived += fine
        if not fine:
            tqdm.write(f'lost: training x {factor}, status {status}: {last}')
    return Row(
        'training',
        'loss or gradient NaN or infinite',
        len(factors),
        survived,
        len(factors) - survived,
        'stops before the step, names files, epoch and iteration; the '
        'checkpoint before is sound and the last; half with --amp',
    )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Spoil checkpoints')
    parser.add_argument('work_dir', help='gets reliability/faults.json')
    parser.add_argument('--times', type=int, default=20, help='each damage')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    started = time.monotonic()
    register_all_modules()
    with report_user_errors(), tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args.seed)
        rows = checkpoint_rows(bench, args.times)
        rows += [
            command_row(bench, name)
            for name in tqdm(COMMANDS, 'commands', disable=None)
        ]
        rows.append(training_row(bench, [1e6, 1e12, 1e20, 1e30]))
        path = write_rows(args.work_dir, 'faults', rows, args.seed, started)
    for row in rows:
        print(f'{row.part}, {row.fault}: {row.survived} of {row.injected}')
    print(f'written: {path}')
    sys.exit(any(row.lost for row in rows))


if __name__ == '__main__':
    main()
