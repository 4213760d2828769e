"""Offline annotation: many views of a face, smoothing both ways, doubt."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import face_shape

from rednet_mm.apis.network import FaceResult
from rednet_mm.apis.offline_annotation import (
    VIEWS,
    OfflineSettings,
    SeenFace,
    look_again,
    settle,
    smooth_track,
)
from rednet_mm.datasets.metainfo import FLIP_PAIRS_68

sys.path.insert(0, str(Path(__file__).parents[1] / 'tools'))

import annotate_video
import robustness

ROOT = Path(__file__).parents[1]

VIDEO = ROOT.parent / 'shared' / 'videos' / 'people' / 'lp_d18.mp4'

FACE = face_shape(100) + 60

MIRROR = np.arange(68)
for one, other in FLIP_PAIRS_68:
    MIRROR[[one, other]] = other, one


class GradientNetwork:
    """Finds fixed points of an image whose colour says where it is.

    In a mirror it takes left for right, as a network of faces does.
    """

    input_size = (128, 128)
    num_keypoints = 68
    padding = 1.25
    settings: dict = {}

    def run(self, crops, states):
        found = []
        for crop in crops.astype(float):
            x, y = crop[..., 0], crop[..., 1]
            mirrored = x[64, 100] < x[64, 28]
            for point in FACE[MIRROR] if mirrored else FACE:
                away = (x - point[0]) ** 2 + (y - point[1]) ** 2
                near = np.argwhere(away == away.min())
                found.append(near.mean(0)[::-1])
        keypoints = np.array(found, np.float32).reshape(len(crops), 68, 2)
        ones = np.ones((len(crops), 68), np.float32)
        return FaceResult(keypoints, ones, ones), [None] * len(crops)


def test_views_and_mirrors_agree_on_the_frame():
    ys, xs = np.mgrid[:230, :230].astype(np.uint8)
    frame = np.dstack([xs, ys, 0 * xs])
    # Looked for about there, with the eyes not level.
    angle = np.radians(4)
    turn = np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    about = (FACE - FACE.mean(0)) @ turn + FACE.mean(0) + 1
    views = look_again(GradientNetwork(), frame, about)
    assert views.shape == (2 * len(VIEWS), 68, 2)
    # Whole numbers in the crop and in the colours: a pixel each.
    # The contour may lie outside a crop that is shifted.
    away = views[:, 17:] - FACE[17:]
    assert np.abs(away).max() < 1.8
    # No bias: a mirror is W - 1 - x.
    assert np.abs(away.mean((0, 1))).max() < 0.3


def track(frames: int, noise: float = 0.0, fast: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    times = np.arange(frames)[:, None, None]
    way = np.concatenate(
        [20 * np.sin(times / 15), fast * np.sin(times * 1.8)], -1
    )
    return FACE + way + rng.normal(0, noise, (frames, 68, 2))


def test_noise_falls_and_motion_stays_where_it_is():
    clean, noisy = track(60), track(60, 0.5)
    smooth = smooth_track(noisy, 7)
    before, after = (np.abs(each - clean).mean() for each in (noisy, smooth))
    assert after < 0.75 * before
    np.testing.assert_allclose(smooth_track(clean, 7), clean, atol=0.02)


def test_a_head_that_shakes_is_followed():
    shaking = track(60, fast=25.0)
    # A cubic through seven frames would be off by most of the way.
    assert np.abs(smooth_track(shaking, 7) - shaking).max() < 0.5


def test_a_blink_keeps_its_height():
    blinking = track(40)
    # Closed within two frames, open again within two.
    for frame, share in ((18, 0.5), (19, 1), (20, 1), (21, 0.5)):
        blinking[frame, [37, 38, 43, 44], 1] += 8 * share
    smooth = smooth_track(blinking, 7)

    def opening(points):
        return points[:, 41, 1] - points[:, 37, 1]

    heights = [np.ptp(opening(each)) for each in (blinking, smooth)]
    assert heights[1] > 0.8 * heights[0]
    assert abs(opening(smooth).argmin() - 19.5) <= 1


def seen(points: np.ndarray, **changes) -> list[SeenFace]:
    return [
        SeenFace(frame, 0, each, changes.get('disagreement', 0.005), True)
        for frame, each in enumerate(points)
    ]


def test_frames_of_doubt_are_left_out():
    faces = seen(track(40, 0.1))
    faces[10] = dataclasses.replace(faces[10], disagreement=0.1)
    faces[20] = dataclasses.replace(faces[20], inside=False)
    found, left_out = settle(faces)
    frames = [face.frame for face in found]
    assert frames == [n for n in range(40) if n not in (10, 20)]
    assert left_out['views'] == left_out['outside'] == 1
    # Nothing of a gap comes into its neighbours; parts too short to smooth
    # go.
    faces[14] = dataclasses.replace(faces[14], disagreement=0.1)
    found, left_out = settle(faces)
    assert left_out['short'] == 3 + 5
    small = [
        dataclasses.replace(face, keypoints=face.keypoints / 10)
        for face in faces
    ]
    assert settle(small)[0] == []


def test_a_jump_begins_anew():
    points = track(30)
    points[15:] += 80
    found, _ = settle(seen(points))
    assert len(found) == 30
    error = [np.abs(f.keypoints - points[f.frame]).max() for f in found]
    assert max(error) < 0.1


def test_no_video_gives_nothing():
    assert settle([]) == ([], settle([])[1])
    assert OfflineSettings().window % 2 == 1


@pytest.fixture(scope='module')
def annotated(tmp_path_factory):
    if not VIDEO.is_file():
        pytest.skip(f'{VIDEO} is not there')
    out = tmp_path_factory.mktemp('offline')
    table = out / 'people.csv'
    table.write_text('video,subject,split\nlp_d18,somebody,val\n')
    command = ['annotate_video.py', str(VIDEO), '--out', str(out)]
    command += ['--subjects', str(table), '--max-frames', '10']
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', command)
        annotate_video.main()
    return out / 'annotations' / 'offline_val.json'


def test_a_video_becomes_a_data_set(annotated):
    content = json.loads(annotated.read_text())
    assert content['info']['source'] == 'offline'
    assert content['info']['counts']['annotations'] == 10
    assert [s['name'] for s in content['subjects']] == ['somebody']
    for image in content['images']:
        assert (annotated.parents[1] / image['file_name']).is_file()
    points = np.array(content['annotations'][0]['keypoints']).reshape(68, 3)
    # A face that looks at us, upright.
    assert points[36, 0] < points[45, 0] and points[30, 1] < points[57, 1]


def test_its_degraded_versions_are_measured(annotated, capsys, tmp_path):
    command = ['robustness.py', '--videos', str(annotated), '--frames', '10']
    command += ['--kinds', 'clean', 'dark', '--out', str(tmp_path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', command)
        robustness.main()
    values = json.loads((tmp_path / 'robustness.json').read_text())['values']
    assert set(values) == {'clean', 'dark'}
    for systems in values.values():
        assert len(systems) == 3
        for found in systems.values():
            assert found['frames'] == 10
            assert found['nmf'] > 0
    raw = next(iter(values['clean'].values()))
    # The reference is this model's own, seen several times.
    assert raw['NME'] < 4 and raw['offset_free'] < raw['NME']
    assert 'clean: rednet' in capsys.readouterr().out


def test_a_wrong_window_is_named(tmp_path, capsys):
    command = ['annotate_video.py', 'x.mp4', '--out', str(tmp_path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [*command, '--window', '6'])
        with pytest.raises(SystemExit):
            annotate_video.main()
    assert 'odd number from 5' in capsys.readouterr().err
