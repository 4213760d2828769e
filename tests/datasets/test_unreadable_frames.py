"""A frame that cannot be read: replaced in training, an error in testing."""

from __future__ import annotations

import json

import pytest
import torch
from builders import write_videos
from mmengine.runner import Runner
from mmpose.registry import TRANSFORMS
from torch._utils import ExceptionWrapper

from rednet_mm.datasets import VideoClipDataset
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.errors import UserError

T, SIZE, LENGTH = 3, 64, 6
CODEC = dict(
    type='ResponseMap', input_size=(SIZE, SIZE), response_size=(32, 32)
)
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=(SIZE, SIZE), use_udp=True),
    dict(type='GenerateTarget', encoder=CODEC),
    dict(type='PackPoseInputs'),
]


@pytest.fixture
def root(tmp_path):
    """Four videos of six frames; the last two are of one subject."""
    return write_videos(
        tmp_path,
        videos=4,
        frames=LENGTH,
        subjects=['zoe', 'ann', 'bob', 'bob'],
    )


def clips(root, **kwargs) -> VideoClipDataset:
    settings = dict(
        data_root=str(root),
        ann_file='annotations/all.json',
        data_prefix=dict(img=''),
        pipeline=PIPELINE,
        clip_length=T,
        clips_per_video=2,
    )
    return VideoClipDataset(**{**settings, **kwargs})


def frame(root, video, number):
    return root / 'frames' / f'{video:03d}' / f'{number + 1:06d}.jpg'


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


DAMAGE = {
    'missing': (lambda path: path.unlink(), 'does not exist'),
    'cut short': (cut, 'cannot be decoded'),
    'empty': (lambda path: path.write_bytes(b''), 'cannot be decoded'),
    'text': (lambda path: path.write_text('<html>'), 'cannot be decoded'),
}


def metas(clip, key) -> list:
    return [sample.metainfo[key] for sample in clip['data_samples']]


@pytest.mark.parametrize('damage', DAMAGE)
def test_replaced_by_another_clip_of_the_track(root, log, damage):
    whole = clips(root)
    items = range(len(whole), 3 * len(whole))
    before = [whole[item] for item in items]
    hurt, fault = DAMAGE[damage]
    bad = frame(root, 2, 1)
    hurt(bad)
    broken = clips(root)
    replaced = 0
    for item, old in zip(items, before):
        new = broken[item]
        assert new['inputs'].shape == (T, 3, SIZE, SIZE)
        if str(bad) not in metas(old, 'img_path'):
            assert torch.equal(new['inputs'], old['inputs'])
            continue
        replaced += 1
        # Another run of the same video in the same direction, without
        # frame 1: from 2 or 3.
        assert set(metas(new, 'video_id')) == {2}
        ids, step = metas(new, 'frame_id'), metas(old, 'frame_id')
        assert sorted(ids) in ([2, 3, 4], [3, 4, 5])
        assert ids[1] - ids[0] == step[1] - step[0]
    assert replaced >= 2
    assert log() == [f'{bad} {fault}; its clips are replaced by others']


def test_replacement_depends_on_the_items_number_alone(root, log):
    # Clips from 2 or from 3 are left of each video.
    for video in (1, 2, 3, 4):
        frame(root, video, 1).unlink()
    one, other = clips(root), clips(root)
    later = {item: other[item] for item in reversed(range(len(other)))}
    for item in range(len(one)):
        assert torch.equal(one[item]['inputs'], later[item]['inputs'])


def test_next_the_same_subject_then_anyone(root, log):
    # Clips are whole videos: none is left of a video with a bad frame.
    dataset = clips(root, clip_length=LENGTH)
    frame(root, 3, 5).unlink()
    frame(root, 1, 0).unlink()
    subjects = dataset.clip_subjects()
    for item in range(len(dataset)):
        clip = dataset[item]
        (subject,) = set(metas(clip, 'subject_label'))
        (video,) = set(metas(clip, 'video_id'))
        if subjects[item] == 0:  # zoe has no other video.
            assert video in (2, 4)
        else:
            assert subject == subjects[item]
            assert video in (2, 4)
    # The bad frames are met once each, not once an item.
    assert len(log()) == 2


def loader(root, workers: int):
    return Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=workers,
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='SubjectBatchSampler'),
            dataset=dict(
                type='VideoClipDataset',
                data_root=str(root),
                ann_file='annotations/all.json',
                data_prefix=dict(img=''),
                pipeline=PIPELINE,
                clip_length=T,
                clips_per_video=4,
            ),
        ),
        seed=0,
    )


def test_one_warning_of_all_workers_and_no_subject_twice(root, log):
    bad = [frame(root, video, 2) for video in (1, 2, 3, 4)]
    for path in bad:
        path.unlink()
    dataloader = loader(root, workers=2)
    for _ in range(2):
        for batch in dataloader:
            labels = [
                sample.metainfo['subject_label']
                for sample in batch['data_samples'][0]
            ]
            assert len(set(labels)) == 2
    warned = [line.split()[0] for line in log()]
    assert sorted(warned) == [str(path) for path in bad]


def test_one_warning_of_a_frame_with_two_faces(root, log):
    path = root / 'annotations' / 'all.json'
    content = json.loads(path.read_text())
    content['annotations'] += [
        dict(face, id=100 + face['id'], track_id=9)
        for face in content['annotations']
    ]
    path.write_text(json.dumps(content))
    bad = frame(root, 2, 2)
    bad.unlink()
    dataset = clips(root)
    # Two tracks of each of the four videos.
    assert len(dataset.tracks) == 8
    for item in range(2 * len(dataset)):
        assert str(bad) not in metas(dataset[item], 'img_path')
    assert len(log()) == 1


def test_nothing_readable_is_one_sentence(root, log):
    dataset = clips(root)
    (root / 'frames').rename(root / 'gone')
    with pytest.raises(UserError) as caught:
        dataset[0]
    assert str(caught.value) == (
        f'{root}/annotations/all.json: one item after the other holds an '
        'image that cannot be read; look at the data with '
        'tools/dataset/check_dataset.py'
    )
    # Each frame once, however often it was tried.
    assert len(log()) == len(set(log())) <= 4 * LENGTH


@pytest.mark.parametrize('damage', DAMAGE)
def test_error_that_names_it_in_testing(root, capsys, damage):
    hurt, fault = DAMAGE[damage]
    bad = frame(root, 2, 1)
    hurt(bad)
    dataset = clips(root, test_mode=True)
    assert dataset[LENGTH]['inputs'].shape == (3, SIZE, SIZE)
    with pytest.raises(UserError) as caught:
        dataset[LENGTH + 1]
    # As it comes out of a worker of a dataloader.
    passed_on = ExceptionWrapper(
        (caught.type, caught.value, caught.tb), 'in a worker'
    )
    with pytest.raises(SystemExit), report_user_errors():
        passed_on.reraise()
    assert capsys.readouterr().err == (
        f'error: {bad} {fault}; get it again, or convert the data without it\n'
    )


@TRANSFORMS.register_module()
class FailingTransform:
    """A transform with a bug."""

    def __call__(self, results):
        raise KeyError('no such thing')


def test_bug_in_a_transform_is_not_taken_for_a_bad_frame(root, log):
    pipeline = [PIPELINE[0], dict(type='FailingTransform'), *PIPELINE[1:]]
    for test_mode in (False, True):
        dataset = clips(root, pipeline=pipeline, test_mode=test_mode)
        with pytest.raises(KeyError, match='no such thing'):
            dataset[0]
    assert log() == []
