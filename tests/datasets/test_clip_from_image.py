"""Photos as clips: smooth, seeded, with exact marks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from builders import write_stills, write_videos
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.structures.bbox import get_udp_warp_matrix

from rednet_mm.datasets import ClipFromImage, VideoClipDataset
from rednet_mm.models.warps import frame_to_crop

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
    # White spots where the marks are: in each frame the spot's centre of
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


def test_a_seed_gives_tests_the_same_film_whatever_was_drawn_before(root):
    frames = dataset(root, test_mode=True, seed=3)
    assert len(frames) == 3 * T
    first = [frames[item]['inputs'] for item in range(T)]
    np.random.uniform(size=5)
    again = [frames[item]['inputs'] for item in reversed(range(T))]
    for one, two in zip(first, reversed(again)):
        assert torch.equal(one, two)
    other = dataset(root, test_mode=True, seed=4)
    assert not torch.equal(other[0]['inputs'], first[0])
    # Photos move differently.
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
    # The photo itself is not drawn upon.
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


def test_a_crop_that_follows_lies_where_the_face_was(root):
    clips = dataset(root, follow=True, off=(0.0, 0.0), scale=0.3, rotate=40.0)
    clips.pipeline.transforms[-1] = PackPoseInputs()
    places, ways = [], []
    for sample in clips[0]['data_samples']:
        meta = sample.metainfo
        photo = sample.gt_instances.keypoints[0]
        x0, y0, x1, y1 = sample.gt_instances.bboxes[0]
        inside = cv2.transform(
            photo[None],
            get_udp_warp_matrix(
                meta['input_center'],
                meta['input_scale'],
                float(meta['bbox_rotation'][0]),
                meta['input_size'],
            ),
        )[0]
        frame = cv2.transform(
            inside[None], cv2.invertAffineTransform(frame_to_crop(meta))
        )[0]
        # Photo to frame: the face turns, grows and moves, and nothing else.
        ones = np.column_stack([photo, np.ones(len(photo))])
        found, *_ = np.linalg.lstsq(ones, frame, rcond=None)
        np.testing.assert_allclose(ones @ found, frame, atol=1e-2)
        np.testing.assert_allclose(
            found[:2] @ found[:2].T,
            np.eye(2) * np.linalg.det(found[:2]),
            atol=1e-4,
        )
        middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2, 1])
        places.append(middle @ found)
        ways.append(meta['crop_in_frame'])
    places, ways = np.array(places), np.array(ways)
    np.testing.assert_allclose(ways[0, :2], places[0], atol=1e-2)
    np.testing.assert_allclose(ways[1:, :2], places[:-1], atol=1e-2)
    # It moves, or all of this would hold of nothing.
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).min() > 0.1


def test_crops_that_follow_are_a_little_off(root):
    def middles(**settings):
        clips = dataset(root, follow=True, **settings)
        samples = [s for n in range(3) for s in clips[n]['data_samples']]
        return np.array([s.metainfo['crop_in_frame'] for s in samples])

    exact = middles(off=(0.0, 0.0))
    away = (middles(off=(0.02, 0.0)) - exact)[:, :2] / exact[:, 2:]
    away = away.reshape(3, T, 2)
    assert 0.01 < np.abs(away[:, 1:]).mean() < 0.03
    assert np.abs(away[:, 0]).mean() > 2 * np.abs(away[:, 1:]).mean()
