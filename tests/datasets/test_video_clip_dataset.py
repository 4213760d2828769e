"""Clips and videos out of the JSON of our converters."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from builders import face_shape, write_stills, write_videos
from mmengine.hooks import DistSamplerSeedHook
from mmengine.runner import Runner
from mmpose.datasets.datasets.face import Face300VWDataset

from rednet_mm.datasets import VideoClipDataset
from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.utils.errors import UserError

T, SIZE = 3, 64
LENGTHS = (6, 2, 5, 4)
CODEC = dict(
    type='ResponseMap', input_size=(SIZE, SIZE), response_size=(32, 32)
)
START = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale', padding=1.25)]
END = [
    dict(type='TopdownAffine', input_size=(SIZE, SIZE), use_udp=True),
    dict(type='GenerateTarget', encoder=CODEC),
    dict(type='PackPoseInputs'),
]
PLAIN = [*START, *END]
AUGMENTED = [
    *START,
    dict(type='RandomFlip', direction='horizontal'),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.1,
        shift_prob=1.0,
        scale_factor=(0.8, 1.2),
        scale_prob=1.0,
        rotate_factor=40.0,
        rotate_prob=1.0,
    ),
    END[0],
    dict(type='PhotometricDistortion'),
    *END[1:],
]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Four videos, the second too short, the last two of one subject."""
    return write_videos(
        tmp_path_factory.mktemp('moving'),
        videos=4,
        frames=LENGTHS,
        subjects=['zoe', 'ann', 'bob', 'bob'],
    )


@pytest.fixture(scope='module')
def still_root(tmp_path_factory):
    """Two videos of faces that do not move."""
    return write_videos(
        tmp_path_factory.mktemp('still'), videos=2, frames=6, motion=0
    )


def options(root, **kwargs) -> dict:
    settings = dict(
        data_root=str(root),
        ann_file='annotations/all.json',
        data_prefix=dict(img=''),
        pipeline=PLAIN,
    )
    return {**settings, **kwargs}


def clips(root, **kwargs) -> VideoClipDataset:
    settings = dict(clip_length=T, clips_per_video=4)
    return VideoClipDataset(**options(root, **{**settings, **kwargs}))


def metas(item, key) -> list:
    return [sample.metainfo[key] for sample in item['data_samples']]


def test_clip_is_t_frames_in_order_and_then_backwards(root):
    dataset = clips(root)
    # Three videos of 3 frames or more, 4 clips forth and 4 back of each.
    assert len(dataset) == 24
    for item in range(24):
        clip = dataset[item]
        assert clip['inputs'].shape == (T, 3, SIZE, SIZE)
        assert clip['inputs'].dtype == torch.uint8
        assert len(clip['data_samples']) == T
        (video,) = set(metas(clip, 'video_id'))
        # Video 2 is too short.
        assert video == (1, 3, 4)[item // 8]
        (track,) = set(metas(clip, 'track'))
        assert track[0] == video
        step = 1 if item % 8 < 4 else -1
        frames = metas(clip, 'frame_id')
        assert np.diff(frames).tolist() == [step] * (T - 1)
        assert 0 <= min(frames) <= max(frames) < LENGTHS[video - 1]
        names = [path.split('/')[-2:] for path in metas(clip, 'img_path')]
        assert names == [
            [f'{video:03d}', f'{frame + 1:06d}.jpg'] for frame in frames
        ]


def test_frames_and_marks_belong_together(root):
    dataset, frames = clips(root), clips(root, test_mode=True)
    clip = dataset[9]
    for picture, sample in zip(clip['inputs'], clip['data_samples']):
        # The same frame, asked for alone.
        place = sample.metainfo['frame_id'] + LENGTHS[0] + LENGTHS[1]
        alone = frames[place]
        assert torch.equal(alone['inputs'], picture)
        assert (
            alone['data_samples'].metainfo['frame_id']
            == (sample.metainfo['frame_id'])
        )
        # write_videos: the third video's face is shifted by 2, and by half
        # a pixel a frame; the files keep 3 decimals.
        marks = face_shape(SIZE) + 2 + 0.5 * sample.metainfo['frame_id']
        np.testing.assert_allclose(
            sample.gt_instances.keypoints[0], marks, atol=2e-3
        )


def test_not_reversed(root):
    dataset = clips(root, reverse=False)
    assert len(dataset) == 12
    for item in range(12):
        assert np.diff(metas(dataset[item], 'frame_id')).tolist() == [1, 1]


def test_one_transform_for_all_frames_of_a_clip(still_root):
    dataset = clips(still_root, pipeline=AUGMENTED, clips_per_video=10)
    affines, flips = set(), set()
    for item in range(0, len(dataset), 2):
        clip = dataset[item]
        centers = np.stack(metas(clip, 'input_center'))
        scales = np.stack(metas(clip, 'input_scale'))
        assert (centers == centers[0]).all()
        assert (scales == scales[0]).all()
        (flip,) = set(metas(clip, 'flip'))
        # The face does not move, so rotation shows in its keypoints.
        marks = torch.cat(
            [
                s.gt_instance_labels.keypoint_labels
                for s in clip['data_samples']
            ]
        )
        assert torch.equal(marks, marks[:1].expand_as(marks))
        eyes = marks[0, 45] - marks[0, 36]
        angle = torch.atan2(eyes[1], eyes[0]).item()
        affines.add((*centers[0], *scales[0], round(angle, 4)))
        flips.add(flip)
    # Twenty items, twenty transforms, some of them with a flip.
    assert len(affines) == 20
    assert flips == {True, False}


def test_flip_mirrors_marks_and_picture(still_root):
    flip = dict(type='RandomFlip', prob=1.0, direction='horizontal')
    mirror = clips(still_root, pipeline=[*START, flip, *END])[3]
    plain = clips(still_root)[3]
    partner = list(range(68))
    for i, info in FACE_68['keypoint_info'].items():
        if info['swap']:
            partner[i] = int(info['swap'].split('-')[1])
    for a, b in zip(plain['data_samples'], mirror['data_samples']):
        expected = a.gt_instance_labels.keypoint_labels[:, partner].clone()
        expected[..., 0] = SIZE - 1 - expected[..., 0]
        torch.testing.assert_close(
            b.gt_instance_labels.keypoint_labels, expected, rtol=0, atol=1e-2
        )
    # Resampled from the other side: a few gray levels apart at most.
    off = plain['inputs'].flip(-1).float() - mirror['inputs'].float()
    assert off.abs().mean() < 3


def equal(one, other) -> bool:
    labels = [
        torch.cat(
            [
                s.gt_instance_labels.keypoint_labels
                for s in clip['data_samples']
            ]
        )
        for clip in (one, other)
    ]
    return torch.equal(one['inputs'], other['inputs']) and torch.equal(*labels)


def test_item_depends_on_its_number_alone(root):
    dataset = clips(root, pipeline=AUGMENTED)
    first = dataset[5]
    # Another worker: other global states, other items before.
    np.random.seed(123)
    random.seed(123)
    other = clips(root, pipeline=AUGMENTED)
    assert not equal(other[6], first)
    assert equal(other[5], first)
    assert equal(dataset[5], first)
    assert not equal(dataset[len(dataset) + 5], first)


def test_another_epoch_is_other_clips(root):
    dataset = clips(root, pipeline=AUGMENTED)
    drawn = [dataset.clip_frames(item) for item in range(24)]
    later = [dataset.clip_frames(24 + item) for item in range(24)]
    assert drawn != later
    # Of the same videos, in the same direction.
    for item in range(24):
        first, second = dataset[item], dataset[24 + item]
        assert not equal(first, second)
        assert metas(first, 'track') == metas(second, 'track')
        steps = [np.diff(metas(c, 'frame_id'))[0] for c in (first, second)]
        assert steps[0] == steps[1]


def test_global_chance_goes_on_as_before(root):
    dataset = clips(root, pipeline=AUGMENTED)
    np.random.seed(0)
    random.seed(0)
    expected = np.random.rand(2), random.random()
    np.random.seed(0)
    random.seed(0)
    one = np.random.rand(1)
    dataset[0]
    np.testing.assert_array_equal([*one, *np.random.rand(1)], expected[0])
    assert random.random() == expected[1]


def test_short_videos_are_left_out(root):
    assert [len(track) for track in clips(root).tracks] == [6, 5, 4]
    five = clips(root, clip_length=5)
    assert [len(track) for track in five.tracks] == [6, 5]
    assert len(five) == 16
    with pytest.raises(ValueError) as caught:
        clips(root, clip_length=7)
    assert str(caught.value) == (
        f'{root}/annotations/all.json has no video of 7 frames or more; '
        'lower clip_length'
    )


def test_frames_in_order_when_testing(root):
    dataset = clips(root, test_mode=True)
    # Every video, however short.
    assert len(dataset) == sum(LENGTHS)
    seen = []
    for item in range(len(dataset)):
        frame = dataset[item]
        assert frame['inputs'].shape == (3, SIZE, SIZE)
        meta = frame['data_samples'].metainfo
        seen.append((meta['video_id'], meta['frame_id']))
    assert seen == [
        (video + 1, frame)
        for video, length in enumerate(LENGTHS)
        for frame in range(length)
    ]
    lengths = [len(track) for track in dataset.tracks]
    assert lengths == list(LENGTHS)


def test_order_is_that_of_the_frames_not_of_the_file(root):
    path = root / 'annotations' / 'all.json'
    data = json.loads(path.read_text())
    random.Random(0).shuffle(data['images'])
    random.Random(1).shuffle(data['annotations'])
    mixed = root / 'annotations' / 'mixed.json'
    mixed.write_text(json.dumps(data))
    frames = clips(root, ann_file='annotations/mixed.json', test_mode=True)
    ids = [frames.get_data_info(i)['frame_id'] for i in range(len(frames))]
    assert ids == [f for length in LENGTHS for f in range(length)]


def test_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        clips(tmp_path)
    assert str(caught.value).startswith(
        f'{tmp_path}/annotations/all.json does not exist; make it with a '
        'converter'
    )


def test_subject_labels_count_from_zero(root):
    dataset = clips(root)
    # Ids by first appearance: zoe 1, ann 2, bob 3. ann's only video is too
    # short, her label stays, so the classifier keeps its size.
    assert [
        metas(dataset[item], 'subject_label')[0] for item in (0, 8, 16)
    ] == [
        0,
        2,
        2,
    ]
    assert dataset.clip_subjects() == [0] * 8 + [2] * 16


def test_unknown_subjects_count_as_their_videos(root):
    path = root / 'annotations' / 'all.json'
    data = json.loads(path.read_text())
    for annotation in data['annotations']:
        if annotation['subject_id'] == 3:
            del annotation['subject_id']
    nobody = root / 'annotations' / 'nobody.json'
    nobody.write_text(json.dumps(data))
    dataset = clips(root, ann_file='annotations/nobody.json')
    subjects = dataset.clip_subjects()
    assert subjects[:8] == [0] * 8
    assert len({*subjects[8:16]}) == len({*subjects[16:]}) == 1
    assert subjects[8] != subjects[16]
    assert max(subjects[8:]) < 0
    assert set(metas(dataset[8], 'subject_label')) == {None}


def test_stills_are_tracks_of_one_frame(root):
    path = root / 'annotations' / 'all.json'
    data = json.loads(path.read_text())
    for image in data['images']:
        del image['video_id'], image['frame_id']
    stills = root / 'annotations' / 'stills.json'
    stills.write_text(json.dumps(data))
    dataset = clips(
        root,
        ann_file='annotations/stills.json',
        clip_length=1,
        clips_per_video=1,
        reverse=False,
    )
    assert len(dataset) == sum(LENGTHS)
    assert dataset[3]['inputs'].shape == (1, 3, SIZE, SIZE)
    ids = [metas(dataset[i], 'img_id')[0] for i in range(len(dataset))]
    assert sorted(ids) == list(range(1, sum(LENGTHS) + 1))


def test_mmpose_reads_the_same_file(root):
    theirs = Face300VWDataset(**options(root), metainfo=FACE_68)
    ours = clips(root, test_mode=True)
    assert len(theirs) == len(ours) == sum(LENGTHS)
    assert theirs.metainfo['flip_indices'] == ours.metainfo['flip_indices']
    for item in (0, 7, 16):
        one, other = theirs[item], ours[item]
        assert torch.equal(one['inputs'], other['inputs'])
        assert (
            one['data_samples'].metainfo['img_path']
            == (other['data_samples'].metainfo['img_path'])
        )
        assert torch.equal(
            one['data_samples'].gt_instance_labels.keypoint_labels,
            other['data_samples'].gt_instance_labels.keypoint_labels,
        )


def tensors(thing) -> list:
    """All tensors and arrays in a batch, and the names of fields."""
    if isinstance(thing, (torch.Tensor, np.ndarray)):
        return [('', thing)]
    if isinstance(thing, (list, tuple)):
        return [found for each in thing for found in tensors(each)]
    if hasattr(thing, 'all_items'):
        thing = dict(thing.all_items())
    if isinstance(thing, dict):
        return [
            (f'{key}.{name}', found)
            for key, value in thing.items()
            for name, found in tensors(value)
        ]
    return []


def loader(root, workers: int):
    return Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=workers,
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='SubjectBatchSampler'),
            dataset=dict(
                type='VideoClipDataset',
                clip_length=T,
                clips_per_video=2,
                **options(root, pipeline=AUGMENTED),
            ),
        ),
        seed=0,
    )


def test_batch_of_a_real_dataloader(root):
    batches = list(loader(root, workers=0))
    # Subjects 0 (4 clips) and 2 (8 clips): 4 batches of both.
    assert len(batches) == 4
    for batch in batches:
        assert len(batch['inputs']) == 2
        # pseudo_collate: T lists of one sample a clip.
        assert [len(frames) for frames in batch['data_samples']] == [2] * T
        labels = [
            {
                frames[b].metainfo['subject_label']
                for frames in batch['data_samples']
            }
            for b in range(2)
        ]
        assert sorted(labels, key=str) == [{0}, {2}]

    found = tensors(batches[0])
    names = {name for name, _ in found}
    assert any(name.endswith('keypoint_labels.') for name in names)
    # The frames themselves are the largest thing that is shipped: no
    # response maps.
    assert (
        max(
            value.size if isinstance(value, np.ndarray) else value.numel()
            for _, value in found
        )
        == T * 3 * SIZE * SIZE
    )
    assert not [name for name in names if 'heatmap' in name]

    # Another process draws the same.
    (first, *_) = loader(root, workers=1)
    for one, other in zip(first['inputs'], batches[0]['inputs']):
        assert torch.equal(one, other)


def test_hook_of_mmengine_sets_the_epoch(root):
    dataloader = loader(root, workers=0)
    first = list(dataloader.batch_sampler)
    loop = SimpleNamespace(dataloader=dataloader)
    runner = SimpleNamespace(train_loop=loop, epoch=3)
    DistSamplerSeedHook().before_train_epoch(runner)
    later = list(dataloader.batch_sampler)
    number = len(dataloader.dataset)
    assert {i // number for batch in first for i in batch} == {0}
    assert {i // number for batch in later for i in batch} == {3}


def two_faces(root, tmp_path, subjects):
    """A copy of the data with a second face in every frame."""
    content = json.loads((root / 'annotations' / 'all.json').read_text())
    first = [
        dict(face, subject_id=subjects[0]) for face in content['annotations']
    ]
    second = [
        dict(face, id=1000 + face['id'], subject_id=subjects[1])
        for face in first
    ]
    content['annotations'] = first + second
    path = tmp_path / 'two.json'
    path.write_text(json.dumps(content))
    return path


def test_two_people_in_a_video_are_two_tracks(root, tmp_path):
    one = clips(root, test_mode=True)
    path = two_faces(root, tmp_path, subjects=(1, 2))
    two = clips(root, test_mode=True, ann_file=str(path))
    assert [len(track) for track in two.tracks] == [
        len(track) for track in one.tracks for _ in range(2)
    ]
    for track in two.tracks:
        frames = [two.get_data_info(place)['frame_id'] for place in track]
        assert frames == sorted(set(frames))


def test_one_person_twice_in_a_frame_is_an_error(root, tmp_path):
    path = two_faces(root, tmp_path, subjects=(1, 1))
    with pytest.raises(UserError, match='two faces of one subject'):
        clips(root, test_mode=True, ann_file=str(path))


def test_an_image_says_which_list_of_its_data_set_it_is_from(tmp_path):
    path = tmp_path / 'annotations' / 'all.json'
    write_stills(path, images=2)
    content = json.loads(path.read_text())
    content['images'][1]['group'] = 'common'
    path.write_text(json.dumps(content))
    frames = VideoClipDataset(**options(tmp_path, test_mode=True))
    groups = [frames[i]['data_samples'].metainfo['group'] for i in (0, 1)]
    assert groups == [None, 'common']
