"""The three stages and the ablations: configs, data, chains."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from builders import write_stills, write_videos
from config_tools import CONFIGS, TINY, differences, read
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpose.registry import DATASETS, MODELS

from rednet_mm.engine import stages as stages_module
from rednet_mm.engine.scaling import scaled
from rednet_mm.engine.stages import (
    Stage,
    final_checkpoint,
    read_stages,
    train_stage,
)
from rednet_mm.landmarks import SEVEN_OF_68

# -- configs say what they say they do --------------------------------------


@pytest.mark.parametrize('stage', ['stage1_images', 'stage2_lfw', '300vw'])
def test_vgg_and_resnet_differ_in_the_network_alone(stage):
    found = differences(
        read(f'rednet_resnet_{stage}'), read(f'rednet_vgg_{stage}')
    )
    allowed = {
        'model.backbone.type',
        'model.backbone.depth',
        'model.backbone.init_cfg.checkpoint',
        'model.neck.in_channels',
        'model.identity_head.in_channels',
        'stage.previous',
    }
    assert {'model.backbone.type', 'model.neck.in_channels'} <= set(found)
    assert set(found) <= allowed


def test_ablations_start_from_the_main_configs():
    same = differences(
        read('ablations/table5_resnet_aflw'),
        read('rednet_resnet_stage1_images'),
    )
    assert same == []
    # On videos the response maps are measured as well.
    measured = ('val_evaluator', 'test_evaluator')
    for config, main in (
        ('table5_resnet_300vw', 'rednet_resnet_300vw'),
        ('table5_vgg_300vw', 'rednet_vgg_300vw'),
    ):
        found = differences(read(f'ablations/{config}'), read(main), measured)
        assert found == ['model.test_cfg.output_heatmaps', 'stage.previous']
    found = differences(
        read('ablations/table5_vgg_aflw'), read('rednet_vgg_stage1_images')
    )
    assert found == []


ROWS = {
    'table6_oneshot_det': ['model.backbone.feedback', 'model.head.steps'],
    'table6_oneshot_reg': ['model.backbone.feedback', 'model.head.steps'],
    'table6_det_det': ['model.head.steps'],
    'table6_det_reg': [],
    'table7_cascade': ['model.cascade'],
    'table7_recurrent': [],
    'table8_with_recurrence': [],
    'table8_without_recurrence': [
        'model.neck.recurrent',
        'stage.data',
        'train_dataloader.batch_size',
        'train_dataloader.dataset.clip_length',
        'train_dataloader.dataset.clips_per_video',
        'train_dataloader.dataset.reverse',
    ],
    'figure9_with_identity': [],
    'norm_shared': [
        'model.backbone.norm_per_step',
        'model.neck.norm_per_step',
    ],
    'feedback_input': ['model.backbone.feedback'],
    'init_mean': ['model.init_from', 'model.mean_shape'],
    'unpool_broadcast': ['model.neck.unpool'],
    'init_previous': ['model.init_from'],
}
CLIPS = ('table8', 'figure9', 'unpool', 'init_previous')


@pytest.mark.parametrize('row', ROWS)
def test_a_row_changes_what_it_is_about(row):
    data = '300vw' if row.startswith(CLIPS) else 'aflw'
    found = differences(
        read(f'ablations/{row}'), read(f'ablations/table5_resnet_{data}')
    )
    assert found == ROWS[row]


def test_rows_without_recurrence_see_as_many_frames():
    clips = read('ablations/table8_with_recurrence').train_dataloader
    frames = read('ablations/table8_without_recurrence').train_dataloader

    def seen(loader):
        data = loader.dataset
        copies = 2 if data.reverse else 1
        return data.clip_length * data.clips_per_video * copies

    assert clips.batch_size * 10 == frames.batch_size * 1
    # A clip and its reverse show the same frames twice.
    assert seen(clips) == 2 * seen(frames)


# -- data of the stages -----------------------------------------------------


@pytest.fixture(scope='module')
def stage_data(tmp_path_factory):
    """``data/`` as the converters leave it, tiny."""
    root = tmp_path_factory.mktemp('stages')
    data = root / 'data'
    annotations = 'annotations'
    for name, settings in {
        f'aflw/{annotations}/aflw_train.json': dict(points=21, images=30),
        f'aflw/{annotations}/aflw_test.json': dict(points=21, yaw=True),
        f'helen/{annotations}/helen_all.json': dict(images=24),
        f'lfpw/{annotations}/lfpw_all.json': dict(images=6),
        f'lfw/{annotations}/lfw_train.json': dict(
            points=7, images=20, subjects=True
        ),
    }.items():
        write_stills(data / name, **settings)
    videos = write_videos(root / 'videos', videos=6, frames=10)
    (data / '300vw' / annotations).mkdir(parents=True)
    (data / '300vw' / 'frames').symlink_to(videos / 'frames')
    for split in ('train', 'test'):
        (data / '300vw' / annotations / f'rednet_{split}.json').symlink_to(
            videos / annotations / 'all.json'
        )
    return root


def test_mixed_marks_are_masked(stage_data, monkeypatch):
    monkeypatch.chdir(stage_data)
    cfg = scaled(read('rednet_resnet_stage1_images'), TINY)
    init_default_scope('mmpose')
    loader = cfg.train_dataloader
    loader.batch_size = 60
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    weights = torch.cat(
        [s.gt_instance_labels.keypoint_weights for s in batch['data_samples']]
    )
    # 30 faces of AFLW have the seven points, 30 of Helen and LFPW all.
    counts = weights.sum(1)
    assert sorted(counts.tolist()) == [7] * 30 + [68] * 30
    seven = torch.zeros(68)
    seven[list(SEVEN_OF_68)] = 1
    assert (weights[counts == 7] == seven).all()
    # A regression map that is not annotated is not taught.
    model = MODELS.build(cfg.model).train()
    data = model.data_preprocessor(batch, True)
    few = [s for s, n in zip(data['data_samples'], counts) if n == 7]
    outputs = [
        torch.randn(30, channels, 32, 32, requires_grad=True)
        for channels in (7, 68)
    ]
    sum(model.head.loss_by_output(outputs, few).values()).backward()
    taught = outputs[1].grad.abs().sum((0, 2, 3)) > 0
    assert torch.equal(taught, seven.bool())


def test_flipped_marks_change_places_after_conversion(stage_data, monkeypatch):
    monkeypatch.chdir(stage_data)
    cfg = scaled(read('rednet_resnet_stage1_images'), TINY)
    init_default_scope('mmpose')
    data = cfg.train_dataloader.dataset
    kept = [t for t in data.pipeline if t.type != 'RandomBBoxTransform']

    def marks(prob):
        for step in kept:
            if step.type == 'RandomFlip':
                step.prob = prob
        dataset = DATASETS.build(dict(data, pipeline=kept))
        sample = dataset[0]['data_samples']  # the first face of AFLW
        return sample.gt_instance_labels.keypoint_labels[0].clone()

    plain, flipped = marks(0.0), marks(1.0)
    # Outer eye corners, 63 pixels across; the nose tip stays itself.
    for one, two in ((36, 45), (39, 42), (48, 54), (30, 30)):
        torch.testing.assert_close(
            flipped[one], torch.stack([63 - plain[two, 0], plain[two, 1]]),
            rtol=0, atol=1e-3,
        )  # fmt: skip


# -- chains -----------------------------------------------------------------


def test_the_chain_of_a_config():
    chain = read_stages(str(CONFIGS / 'rednet_vgg_300vw.py'), TINY)
    assert [Path(stage.path).name for stage in chain] == [
        'rednet_vgg_stage1_images.py',
        'rednet_vgg_stage2_lfw.py',
        'rednet_vgg_300vw.py',
    ]
    assert all(stage.changed for stage in chain)
    assert chain[0].cfg.codec.input_size == (64, 64)


def test_what_came_before_can_be_changed():
    path = CONFIGS / 'ablations' / 'figure9_without_identity.py'
    chain = read_stages(str(path))
    assert [stage.cfg.model.get('identity_head') for stage in chain] == [
        None,
        None,
        None,
    ]
    # The last config is as it is written.
    assert [stage.changed for stage in chain] == [True, True, False]


def test_chains_that_make_no_sense(tmp_path):
    path = tmp_path / 'a.py'
    path.write_text("stage = dict(data='images', previous='a.py')\n")
    with pytest.raises(ValueError, match='round in a circle'):
        read_stages(str(path))
    path.write_text("stage = dict(data='images', previous='b.py')\n")
    with pytest.raises(FileNotFoundError, match=r'b\.py does not exist'):
        read_stages(str(path))
    path.write_text('x = 1\n')
    with pytest.raises(ValueError, match='tools/train.py'):
        read_stages(str(path))


@pytest.fixture
def trainings(monkeypatch):
    """Commands that would have been run; each leaves its last epoch."""
    commands, outcome = [], dict(status=0, epochs=3)

    def run(command, env):
        commands.append(command)
        work_dir = Path(command[command.index('--work-dir') + 1])
        work_dir.mkdir(parents=True, exist_ok=True)
        name = f'epoch_{outcome["epochs"]}.pth'
        (work_dir / name).touch()
        (work_dir / 'last_checkpoint').write_text(str(work_dir / name))
        return subprocess.CompletedProcess(command, outcome['status'])

    monkeypatch.setattr(stages_module.subprocess, 'run', run)
    return commands, outcome


def stage_of(epochs=3, changed=False):
    cfg = Config(dict(train_cfg=dict(max_epochs=epochs)))
    return Stage('some/config.py', cfg, changed)


def test_a_stage_starts_from_the_last(trainings, tmp_path):
    commands, _ = trainings
    done = train_stage(stage_of(), str(tmp_path), 'before.pth')
    assert done == str(tmp_path / 'epoch_3.pth')
    assert commands[0][2] == 'some/config.py'
    assert 'load_from=before.pth' in commands[0]
    assert '--resume' not in commands[0]
    # What is trained is not trained again.
    train_stage(stage_of(), str(tmp_path), 'before.pth')
    assert len(commands) == 1


def test_a_checkpoint_that_is_half_written_is_not_the_end(trainings, tmp_path):
    commands, _ = trainings
    (tmp_path / 'epoch_3.pth').touch()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    train_stage(stage_of(), str(tmp_path), 'before.pth')
    assert '--resume' in commands[0]


def test_a_stage_goes_on_where_it_stopped(trainings, tmp_path):
    commands, outcome = trainings
    outcome.update(status=1, epochs=2)
    with pytest.raises(ValueError, match=r'some/config\.py stopped'):
        train_stage(stage_of(), str(tmp_path), 'before.pth')
    outcome.update(status=0, epochs=3)
    train_stage(stage_of(), str(tmp_path), 'before.pth', options=['--amp'])
    assert '--resume' in commands[1] and '--amp' in commands[1]
    assert 'load_from=before.pth' not in commands[1]


def test_a_changed_config_is_written_down(trainings, tmp_path):
    commands, _ = trainings
    train_stage(stage_of(changed=True), str(tmp_path), None, gpus=2)
    config = tmp_path / 'scaled' / 'config.py'
    assert Config.fromfile(config).train_cfg.max_epochs == 3
    assert commands[0][0] == 'bash'
    assert commands[0][2:4] == [str(config), '2']


# -- options ----------------------------------------------------------------

MAIN = str(CONFIGS / 'rednet_resnet_300vw.py')
EVERY = {
    'model.backbone.depth': 18,
    'model.backbone.init_cfg': None,
    'model.neck.in_channels': 512,
}


def test_options_reach_the_stages_that_have_the_part():
    options = {
        **EVERY,
        'model.identity_head.in_channels': 256,
        'train_cfg.max_epochs': 1,
        'train_dataloader.dataset.clip_length': 3,
        'train_dataloader.batch_sampler.max_batches': 2,
        'model.test_cfg.flip_test': True,
    }
    one, two, three = read_stages(MAIN, options=options)
    for stage in (one, two, three):
        assert stage.changed and stage.cfg.model.backbone.depth == 18
        assert stage.cfg.model.neck.in_channels == 512
        assert stage.cfg.train_cfg.max_epochs == 1
        assert stage.cfg.model.test_cfg.flip_test
    assert 'identity_head' not in one.cfg.model
    assert 'clip_length' not in one.cfg.train_dataloader.dataset
    assert 'batch_sampler' not in one.cfg.train_dataloader
    for stage in (two, three):
        assert stage.cfg.model.identity_head.in_channels == 256
        assert stage.cfg.train_dataloader.dataset.clip_length == 3
        assert stage.cfg.train_dataloader.batch_sampler.max_batches == 2


def test_a_stage_without_its_options_stays_its_own_file():
    options = {'train_dataloader.batch_sampler.max_batches': 2}
    changed = [s.changed for s in read_stages(MAIN, options=options)]
    assert changed == [False, True, True]


@pytest.mark.parametrize(
    'options, stage, says',
    [
        ({'model.backbone.depth': 18}, 'stage1_images', '512'),
        (EVERY, 'stage2_lfw', '1024'),
        ({'model.nek.in_channels': 1}, 'stage1_images', "'nek'"),
        ({'model.identity_head.n': 1}, 'stage2_lfw', "'n'"),
        ({'param_scheduler.5.end': 1}, 'stage1_images', 'Index 5'),
    ],
)
def test_options_that_a_stage_cannot_take(options, stage, says):
    with pytest.raises(ValueError, match=says) as caught:
        read_stages(MAIN, options=options)
    message = str(caught.value)
    assert f'{stage}.py' in message and '\n' not in message


@pytest.mark.parametrize(
    'train, hook, name',
    [
        (dict(max_epochs=3), {}, 'epoch_3.pth'),
        (dict(max_iters=30), dict(by_epoch=False), 'iter_30.pth'),
        (dict(max_iters=30), {}, 'epoch_1.pth'),
        (dict(max_epochs=2), dict(filename_tmpl='e{}.pth'), 'e2.pth'),
        # Of a longer training, before the end was set earlier.
        (dict(max_epochs=3), {}, 'epoch_60.pth'),
    ],
)
def test_end_of_a_training(train, hook, name, tmp_path):
    cfg = Config(dict(train_cfg=train, default_hooks=dict(checkpoint=hook)))
    (tmp_path / name).touch()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / name))
    assert final_checkpoint(cfg, str(tmp_path)) == str(tmp_path / name)
    for other in ('epoch_0.pth', 'iter_29.pth', 'best_NME_epoch_9.pth'):
        (tmp_path / other).touch()
        (tmp_path / 'last_checkpoint').write_text(other)
        assert final_checkpoint(cfg, str(tmp_path)) is None
