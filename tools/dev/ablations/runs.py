"""Which trainings and tests the rows need, each once."""

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

from rednet_mm.engine.stages import (
    Stage,
    final_checkpoint,
    read_stages,
    stage_config,
    training_command,
)
from rednet_mm.utils.bundled import resources

from .paper import CLAIMS, CURVES, TABLES
from .scheduler import Job

ABLATIONS = Path(__file__).resolve().parents[3] / 'configs' / 'ablations'

# Predictions and figures of a run's test, in its folder.
DUMP, RESULT = 'predictions.npz', 'test.json'


def all_ablations(left_out: Sequence[str] = ()) -> list[Path]:
    """The configs of all rows, curves and claims, images before videos."""
    names = [row[1] for table in TABLES.values() for row in table['rows']]
    names = sorted(names, key=lambda name: name.endswith('300vw'))
    names = sorted(names, key=lambda name: name.startswith('table8'))
    names += CURVES.values()
    for claim in CLAIMS:
        names += [claim.better, claim.other]
    wanted = [name for name in dict.fromkeys(names) if name not in left_out]
    return [ABLATIONS / f'{name}.py' for name in wanted]


def ablation_stages(
    path: Path, scale: Optional[dict[str, Any]], seed: Optional[int]
) -> list[Stage]:
    """An ablation's chain of trainings at a scale; None: its own seed."""
    stages = read_stages(str(path), scale)
    if seed is None:
        return stages
    for stage in stages:
        stage.cfg.randomness.seed = seed
    return [Stage(stage.path, stage.cfg, True) for stage in stages]


def run_key(stages: Sequence[Stage]) -> str:
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


class Runs:
    """All runs of some ablations, with a folder for each.

    Rows whose settings are the same share a run, and so do rows that go on
    from the same training.

    Args:
        out (Path): Their folders are in ``runs``.
        paths (Sequence[Path]): Configs of the ablations.
        scale (dict, optional): See :mod:`rednet_mm.engine.scaling`.
        seeds (Sequence[int], optional): None: that of each config.
    """

    def __init__(
        self,
        out: Path,
        paths: Sequence[Path],
        scale: Optional[dict[str, Any]] = None,
        seeds: Optional[Sequence[int]] = None,
    ) -> None:
        self.out = out
        each_seed: Sequence[Optional[int]] = seeds or [None]
        self.rows: dict[str, list[list[Stage]]] = {
            path.stem: [
                ablation_stages(path, scale, seed) for seed in each_seed
            ]
            for path in paths
        }
        self._folders: dict[str, Path] = {}
        for folder in sorted((out / 'runs').glob('*-*')):
            self._folders.setdefault(folder.name.rpartition('-')[2], folder)

    def folder(self, stages: Sequence[Stage]) -> Path:
        """Where a chain's last training is; one folder for equal settings."""
        key, last = run_key(stages), stages[-1]
        name = f'{Path(last.path).stem}-seed{last.cfg.randomness.seed}-{key}'
        return self._folders.setdefault(key, self.out / 'runs' / name)

    def tested(self, row: str) -> list[list[Stage]]:
        """The chains of a row that have been tested."""
        return [
            stages
            for stages in self.rows.get(row, [])
            if (self.folder(stages) / DUMP).exists()
            and (self.folder(stages) / RESULT).exists()
        ]

    def jobs(self, gpus: int = 0) -> list[Job]:
        """What is still to be done: all rows of one seed, then the next.

        Args:
            gpus (int): For each training; 0: one process.
        """
        jobs: dict[str, Job] = {}
        for chains in zip(*self.rows.values()):
            for stages in chains:
                for job in self._jobs_of(stages, gpus):
                    jobs.setdefault(job.name, job)
        return [job for job in jobs.values() if not job.done()]

    def _jobs_of(self, stages: list[Stage], gpus: int) -> Iterator[Job]:
        before: Optional[Job] = None
        for last in range(1, len(stages) + 1):
            before = self._training(stages[:last], before, gpus)
            yield before
        assert before is not None
        yield self._test(stages, before)

    def _training(
        self, stages: list[Stage], before: Optional[Job], gpus: int
    ) -> Job:
        folder, stage = self.folder(stages), stages[-1]

        def command() -> list[str]:
            start = None
            if len(stages) > 1:
                start = self._checkpoint(stages[:-1])
            return training_command(stage, str(folder), start, gpus)

        return Job(
            name=f'train {folder.name}',
            command=command,
            log=folder / 'output.log',
            needs=(before.name,) if before else (),
            cost=stage.cfg.train_cfg.max_epochs
            * len(stage.cfg.model.head.steps),
            done=lambda: self._checkpoint(stages) is not None,
        )

    def _checkpoint(self, stages: list[Stage]) -> Optional[str]:
        return final_checkpoint(stages[-1].cfg, str(self.folder(stages)))

    def _test(self, stages: list[Stage], training: Job) -> Job:
        folder, stage = self.folder(stages), stages[-1]

        def command() -> list[str]:
            checkpoint = self._checkpoint(stages)
            assert checkpoint is not None
            return [
                sys.executable,
                str(resources() / 'tools' / 'test.py'),
                stage_config(stage, str(folder)),
                checkpoint,
                '--work-dir',
                str(folder / 'test'),
                '--out',
                str(folder / RESULT),
                '--dump',
                str(folder / DUMP),
            ]

        return Job(
            name=f'test {folder.name}',
            command=command,
            log=folder / 'output.log',
            needs=(training.name,),
            # A test takes about a tenth of an epoch.
            cost=0.1 * len(stage.cfg.model.head.steps),
            done=lambda: (folder / RESULT).exists(),
        )
