"""Clips and videos out of several files."""

from __future__ import annotations

import pytest
import torch
from builders import crop_pipeline, write_stills, write_videos

from rednet_mm.datasets import CombinedClipDataset, VideoClipDataset
from rednet_mm.utils.errors import UserError

T = 3


@pytest.fixture(scope='module')
def stills(tmp_path_factory):
    root = tmp_path_factory.mktemp('stills')
    write_stills(root / 'annotations' / 'a.json', images=4)
    return part(root, 'annotations/a.json')


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    root = write_videos(
        tmp_path_factory.mktemp('videos'),
        videos=2,
        frames=[3, 1],
        subjects=['zoe', 'ann'],
    )
    return part(root, 'annotations/all.json')


def part(root, ann_file):
    return dict(
        type='VideoClipDataset',
        data_root=str(root),
        ann_file=ann_file,
        data_prefix=dict(img=''),
    )


def recordings(settings, **more):
    return dict(
        settings,
        clip_length=T,
        clips_per_video=1,
        reverse=False,
        frames_of_still=T,
        stills_of_videos=True,
        **more,
    )


PIPELINE = [
    *crop_pipeline()[:2],
    dict(type='ClipFromImage', shift=0.3),
    *crop_pipeline()[2:],
]


def meta(item, key):
    return [sample.metainfo[key] for sample in item['data_samples']]


def test_training_items_are_those_of_the_parts(stills, videos):
    parts = [recordings(stills), recordings(videos)]
    both = CombinedClipDataset(parts, PIPELINE)
    # Four images, and the four frames of the videos for images.
    assert len(both) == 8
    assert both[0]['inputs'].shape == (T, 3, 64, 64)
    alone = VideoClipDataset(
        **{k: v for k, v in parts[1].items() if k != 'type'}, pipeline=PIPELINE
    )
    # Run 5 of the seventh item is run 5 of the second part's third.
    one, other = both[5 * 8 + 6], alone[5 * 4 + 2]
    assert torch.equal(one['inputs'], other['inputs'])
    assert meta(one, 'img_path') == meta(other, 'img_path')
    # Another run is another video.
    assert not torch.equal(one['inputs'], both[4 * 8 + 6]['inputs'])
    assert str(stills['data_root']) in both.ann_file
    assert str(videos['data_root']) in both.ann_file


def test_subjects_of_items(stills, videos):
    both = CombinedClipDataset(
        [recordings(stills), recordings(videos)], PIPELINE
    )
    # Nobody knows the four images: all differ. Subjects are counted in the
    # order in which the converter met them: three frames, then one.
    subjects = both.clip_subjects()
    assert subjects[:4] == [-1, -2, -3, -4] and subjects[4:] == [0, 0, 0, 1]
    assert [both[4]['data_samples'][0].metainfo['subject_label']] == [0]
    twice = CombinedClipDataset(
        [recordings(stills), recordings(stills)], PIPELINE
    )
    assert len(set(twice.clip_subjects())) == 8
    with pytest.raises(UserError, match='both name subjects'):
        CombinedClipDataset([recordings(videos), recordings(videos)], PIPELINE)


def test_videos_of_a_test(stills, videos):
    parts = [dict(stills, frames_of_still=2), videos]
    both = CombinedClipDataset(parts, PIPELINE, test_mode=True)
    # Four images of two frames, a video of three frames and one of one.
    assert both.tracks == [
        [0, 1], [2, 3], [4, 5], [6, 7], [8, 9, 10], [11]
    ]  # fmt: skip
    sample = both[9]['data_samples']
    assert sample.metainfo['frame_id'] == 1
    assert sample.metainfo['video_id'] == 1


def test_frames_of_videos_as_photos(videos):
    settings = {k: v for k, v in videos.items() if k != 'type'}
    photos = VideoClipDataset(
        **settings,
        stills_of_videos=True,
        test_mode=True,
        pipeline=crop_pipeline(),
    )
    assert photos.tracks == [[0], [1], [2], [3]]
    about = photos[1]['data_samples'].metainfo
    assert about['video_id'] is None and about['frame_id'] == 0
    assert about['track'][0] == 0 and about['subject_label'] == 0
