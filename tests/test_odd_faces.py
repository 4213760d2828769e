"""Faces without marks, at the border, of a pixel: data, loss and metric."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from builders import (
    build_model,
    crop_pipeline,
    face_shape,
    random_samples,
    tiny_model_cfg,
    tracker_config,
    write_stills,
)
from mmengine.dataset import pseudo_collate
from mmpose.registry import DATASETS, METRICS, MODELS

from rednet_mm.apis import LandmarkTracker
from rednet_mm.apis.network import ModelNetwork
from rednet_mm.errors import UserError

SIZE = 64
NAMES = ('good', 'unmarked', 'border', 'pixel')


def as_odd(face: dict, name: str) -> None:
    """Make an annotation, of a face that fills its picture, an odd one."""
    marks = np.full((68, 3), 2.0)
    marks[:, :2] = face_shape(SIZE)
    x, y, side = 0.0, 0.0, float(SIZE)
    if name == 'unmarked':
        marks[:, 2] = 0
    if name == 'border':
        # Its left half is outside of the picture, but for what is cut off.
        x -= SIZE / 2
        marks[:, 0] -= SIZE / 2
    if name == 'pixel':
        marks[:, :2] = 40 + face_shape(1)
        x, y, side = 39.5, 39.5, 1.0
    face.update(
        keypoints=marks.ravel().tolist(),
        bbox=[x, y, side, side],
        center=[x + side / 2, y + side / 2],
        scale=side / 200,
        # MMPose leaves out what says 0 here; marks may yet be invisible.
        num_keypoints=68,
    )


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp('odd') / 'annotations' / 'odd.json'
    write_stills(path, images=len(NAMES), size=SIZE)
    content = json.loads(path.read_text())
    for face, name in zip(content['annotations'], NAMES):
        as_odd(face, name)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope='module')
def model():
    return build_model(tiny_model_cfg(size=SIZE))


def data(file, kind='VideoClipDataset', **settings):
    codec = tiny_model_cfg(size=SIZE)['head']['decoder']
    pipeline = crop_pipeline(SIZE)
    pipeline.insert(3, dict(type='GenerateTarget', encoder=codec))
    root = str(file.parents[1])
    return DATASETS.build(
        dict(
            type=kind,
            ann_file=str(file),
            data_root=root,
            data_prefix=dict(img=''),
            pipeline=pipeline,
            **settings,
        )
    )


def items(file, *names):
    """Clips of one frame: their faces, by name."""
    clips = data(file, clip_length=1, clips_per_video=1, reverse=False)
    return [clips[NAMES.index(name)] for name in names]


def losses_of(model, *clips):
    model.train().zero_grad()
    batch = model.data_preprocessor(pseudo_collate(clips), True)
    losses = model(**batch, mode='loss')
    accuracy = losses.pop('acc_pose')
    assert 0 <= accuracy.item() <= 1
    sum(losses.values()).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    # MMPose's accuracy stands among them.
    losses.pop('acc_pose')
    return losses, torch.cat([each.abs().reshape(-1) for each in gradients])


def test_without_marks_there_is_nothing_to_learn(file, model):
    losses, gradients = losses_of(model, *items(file, 'unmarked', 'unmarked'))
    assert all(value.item() == 0 for value in losses.values())
    assert gradients.max() == 0


@pytest.mark.parametrize('name', ['border', 'pixel', 'unmarked'])
def test_beside_a_good_face_numbers_stay_numbers(file, model, name):
    losses, gradients = losses_of(model, *items(file, 'good', name))
    assert all(0 < value.item() < np.inf for value in losses.values())
    assert torch.isfinite(gradients).all() and gradients.max() > 0


def test_a_face_that_says_it_has_no_marks_is_left_out(file, tmp_path):
    content = json.loads(file.read_text())
    content['annotations'][1]['num_keypoints'] = 0
    path = tmp_path / 'annotations' / 'less.json'
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    frames = data(path, test_mode=True)
    ids = [frames.get_data_info(place)['id'] for place in range(len(frames))]
    assert ids == [1, 3, 4]


def test_marks_in_the_crop_count_and_others_do_not(file):
    def weights(name):
        (clip,) = items(file, name)
        label = clip['data_samples'][0].gt_instance_labels
        return label.keypoint_weights, label.keypoint_labels

    assert weights('unmarked')[0].sum() == 0
    # The crop is of the box, whatever of it the picture has: all marks are
    # inside, at the same places as those of the face in the middle.
    seen, places = weights('border')
    assert seen.min() == 1
    torch.testing.assert_close(places, weights('good')[1], rtol=0, atol=1e-3)
    # One pixel is spread over the crop: padded by 1.25, 63 pixels of the
    # input are 1.25 of the picture; face_shape spans 0.72 in x.
    seen, places = weights('pixel')
    assert seen.min() == 1
    width = places[0, :, 0].max() - places[0, :, 0].min()
    assert width == pytest.approx(0.72 * 63 / 1.25, rel=1e-3)


@torch.no_grad()
def test_figures_are_defined(file, model):
    frames = data(file, test_mode=True)
    batch = pseudo_collate([frames[place] for place in range(len(NAMES))])
    rows = [each.to_dict() for each in model.eval().test_step(batch)]
    metric = METRICS.build(dict(type='FaceLandmarkMetric'))
    metric.process(None, rows)
    figures = metric.evaluate(len(NAMES))
    # Three of the four have marks.
    assert np.isfinite(figures['face/NME']) and figures['face/missing'] == 0
    metric.process(None, [rows[NAMES.index('unmarked')]])
    with pytest.raises(UserError, match='no frame'):
        metric.evaluate(1)


def test_all_marks_at_one_place_have_no_norm(file, model):
    # The eyes are no distance apart: nothing to divide by.
    (sample,) = random_samples(1)
    sample.gt_instances.keypoints[:] = 20
    sample.pred_instances = sample.gt_instances.clone()
    metric = METRICS.build(dict(type='FaceLandmarkMetric'))
    metric.process(None, [sample.to_dict()])
    with pytest.raises(UserError, match='no frame'):
        metric.evaluate(1)


KINDS = pytest.mark.parametrize(
    'kind', ['VideoClipDataset', 'Still300WDataset']
)


@KINDS
@pytest.mark.parametrize('scale', [0, -0.1, float('nan')])
def test_a_box_without_an_area_is_refused(file, tmp_path, kind, scale):
    content = json.loads(file.read_text())
    content['annotations'][1]['scale'] = scale
    path = tmp_path / 'annotations' / 'empty.json'
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        data(path, kind)
    message = str(caught.value)
    assert message.startswith(f'{path}: the box of face 2 in ')
    assert 'odd_1.jpg is empty or not finite; mend' in message


@KINDS
def test_a_file_without_faces_is_refused(file, tmp_path, kind):
    content = json.loads(file.read_text())
    content['annotations'] = []
    path = tmp_path / 'annotations' / 'none.json'
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r'none\.json holds no faces '):
        data(path, kind)


def test_an_empty_batch_is_refused():
    preprocessor = MODELS.build(tiny_model_cfg()['data_preprocessor'])
    with pytest.raises(UserError, match='a batch holds no frames'):
        preprocessor(dict(inputs=[], data_samples=[]), True)


# -- in films -----------------------------------------------------------------


@pytest.fixture(scope='module')
def tracker(model):
    network = ModelNetwork(model.eval(), tracker_config(SIZE))
    return LandmarkTracker(network, None, min_score=-1, max_spread=None)


@pytest.mark.parametrize(
    'box',
    [
        (63, 47, 1, 1),
        (-10, -10, 20, 20),
        (50, 30, 40, 40),
    ],
    ids=['pixel in the corner', 'corner', 'border'],
)
def test_a_box_that_is_a_face_gives_landmarks_that_are_numbers(tracker, box):
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    state = tracker.init_state()
    faces, state = tracker.step(frame, state, np.array([box], float))
    for face in faces:
        assert np.isfinite(face.keypoints).all()
    # A face is followed while its landmarks span four pixels, and is let go
    # with an event where they do not: a state is whole either way.
    faces, state = tracker.step(frame, state)
    assert all(np.isfinite(face.box).all() for face in faces)
    assert state.frame == 2


@pytest.mark.parametrize(
    'box', [(5, 5, 0, 3), (5, 5, 3, -1), (5, 5, np.inf, 3), (np.nan, 5, 3, 3)]
)
def test_a_box_that_is_none_is_refused(tracker, box):
    frame = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(UserError, match='frame 0: give x y w h of faces'):
        tracker.step(frame, tracker.init_state(), np.array([box], float))
