"""Degradation in time: bursts, reproducible, with exact keypoints."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest
import torch
from builders import write_stills

from rednet_mm.datasets import VideoClipDataset
from rednet_mm.datasets.degradation import (
    KINDS,
    degradation_plan,
    degrade,
    displacement,
)
from rednet_mm.datasets.occluders import SHAPES, PhotoPatches, sprite
from rednet_mm.errors import UserError

SIZE, T = 96, 40


def runs(flags: list[bool]) -> list[tuple[bool, int]]:
    """Lengths of runs of equal values, the last, cut one left out."""
    edges = np.flatnonzero(np.diff(flags)) + 1
    parts = np.split(np.array(flags), edges)[:-1]
    return [(bool(part[0]), len(part)) for part in parts]


def plan(kind: str, seed: int = 0, n_frames: int = T, **settings) -> list:
    return degradation_plan(
        n_frames, np.random.default_rng(seed), [kind], **settings
    )


def picture(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def test_bursts_and_rests_last_as_long_as_they_should():
    for seed in range(20):
        found = runs([bool(frame) for frame in plan('dark', seed, 400)])
        bursts = [length for on, length in found if on]
        rests = [length for on, length in found if not on]
        assert 5 <= min(bursts) and max(bursts) <= 30
        # The first rest may be shorter.
        assert 5 <= min(rests[1:]) and max(rests) <= 30


def test_a_longer_plan_begins_with_the_shorter_one():
    whole = degradation_plan(200, np.random.default_rng(3))
    for length in (0, 1, 57, 199):
        part = degradation_plan(length, np.random.default_rng(3))
        assert pickle.dumps(part) == pickle.dumps(whole[:length])
    assert {kind for frame in whole for kind in frame} <= set(KINDS)


def test_two_kinds_come_together_in_the_share_that_is_asked_for():
    def bursts_of_two(paired: float) -> float:
        frames = degradation_plan(
            4000, np.random.default_rng(0), paired=paired
        )
        number = [len(frame) for frame in frames if frame]
        return float(np.mean(np.array(number) == 2))

    assert bursts_of_two(0) == 0
    assert bursts_of_two(1) == 1
    assert 0.15 < bursts_of_two(0.3) < 0.45


@pytest.mark.parametrize('kind', KINDS)
def test_each_kind_changes_frames_of_bursts_and_no_others(kind):
    clean = picture()
    frames = plan(kind, seed=1)
    assert any(frames) and not all(frames)
    for params in frames:
        found = degrade(clean, params)
        again = degrade(clean, params)
        assert found.shape == clean.shape and found.dtype == np.uint8
        assert (found == again).all()
        if not params:
            assert (found == clean).all()
    changed = [(degrade(clean, p) != clean).mean() for p in frames if p]
    assert np.median(changed) > 0.05
    # The image itself stays as it is.
    assert (clean == picture()).all()


@pytest.mark.parametrize('seed', range(4))
def test_keypoints_under_shake_are_those_at_the_middle_of_the_exposure(seed):
    # A spot's centre of mass lies where the picture is on average, while
    # the shutter is open; a path that is nearly straight has its middle
    # there, to a quarter of the way that it bends.
    at = np.array([45.3, 50.8])
    clean = np.zeros((SIZE, SIZE, 3), np.uint8)
    centre = np.round(at * 16).astype(int).tolist()
    cv2.circle(clean, centre, 4 * 16, (255,) * 3, -1, cv2.LINE_AA, 4)
    ys, xs = np.mgrid[:SIZE, :SIZE]
    moved = 0.0
    for params in plan('shake', seed):
        light = degrade(clean, params)[..., 0].astype(float)
        seen = np.array([(xs * light).sum(), (ys * light).sum()])
        way = displacement(params, SIZE)
        moved = max(moved, float(np.abs(way).max()))
        bend = 0.0
        if params:
            path = params['shake']['path'] * SIZE
            bend = np.abs(path.mean(0) - path[4]).max()
        np.testing.assert_allclose(
            seen / light.sum(), at + way, atol=0.15 + bend
        )
        assert bend < 0.03 * SIZE
    assert moved > 0.02 * SIZE


def test_darkness_is_dark_and_noisy():
    clean = np.full((SIZE, SIZE, 3), 200, np.uint8)
    shown = [degrade(clean, p) for p in plan('dark') if p]
    levels = [image.mean() for image in shown]
    assert 200 * 0.07 < min(levels) < 200 * 0.4
    darkest = shown[int(np.argmin(levels))]
    # Shot noise of at least 0.3 * sqrt(16) = 1.2 and read noise of 1.
    assert darkest.std() > 1.5
    noise = [image.astype(float) - image.mean() for image in shown[5:7]]
    assert abs((noise[0] * noise[1]).mean()) < 0.05 * darkest.std() ** 2


def test_occluders_come_and_go_before_the_face():
    clean = np.full((SIZE, SIZE, 3), 127, np.uint8)
    for seed in range(10):
        frames = plan('occluder', seed, 80, burst=(20, 30), rest=(5, 8))
        shares = [(degrade(clean, p) != clean).any(-1).mean() for p in frames]
        assert max(shares) > 0.04
        assert max(shares) < 0.6
        steps = np.diff(
            [p['occluder']['position'] for p in frames if p], axis=0
        )
        # From far away to the face in a few frames, but no jump; a burst
        # that follows may begin elsewhere.
        assert np.median(np.abs(steps)) < 0.2


@pytest.mark.parametrize('shape', SHAPES)
def test_sprites_have_soft_edges_and_texture(shape):
    drawn = sprite(shape, 5)
    opacity = drawn[..., 3]
    assert 0.04 < (opacity > 127).mean() < 0.75
    soft = (opacity > 10) & (opacity < 245)
    assert soft.sum() > 100
    inside = drawn[opacity > 250][:, :3]
    assert inside.std(0).min() > 3
    assert (drawn == sprite(shape, 5)).all()
    assert (drawn != sprite(shape, 6)).any()


def test_patches_are_cut_away_from_the_face(tmp_path):
    image = np.full((200, 300, 3), 255, np.uint8)
    image[60:140, 20:100] = 0  # the face
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), image)
    patches = PhotoPatches([(str(path), [20, 60, 80, 80])])
    for seed in range(10):
        piece = patches(seed)
        assert piece.shape == (128, 128, 3)
        assert (piece == 0).mean() < 0.1
    # To another process it goes without its cache.
    again = pickle.loads(pickle.dumps(patches))
    assert (again(3) == patches(3)).all()
    # A photo that is gone leaves drawn textures.
    gone = PhotoPatches([(str(tmp_path / 'no.png'), [0, 0, 9, 9])])
    assert gone(0) is None
    assert sprite('cup', 0, gone).shape == (128, 128, 4)


@pytest.mark.parametrize(
    'settings', [dict(kinds=['fog']), dict(kinds=[]), dict(burst=(0, 5))]
)
def test_a_wrong_setting_is_named(settings):
    with pytest.raises(UserError, match='degradation'):
        degradation_plan(5, np.random.default_rng(0), **settings)


# -- the transform ----------------------------------------------------------


def dataset(root, test_mode=False, **settings) -> VideoClipDataset:
    return VideoClipDataset(
        data_root=str(root),
        ann_file='annotations/all.json',
        data_prefix=dict(img=''),
        clip_length=T,
        clips_per_video=1,
        reverse=False,
        frames_of_still=T,
        test_mode=test_mode,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='GetBBoxCenterScale', padding=1.25),
            dict(type='ClipFromImage', occluder_prob=0, blur=0, seed=0),
            dict(type='TopdownAffine', input_size=(SIZE, SIZE), use_udp=True),
            dict(type='DegradeClip', **settings),
            dict(type='PackPoseInputs', meta_keys=('id', 'degradation')),
        ],
    )


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('stills')
    write_stills(folder / 'annotations' / 'all.json', images=2, size=128)
    return folder


def kinds_of(clip) -> list[list[str]]:
    return [s.metainfo['degradation'] for s in clip['data_samples']]


def test_a_clip_has_one_time_line_that_the_item_alone_decides(root):
    clips = dataset(root, patches=dict(ann_file=f'{root}/annotations/all.json'))
    first = clips[1]
    np.random.uniform(size=7)
    again = clips[1]
    assert torch.equal(first['inputs'], again['inputs'])
    found = runs([bool(kinds) for kinds in kinds_of(first)])
    assert 1 <= len(found) <= 8
    others = [kinds_of(clips[1 + 2 * epoch]) for epoch in range(1, 4)]
    assert any(other != kinds_of(first) for other in others)


def test_a_seed_gives_a_track_the_same_degradation_frame_by_frame(root):
    frames = dataset(root, test_mode=True, seed=5)
    forward = [frames[place]['inputs'] for place in range(T)]
    backward = [frames[place]['inputs'] for place in reversed(range(T))]
    for one, two in zip(forward, reversed(backward)):
        assert torch.equal(one, two)
    kinds = [
        frames[place]['data_samples'].metainfo['degradation']
        for place in range(2 * T)
    ]
    assert any(kinds[:T]) and any(kinds[T:])
    assert kinds[:T] != kinds[T:]


def test_keypoints_move_with_the_picture_in_crop_and_image(root):
    clean = dataset(root, test_mode=True, prob=0, seed=1)
    shaken = dataset(root, test_mode=True, kinds=['shake'], seed=1)
    clean.pipeline.transforms.pop()
    shaken.pipeline.transforms.pop()
    moved = []
    for place in range(T):
        one, two = clean[place], shaken[place]
        way = two['transformed_keypoints'] - one['transformed_keypoints']
        # All by the same way, in the crop and in the image.
        assert np.ptp(way[0], axis=0).max() < 1e-3
        there = two['keypoints'] - one['keypoints']
        assert np.ptp(there[0], axis=0).max() < 1e-2
        share = one['bbox_scale'][0, 0] / SIZE
        length = np.linalg.norm(way[0, 0])
        assert np.linalg.norm(there[0, 0]) == pytest.approx(
            length * share, rel=0.02, abs=1e-3
        )
        moved.append(length)
        if not two['degradation']:
            assert length == 0
    assert max(moved) > 0.02 * SIZE
