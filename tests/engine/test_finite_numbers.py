"""A training stops at the first loss or gradient that is no number."""

from __future__ import annotations

import math

import pytest
import torch
from builders import random_samples
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn

from rednet_mm.engine.hooks.finite_numbers_hook import batch_names
from rednet_mm.utils.errors import UserError


class Files(torch.utils.data.Dataset):
    """Eight files, all ones; batches of two make epochs of four steps."""

    def __len__(self):
        return 8

    def __getitem__(self, place):
        sample = BaseDataElement(metainfo=dict(img_path=f'{place}.jpg'))
        return dict(inputs=torch.ones(1), data_samples=sample)


class Falling(BaseModel):
    """The loss is the weight itself until something happens to it."""

    def __init__(self, step, accident) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.step, self.accident, self.steps = step, accident, 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        self.steps += 1
        loss = self.weight.mean()
        if self.steps == self.step:
            loss = self.accident(loss)
        return dict(loss_weight=loss)


def train(work_dir, step, accident, **optim):
    """Two epochs at a learning rate of 0.1: each step takes 0.1 away."""
    runner = Runner(
        model=Falling(step, accident),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Files(),
            batch_size=2,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1), **optim),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        default_hooks=dict(
            finite_numbers=dict(type='FiniteNumbersHook'),
            run_record=dict(type='RunRecordHook'),
        ),
        experiment_name=work_dir.name,
    )
    try:
        runner.train()
    finally:
        weight = runner.model.weight.item()
    return runner, weight


ACCIDENTS = {
    'nan': (lambda loss: loss * math.nan, 'loss_weight is NaN'),
    'infinite': (lambda loss: loss / 0, 'loss_weight is infinite'),
    # sqrt(0) is 0; its slope is infinite.
    'gradient': (
        lambda loss: (loss - loss.detach()).sqrt(),
        'the gradient of weight is not finite',
    ),
}


@pytest.mark.parametrize('kind', ACCIDENTS)
@pytest.mark.parametrize('clip', [False, True], ids=['plain', 'clipped'])
def test_it_stops_before_the_step_and_names_the_batch(tmp_path, kind, clip):
    accident, words = ACCIDENTS[kind]
    optim = dict(clip_grad=dict(max_norm=5.0)) if clip else {}
    with pytest.raises(UserError) as stop:
        train(tmp_path, 6, accident, **optim)
    # The sixth step is the second of the second epoch: files 2 and 3.
    kept = tmp_path / 'epoch_1.pth'
    message = str(stop.value)
    assert message.startswith(f'{words} at epoch 2, iteration 2, ')
    assert f'{kept} is sound; its batch: 2.jpg, 3.jpg)' in message
    assert '\n' not in message
    # Four steps before the checkpoint: 1 - 4 * 0.1.
    saved = torch.load(kept, weights_only=True)
    assert saved['state_dict']['weight'].item() == pytest.approx(0.6)
    assert (tmp_path / 'last_checkpoint').read_text() == str(kept)
    assert sorted(tmp_path.glob('*.pth')) == [kept]


def test_no_checkpoint_was_written_yet(tmp_path):
    with pytest.raises(UserError, match='no checkpoint was written'):
        train(tmp_path, 1, ACCIDENTS['nan'][0])


def test_a_sound_training_goes_to_its_end(tmp_path):
    runner, weight = train(tmp_path, 0, None)
    # Eight steps.
    assert weight == pytest.approx(1 - 0.8)
    # Whoever trains on with the same model is not listened to any more.
    assert not runner.model._forward_hooks
    meta = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['meta']
    assert {'commit', 'python', 'torch', 'numpy', 'mmpose', 'threads'} <= set(
        meta['environment']
    )


def test_mixed_precision_still_leaves_steps_out(tmp_path):
    runner, _ = train(tmp_path, 0, None)
    hook = next(h for h in runner.hooks if hasattr(h, '_look_at_gradients'))
    hook.before_train(runner)
    optimizer, weight = runner.optim_wrapper.optimizer, runner.model.weight
    before = weight.item()
    scaler = torch.amp.GradScaler('cpu', init_scale=2.0**16)
    # 2^16 times 1e35 is beyond single precision: the scaled gradient
    # overflows, the true one does not. The step is left out, nobody stops.
    optimizer.zero_grad()
    scaler.scale(weight.sum() * 1e35).backward()
    assert torch.isinf(weight.grad).all()
    scaler.step(optimizer)
    scaler.update()
    assert weight.item() == before
    assert scaler.get_scale() == 2.0**15
    # And the next one is taken: 0.1 times a gradient of 1.
    optimizer.zero_grad()
    scaler.scale(weight.sum()).backward()
    scaler.step(optimizer)
    assert weight.item() == pytest.approx(before - 0.1)


def test_names_of_a_batch():
    clips = random_samples(5)
    for sample, track in zip(clips, [(1, 0), (1, 0), (2, 0), (2, 0), None]):
        sample.set_metainfo(dict(track=track))
    assert batch_names(clips) == [
        'frame_0.jpg to frame_1.jpg (track (1, 0))',
        'frame_2.jpg to frame_3.jpg (track (2, 0))',
        'frame_4.jpg',
    ]
    assert batch_names([]) == []
