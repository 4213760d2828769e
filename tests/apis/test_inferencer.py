"""The drop-in for MMPose's inferencer: same call, results and files."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from mmpose.apis import MMPoseInferencer

from rednet_mm.apis import TrackedFace, read_frames
from rednet_mm.apis.inferencer import (
    REDNetInferencer,
    _as_instances,
    _as_xywh,
)
from rednet_mm.utils.errors import UserError


def test_boxes_of_every_form_become_x_y_w_h():
    # x1 y1 x2 y2 = 10 20 40 60: w = 30, h = 40.
    for boxes in ([[10, 20, 40, 60]], np.array([[10, 20, 40, 60, 0.9]])):
        np.testing.assert_array_equal(_as_xywh(boxes), [[10, 20, 30, 40]])
    assert _as_xywh([]) is None
    assert _as_xywh(None) is None


def test_instances_say_who_is_where():
    face = TrackedFace(
        id=3,
        box=np.array([10.0, 20, 30, 40]),
        keypoints=np.full((7, 2), 5.0),
        scores=np.linspace(0, 1, 7),
    )
    some = _as_instances([face, face], 7)
    assert some.keypoints.shape == (2, 7, 2)
    np.testing.assert_array_equal(some.bboxes[0], [10, 20, 40, 60])
    np.testing.assert_allclose(some.bbox_scores, 0.5)
    np.testing.assert_array_equal(some.track_ids, [3, 3])
    none = _as_instances([], 7)
    assert none.keypoints.shape == (0, 7, 2)
    assert none.bboxes.shape == (0, 4)


# -- with a network of random weights, and MMPose's inferencer beside it -----


@pytest.mark.parametrize('kind', [MMPoseInferencer, REDNetInferencer])
def test_weights_of_another_network_are_refused(weights, tmp_path, kind):
    path = tmp_path / 'other.pth'
    torch.save({'net.weight': torch.ones(1)}, path)
    with pytest.raises(UserError) as caught:
        kind(weights[0], str(path), device='cpu', det_model='whole_image')
    assert str(caught.value).startswith(f'{path} is of another network: ')


def test_a_still_is_what_mmpose_makes_of_it(weights, inferencer, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
    path = str(tmp_path / 'still.png')
    cv2.imwrite(path, image)
    peer = MMPoseInferencer(
        *weights, device='cpu', det_model='whole_image', scope='mmpose'
    )
    own, theirs = (
        list(each(path, out_dir=str(tmp_path / name), return_vis=True))
        for name, each in (('own', inferencer), ('theirs', peer))
    )
    assert len(own) == len(theirs) == 1
    (face,), (other,) = own[0]['predictions'][0], theirs[0]['predictions'][0]
    assert set(face) - set(other) == {'track_id'}
    np.testing.assert_allclose(
        face['keypoints'], other['keypoints'], atol=1e-3
    )
    np.testing.assert_allclose(
        face['keypoint_scores'], other['keypoint_scores'], atol=1e-5
    )
    np.testing.assert_allclose(face['bbox'], other['bbox'])
    assert own[0]['visualization'][0].shape == image.shape
    files = [
        sorted(
            str(each.relative_to(tmp_path / name))
            for each in (tmp_path / name).rglob('*.*')
        )
        for name in ('own', 'theirs')
    ]
    assert (
        files[0]
        == files[1]
        == [
            'predictions/still.json',
            'visualizations/still.png',
        ]
    )


def test_a_video_is_followed_from_the_boxes_given(inferencer, video, tmp_path):
    # x1 y1 x2 y2 of two faces in the first frame.
    boxes = [[[10, 5, 50, 45], [50, 30, 80, 60]]]
    out = tmp_path / 'out'
    results = list(inferencer(video, bboxes=boxes, out_dir=str(out)))
    found = [each['predictions'][0] for each in results]
    assert [[face['track_id'] for face in faces] for faces in found] == [
        [0, 1]
    ] * 4
    assert [face['bbox'][0] for face in found[0]] == [
        [10, 5, 50, 45],
        [50, 30, 80, 60],
    ]
    # What the tracker finds by itself.
    with read_frames(video) as reader:
        frames = [frame.image for frame in reader]
    alone = inferencer.tracker.track(
        frames, np.array([[10, 5, 40, 40], [50, 30, 30, 30]])
    )
    for faces, likewise in zip(found, alone):
        for face, same in zip(faces, likewise):
            np.testing.assert_array_equal(face['keypoints'], same.keypoints)
    saved = json.loads((out / 'predictions' / 'video.json').read_text())
    assert [frame['frame_id'] for frame in saved] == [0, 1, 2, 3]
    assert saved[3]['instances'][1]['track_id'] == 1
    with read_frames(str(out / 'visualizations' / 'video.mp4')) as reader:
        assert len(list(reader)) == 4


def test_two_videos_in_turns_do_not_touch(weights, video):
    first, second = (
        REDNetInferencer(*weights, device='cpu', det_model='whole_image')(
            video
        )
        for _ in range(2)
    )
    alone = list(
        REDNetInferencer(*weights, device='cpu', det_model='whole_image')(
            video
        )
    )
    turns = [(next(first), next(second)) for _ in range(4)]
    for (one, other), same in zip(turns, alone):
        assert one['predictions'] == other['predictions']
        assert one['predictions'] == same['predictions']


def test_pictures_are_stills_or_a_video_as_asked(inferencer):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (80, 96, 3), np.uint8) for _ in range(3)]
    boxes = [[[10, 5, 50, 45]]] * 3
    stills = list(inferencer(frames, bboxes=boxes))
    again = list(inferencer(frames[2:], bboxes=boxes))
    assert stills[2]['predictions'] == again[0]['predictions']
    video = list(inferencer(frames, bboxes=boxes[:1], sequence=True))
    assert video[0]['predictions'] == stills[0]['predictions']
    # The second frame's box comes from the first frame's landmarks.
    assert (
        video[1]['predictions'][0][0]['bbox']
        != (stills[1]['predictions'][0][0]['bbox'])
    )


def test_a_video_that_is_left_early_is_whole(inferencer, video, tmp_path):
    calls = inferencer(video, out_dir=str(tmp_path))
    next(calls)
    next(calls)
    calls.close()
    with read_frames(str(tmp_path / 'visualizations/video.mp4')) as reader:
        assert len(list(reader)) == 2
    saved = json.loads((tmp_path / 'predictions' / 'video.json').read_text())
    assert [frame['frame_id'] for frame in saved] == [0, 1]


def test_no_face_is_no_result(weights, tmp_path):
    blind = REDNetInferencer(*weights, device='cpu', min_score=2)
    (result,) = blind(np.zeros((80, 96, 3), np.uint8), return_vis=True)
    assert result['predictions'] == [[]]
    assert result['visualization'][0].shape == (80, 96, 3)


def test_broken_pictures_are_named(inferencer, tmp_path):
    broken = tmp_path / 'broken.jpg'
    broken.write_bytes(b'no image')
    with pytest.raises(UserError, match=r'broken\.jpg is not an image'):
        list(inferencer(str(broken)))
    with pytest.raises(FileNotFoundError, match=r'missing\.jpg does not'):
        list(inferencer(str(tmp_path / 'missing.jpg')))
