"""Images as clips: smooth, seeded, with exact keypoints."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from builders import write_stills, write_videos

from rednet_mm.datasets import ClipFromImage, VideoClipDataset

SIZE, T = 64, 6


def pipeline(**settings) -> list[dict]:
    return [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale', padding=1.25),
        dict(type='ClipFromImage', **settings),
        dict(type='TopdownAffine', input_size=(SIZE, SIZE), use_udp=True),
        dict(
            type='PackPoseInputs',
            meta_keys=('id', 'img_path', 'input_center', 'input_scale'),
        ),
    ]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('stills')
    write_stills(folder / 'annotations' / 'all.json', images=3, size=96)
    return str(folder)


def dataset(root, test_mode=False, **settings) -> VideoClipDataset:
    return VideoClipDataset(
        data_root=root,
        ann_file='annotations/all.json',
        data_prefix=dict(img=''),
        clip_length=T,
        clips_per_video=1,
        reverse=False,
        frames_of_still=T,
        test_mode=test_mode,
        pipeline=pipeline(**settings),
    )


def centers(clip) -> np.ndarray:
    return np.array(
        [sample.metainfo['input_center'] for sample in clip['data_samples']]
    )


def test_a_photo_is_a_clip_of_frames_that_differ(root):
    clips = dataset(root)
    assert len(clips) == 3
    clip = clips[0]
    assert clip['inputs'].shape == (T, 3, SIZE, SIZE)
    metas = [sample.metainfo for sample in clip['data_samples']]
    assert [meta['frame_id'] for meta in metas] == list(range(T))
    assert len({meta['img_path'] for meta in metas}) == 1
    assert len({meta['id'] for meta in metas}) == T
    assert len({meta['track'] for meta in metas}) == 1
    for one, two in zip(clip['inputs'], clip['inputs'][1:]):
        assert not torch.equal(one, two)


def test_the_same_item_is_the_same_clip_and_another_epoch_another(root):
    clips = dataset(root)
    assert torch.equal(clips[1]['inputs'], clips[1]['inputs'])
    assert not torch.equal(clips[1]['inputs'], clips[1 + 3]['inputs'])


def test_the_way_is_smooth(root):
    # Waves of at most one cycle in ten frames turn by at most 2 pi / 10 a
    # frame: the second difference is at most (2 pi / 10) ** 2 = 0.39 of the
    # reach, 0.1 of the crop's side; white noise would have 2.4 of its
    # deviation on average.
    clips = dataset(root, shift=0.1)
    for item in range(12):
        clip = clips[item]
        side = clip['data_samples'][0].metainfo['input_scale'][0]
        way = centers(clip) / side
        assert np.abs(way - way.mean(0)).max() > 0.002
        bend = np.abs(np.diff(way, 2, axis=0)).max()
        # The crop's side varies by 1.15.
        assert bend <= 0.39 * 0.1 * 1.15


def test_marks_lie_where_the_photo_says(tmp_path):
    # White spots where the keypoints are: in each frame the spot's centre of
    # mass is where the mark is said to be.
    path = tmp_path / 'annotations' / 'all.json'
    write_stills(path, images=1, size=96)
    frames = VideoClipDataset(
        data_root=str(tmp_path),
        ann_file='annotations/all.json',
        data_prefix=dict(img=''),
        frames_of_still=T,
        test_mode=True,
        pipeline=[
            *pipeline(seed=0, occluder_prob=0, blur=0)[:-1],
        ],
    )
    mark = 33
    info = frames.get_data_info(0)
    picture = np.zeros((96, 96, 3), np.uint8)
    x, y = (16 * info['keypoints'][0, mark]).round().astype(int).tolist()
    cv2.circle(picture, (x, y), 3 * 16, (255,) * 3, -1, cv2.LINE_AA, 4)
    cv2.imwrite(info['img_path'], picture, [cv2.IMWRITE_JPEG_QUALITY, 100])
    for frame in range(T):
        seen = frames[frame]
        shown = seen['img'][..., 0].astype(float)
        ys, xs = np.mgrid[:SIZE, :SIZE]
        at = np.array([(xs * shown).sum(), (ys * shown).sum()]) / shown.sum()
        said = seen['transformed_keypoints'][0, mark]
        np.testing.assert_allclose(at, said, atol=0.15)


def test_a_seed_gives_tests_the_same_video_whatever_was_drawn_before(root):
    frames = dataset(root, test_mode=True, seed=3)
    assert len(frames) == 3 * T
    first = [frames[item]['inputs'] for item in range(T)]
    np.random.uniform(size=5)
    again = [frames[item]['inputs'] for item in reversed(range(T))]
    for one, two in zip(first, reversed(again)):
        assert torch.equal(one, two)
    other = dataset(root, test_mode=True, seed=4)
    assert not torch.equal(other[0]['inputs'], first[0])
    # Images move differently.
    ways = [
        np.stack(
            [
                frames[photo * T + t]['data_samples'].metainfo['input_center']
                for t in range(T)
            ]
        )
        for photo in (0, 1)
    ]
    steps = [np.diff(way, axis=0) for way in ways]
    assert np.abs(steps[0] - steps[1]).max() > 0.01


def still(picture: np.ndarray, frame: int = 0) -> dict:
    size = picture.shape[0]
    return dict(
        img=picture,
        frame_id=frame,
        still_id=7,
        bbox_center=np.full((1, 2), (size - 1) / 2, np.float32),
        bbox_scale=np.full((1, 2), size / 2, np.float32),
    )


def test_something_moves_in_front_of_the_face():
    gray = np.full((96, 96, 3), 127, np.uint8)
    cover = ClipFromImage(occluder_prob=1, blur=0, seed=1)
    shown = [cover(still(gray, frame))['img'] for frame in (0, 5)]
    for picture in shown:
        assert 20 < (picture != 127).any(-1).sum() < 96 * 96 / 2
    assert (shown[0] != shown[1]).any()
    # The image itself is not drawn upon.
    assert (gray == 127).all()
    clear = ClipFromImage(occluder_prob=0, blur=0, seed=1)
    assert (clear(still(gray))['img'] == 127).all()


def test_blur_goes_along_the_way_and_keeps_the_light():
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[48, 48] = 255
    moving = ClipFromImage(shift=0.5, occluder_prob=0, blur=1, seed=2)
    still_one = ClipFromImage(shift=0.5, occluder_prob=0, blur=0, seed=2)
    assert (still_one(still(picture))['img'] == picture).all()
    spots = []
    for frame in range(20):
        smeared = moving(still(picture, frame))['img'][..., 0].astype(float)
        # Rounding to whole numbers takes at most one half a pixel.
        assert abs(smeared.sum() - 255) <= 0.5 * (smeared > 0).sum() + 1
        spots.append((smeared > 0).sum())
    assert max(spots) >= 4


def test_videos_stay_as_they_are(root, tmp_path):
    data = write_videos(tmp_path, videos=1, frames=4)
    frames = VideoClipDataset(
        data_root=str(data),
        ann_file='annotations/all.json',
        data_prefix=dict(img=''),
        frames_of_still=T,
        test_mode=True,
        pipeline=[],
    )
    assert len(frames) == 4
    alone = dict(img=np.zeros((8, 8, 3), np.uint8), frame_id=1)
    assert ClipFromImage()(dict(alone)).keys() == alone.keys()
