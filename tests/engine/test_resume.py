"""A training that is stopped and resumed ends as one that was not.

Everything that can differ is in it: augmentation drawn in data workers from
three generators, dropout, batch norm, an average of the weights, bfloat16,
schedules by iteration, by epoch and by what validation says.
"""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.fileio import get_file_backend
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from rednet_mm.engine.hooks import checkpoint_hook
from rednet_mm.engine.hooks.checkpoint_hook import latest_complete_checkpoint
from rednet_mm.engine.seeding import EpochSeedHook
from rednet_mm.utils.checkpoint import read_checkpoint

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'dev' / 'reliability'))

from integrity import STATES, differences  # noqa: E402

RUNTIME = ROOT / 'configs' / '_base_' / 'default_runtime.py'
NUMBER = itertools.count()
EPOCHS = 3
BEST = 'best_toy_score_epoch_2.pth'


class Noisy(Dataset):
    """12 samples, disturbed by draws from three generators."""

    metainfo: dict = {}

    def __len__(self):
        return 12

    def __getitem__(self, index):
        noise = np.random.normal(size=8) + random.random()
        x = torch.rand(8) + torch.from_numpy(noise).float() + index
        return dict(x=x, y=x.sum())


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.6)
        )
        self.last = nn.Linear(8, 1)

    def forward(self, x, y, mode='tensor'):
        if mode == 'predict':
            return [1.0]
        out = self.last(self.layers(torch.stack(list(x)))).squeeze(1)
        return dict(loss=(out - torch.stack(list(y))).square().mean())


class Score(BaseMetric):
    """0 after the first epoch, best after the second, 1 after the third."""

    default_prefix = 'toy'
    scores = {1: 0.0, 2: 2.0, 3: 1.0}
    runner: Runner

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(score=self.scores[self.runner.epoch])


class Killed(BaseException):
    """What no program catches."""


class Stop(Hook):
    """Ends a run in the second epoch or its validation."""

    priority = 'HIGHEST'

    def __init__(self, where: str | None) -> None:
        self.where = where

    def after_train_iter(self, runner, *_, **__):
        if self.where == 'training' and runner.iter == 4:
            raise Killed

    def before_val_epoch(self, runner):
        if self.where == 'validation' and runner.epoch == 2:
            raise Killed
        if self.where == 'any validation':
            raise Killed


def build(work_dir, resume=None, stop=None, workers=0) -> Runner:
    # What configs have by default.
    hooks = Config.fromfile(RUNTIME).default_hooks
    del hooks['visualization']
    hooks.checkpoint.update(save_best='toy/score', rule='greater')
    metric = Score()
    # Runner seeds before it builds a model, but this one is built.
    torch.manual_seed(7)
    runner = Runner(
        model=Net(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Noisy(),
            batch_size=4,
            num_workers=workers,
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS),
        val_dataloader=dict(
            dataset=Noisy(),
            batch_size=12,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        val_cfg=dict(),
        val_evaluator=Evaluator(metric),
        optim_wrapper=dict(
            type='BFloat16OptimWrapper',
            optimizer=dict(type='AdamW', lr=0.01),
        ),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, end=4, by_epoch=False),
            dict(type='CosineAnnealingLR', T_max=EPOCHS, by_epoch=True),
            # Every validation that is not the best halves the rate.
            dict(
                type='ReduceOnPlateauLR',
                monitor='toy/score',
                rule='greater',
                patience=0,
                factor=0.5,
            ),
        ],
        default_hooks=hooks,
        custom_hooks=[dict(type='EMAHook'), Stop(stop)],
        load_from=resume,
        resume=resume is not None,
        randomness=dict(seed=7),
        default_scope='mmpose',
        experiment_name=f'resume_{next(NUMBER)}',
        log_level='WARNING',
    )
    metric.runner = runner
    return runner


def train(work_dir, **settings) -> dict:
    build(work_dir, **settings).train()
    return read_checkpoint(str(work_dir / f'epoch_{EPOCHS}.pth'))


def stop_and_resume(work_dir, where, **settings) -> dict:
    with pytest.raises(Killed):
        build(work_dir, stop=where, **settings).train()
    latest = latest_complete_checkpoint(str(work_dir))
    reached = 1 if where == 'training' else 2
    assert Path(latest).name == f'epoch_{reached}.pth'
    return train(work_dir, resume=latest, **settings)


@pytest.mark.parametrize('workers', [0, 2])
def test_a_resumed_training_ends_as_an_unbroken_one(tmp_path, workers):
    whole = train(tmp_path / 'whole', workers=workers)
    for where in ('training', 'validation'):
        folder = tmp_path / where
        resumed = stop_and_resume(folder, where, workers=workers)
        for part in STATES:
            assert differences(whole[part], resumed[part], part) == []
        # The best is that of epoch 2, also where its validation was lost.
        names = sorted(path.name for path in folder.glob('*.pth'))
        assert names == [
            'best_toy_score_epoch_2.pth',
            'epoch_2.pth',
            'epoch_3.pth',
        ]
        best = [
            read_checkpoint(str(tmp_path / each / BEST))['state_dict']
            for each in ('whole', where)
        ]
        assert differences(*best, 'best') == []
        info = resumed['message_hub']['runtime_info']
        assert info['best_score'] == 2


def test_what_is_complete_is_not_validated_again(tmp_path):
    train(tmp_path)
    latest = latest_complete_checkpoint(str(tmp_path))
    # Would end with Killed.
    again = build(tmp_path, resume=latest)
    again.register_hook(Stop('any validation'))
    again.train()


def test_without_the_hook_it_does_not(tmp_path, monkeypatch):
    # What is compared above differs as soon as an epoch is not seeded.
    monkeypatch.setattr(EpochSeedHook, 'before_train_epoch', lambda *_: None)
    whole = train(tmp_path / 'whole')
    resumed = stop_and_resume(tmp_path / 'stopped', 'training')
    assert 'state_dict.last.weight' in differences(
        whole['state_dict'], resumed['state_dict'], 'state_dict'
    )


@pytest.mark.parametrize(
    ('iteration', 'living', 'warning'),
    [
        (6, False, None),
        (6, True, 'persistent_workers=True'),
        # Epoch 2 begins with iteration 6.
        (7, False, 'resumed at iteration 7'),
    ],
)
def test_what_cannot_be_resumed_exactly_is_said(iteration, living, warning):
    said: list[str] = []
    loader = DataLoader(
        Noisy(), 4, num_workers=int(living), persistent_workers=living
    )
    runner = SimpleNamespace(
        train_dataloader=loader,
        epoch=2,
        iter=iteration,
        logger=SimpleNamespace(warning=said.append),
    )
    EpochSeedHook().before_train(runner)
    assert len(said) == (warning is not None)
    assert not warning or warning in said[0]


class Seen(Hook):
    """Collects what the network is shown."""

    def __init__(self):
        self.batches = []

    def before_train_iter(self, runner, batch_idx, data_batch):
        self.batches.append(torch.stack(list(data_batch['x'])))


@pytest.mark.parametrize('workers', [0, 1])
def test_no_epoch_repeats_the_noise_of_another(tmp_path, workers):
    runner, seen = build(tmp_path, workers=workers), Seen()
    runner.register_hook(seen)
    runner.train()
    # Without the noise what is left is the index, the same for all 8.
    spread = [(x - x.mean(1, keepdim=True)).flatten() for x in seen.batches]
    assert len(spread) == 9
    for one, two in itertools.combinations(spread, 2):
        assert not torch.allclose(one, two)


# -- what is on the disk ----------------------------------------------------


def noted(work_dir, *epochs):
    for epoch in epochs:
        torch.save(dict(state_dict={}), work_dir / f'epoch_{epoch}.pth')
    (work_dir / 'last_checkpoint').write_text(
        str(work_dir / f'epoch_{epochs[-1]}.pth')
    )


def test_a_torn_checkpoint_is_passed_over(tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(
        checkpoint_hook, 'print_log', lambda *a: said.append(a[0])
    )
    noted(tmp_path, 2, 9, 10)
    assert latest_complete_checkpoint(str(tmp_path)).endswith('epoch_10.pth')
    torn = tmp_path / 'epoch_10.pth'
    torn.write_bytes(torn.read_bytes()[:100])
    # The newest by number, not by name.
    assert latest_complete_checkpoint(str(tmp_path)).endswith('epoch_9.pth')
    assert len(said) == 1 and 'epoch_10.pth is not a whole' in said[0]


@pytest.mark.parametrize('note', ['', 'epo', '/nowhere/epoch_3.pth'])
def test_a_damaged_note_is_no_obstacle(tmp_path, note):
    noted(tmp_path, 1, 2)
    (tmp_path / 'best_face_NME_epoch_5.pth').touch()
    (tmp_path / 'last_checkpoint').write_text(note)
    assert latest_complete_checkpoint(str(tmp_path)).endswith('epoch_2.pth')


def test_nothing_whole_is_one_sentence(tmp_path):
    assert latest_complete_checkpoint(str(tmp_path)) is None
    (tmp_path / 'epoch_1.pth').touch()
    assert latest_complete_checkpoint(str(tmp_path)) is None
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    with pytest.raises(ValueError, match='no whole checkpoint to resume'):
        latest_complete_checkpoint(str(tmp_path))


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    path.write_text('before')

    def full(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('os.fsync', full)
    with pytest.raises(ValueError, match='epoch_1.pth cannot be written'):
        get_file_backend(backend_args=dict(backend='whole')).put(b'x', path)
    assert path.read_text() == 'before'
    assert not list(tmp_path.glob('*.part'))


def test_the_old_goes_when_the_new_is_there(tmp_path, monkeypatch):
    runner = build(tmp_path, workers=0)
    (hook,) = (h for h in runner.hooks if hasattr(h, 'save_best'))
    hook.max_keep_ckpts = 1
    saved = []

    def save(*arguments, **_):
        saved.append(sorted(path.name for path in tmp_path.glob('*.pth')))
        return original(*arguments, **_)

    original = runner.save_checkpoint
    monkeypatch.setattr(runner, 'save_checkpoint', save)
    runner.train()
    assert all(saved[1:]) and not saved[0]
    # Epoch 1, its best; when 2 is saved 1 is still there.
    assert (
        'epoch_1.pth' in saved[3] and 'best_toy_score_epoch_1.pth' in saved[4]
    )
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == [
        BEST,
        'epoch_3.pth',
    ]
