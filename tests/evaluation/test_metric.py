"""Errors of landmarks, worked out by hand and against MMPose's NME."""

from __future__ import annotations

import numpy as np
import pytest
from builders import face_shape, random_samples
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.evaluation.metrics import NME
from mmpose.structures import PoseDataSample

from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.evaluation import (
    FaceLandmarkMetric,
    area_under_curve,
    failure_rate,
    frame_errors,
)
from rednet_mm.evaluation.functional import norm_lengths
from rednet_mm.landmarks import SEVEN_OF_68

ALL = np.ones((1, 68), bool)


@pytest.fixture
def truth():
    """One frame, outer eye corners at (20, 30) and (70, 30): 50 pixels."""
    marks = np.tile([[45.0, 50.0]], (1, 68, 1))
    marks[0, 36], marks[0, 45] = (20, 30), (70, 30)
    return marks


def random_frames(n: int, seed: int = 0):
    """Faces of different size and place, and predictions some pixels off."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 2, (n, 1, 1))
    truth = face_shape(100) * scale + rng.uniform(-50, 50, (n, 1, 2))
    # Between frames the error grows from nothing to about a fifth.
    spread = np.linspace(0, 12, n)[:, None, None]
    return truth + rng.normal(0, 1, truth.shape) * spread, truth


def test_error_by_hand(truth):
    prediction = truth.copy()
    prediction[0, 10] += (3, 4)  # 5 pixels away
    prediction[0, 36] += (0, -12)
    # (5 + 12) / 68 pixels a point, over 50 pixels: 0.5 %.
    assert frame_errors(prediction, truth, ALL)[0] == pytest.approx(0.5)
    # Every point 5 pixels away: 10 %.
    assert frame_errors(truth + (3, 4), truth, ALL)[0] == pytest.approx(10)


def test_masked_points_do_not_count(truth):
    prediction = truth.copy()
    prediction[0, 0] += (3, 4)
    prediction[0, 1] += 1000
    visible = ALL.copy()
    visible[0, 1:30] = False
    # 5 pixels over the 39 points that are left, over 50 pixels.
    expected = 100 * 5 / 39 / 50
    assert frame_errors(prediction, truth, visible)[0] == pytest.approx(
        expected
    )
    # What is not annotated may hold anything.
    truth[0, 1:30] = np.nan
    assert frame_errors(prediction, truth, visible)[0] == pytest.approx(
        expected
    )


def test_norms_by_hand():
    marks = np.zeros((1, 68, 2))
    marks[0, :, 0] = np.arange(68)
    marks[0, 42:48, 1] = 8
    # 36 to 45: (9, 8), sqrt(145). Centres 38.5 and 44.5: (6, 8), 10.
    # Extent 67 x 8.
    assert norm_lengths(marks, 'outer_eyes')[0] == pytest.approx(145**0.5)
    assert norm_lengths(marks, 'pupils')[0] == pytest.approx(10)
    assert norm_lengths(marks, 'box')[0] == pytest.approx((67 * 8) ** 0.5)
    off = marks + (0, 1)
    assert frame_errors(off, marks, ALL, 'pupils')[0] == pytest.approx(10)
    with pytest.raises(ValueError, match="'eyes' is not one of outer_eyes"):
        norm_lengths(marks, 'eyes')


@pytest.mark.parametrize('norm', ['outer_eyes', 'pupils', 'box'])
def test_no_norm_or_no_point_is_nan(norm):
    prediction, truth = random_frames(4)
    visible = np.ones((4, 68), bool)
    truth[1] = truth[1, :1]  # all points in one
    visible[2] = False
    errors = frame_errors(prediction, truth, visible, norm)
    assert np.isnan(errors).tolist() == [False, True, True, False]
    # The frames beside them are not touched.
    alone = frame_errors(prediction[3:], truth[3:], visible[3:], norm)
    assert errors[3] == alone[0]


def test_norm_of_points_that_are_not_annotated():
    # Converters write a point that is not annotated as (0, 0): it must not
    # lend its place to the norm.
    prediction, truth = random_frames(3)
    visible = np.ones((3, 68), bool)
    visible[0, 36] = False
    visible[1, 0:17] = False
    whole = {
        norm: frame_errors(prediction, truth, visible, norm)
        for norm in ('outer_eyes', 'pupils', 'box')
    }
    truth[~visible] = 0
    for norm, expected in whole.items():
        errors = frame_errors(prediction, truth, visible, norm)
        np.testing.assert_array_equal(errors, expected)
    # Without the eye corner there is no distance of the eyes.
    lost = {norm: np.isnan(errors).tolist() for norm, errors in whole.items()}
    assert lost == {
        'outer_eyes': [True, False, False],
        'pupils': [True, False, False],
        'box': [False, False, False],
    }
    # The box is the extent of the points that are left.
    left = truth[1, 17:]
    width, height = left.max(0) - left.min(0)
    length = norm_lengths(truth, 'box', visible)[1]
    assert length == pytest.approx((width * height) ** 0.5)


def test_failure_rate_by_hand():
    errors = np.array([1.0, 10.0, 10.001, 50.0])
    # Larger than 10: two of four.
    assert failure_rate(errors) == 50
    assert failure_rate(errors, 0.5) == 100
    assert failure_rate(errors, 50) == 0


def test_area_under_curve_by_hand():
    # Of 0, 2, 8 and 20 up to 8: 1, 3/4, 0 and 0 are left.
    assert area_under_curve(np.array([0.0, 2, 8, 20])) == pytest.approx(43.75)
    assert area_under_curve(np.array([0.0])) == 100


@pytest.mark.parametrize('limit', [8.0, 10.0])
def test_area_under_curve_is_the_integral(limit):
    errors = np.random.default_rng(0).gamma(2, 3, 300)
    # The cumulative curve at the middles of 20000 strips.
    middles = (np.arange(20000) + 0.5) * limit / 20000
    curve = np.searchsorted(np.sort(errors), middles) / len(errors)
    assert area_under_curve(errors, limit) == pytest.approx(
        100 * curve.mean(), abs=0.01
    )


@pytest.mark.parametrize('norm', ['outer_eyes', 'pupils', 'box'])
def test_scale_translation_and_order_change_nothing(norm):
    prediction, truth = random_frames(20)
    visible = np.random.default_rng(1).random((20, 68)) > 0.2
    visible[:, 36:48] = True  # every norm is known
    errors = frame_errors(prediction, truth, visible, norm)
    assert (errors[1:] > 0).all()
    moved = frame_errors(
        3 * prediction + (7, -2), 3 * truth + (7, -2), visible, norm
    )
    np.testing.assert_allclose(moved, errors, rtol=1e-9)
    back = frame_errors(prediction[::-1], truth[::-1], visible[::-1], norm)
    np.testing.assert_array_equal(back[::-1], errors)


def samples_of(prediction, truth, visible):
    samples = random_samples(len(truth))
    for sample, found, marks, seen in zip(samples, prediction, truth, visible):
        sample.gt_instances.keypoints = marks[None]
        sample.gt_instances.keypoints_visible = seen[None]
        sample.pred_instances = InstanceData(
            keypoints=found[None], keypoint_scores=np.ones((1, len(found)))
        )
    return samples


def test_evaluator_end_to_end():
    prediction, truth = random_frames(30)
    visible = np.ones((30, 68), np.float32)
    visible[4] = 0
    samples = samples_of(prediction, truth, visible)
    evaluator = Evaluator(dict(type='FaceLandmarkMetric', auc_limit=10))
    for start in range(0, 30, 7):
        evaluator.process(samples[start : start + 7], None)
    figures = evaluator.evaluate(30)

    # The same, point by point.
    errors = []
    for frame in range(30):
        if frame == 4:
            continue
        eyes = np.hypot(*(truth[frame, 36] - truth[frame, 45]))
        total = sum(
            np.hypot(*(prediction[frame, k] - truth[frame, k]))
            for k in range(68)
        )
        errors.append(100 * total / 68 / eyes)
    mean = sum(errors) / 29
    spread = (sum((e - mean) ** 2 for e in errors) / 29) ** 0.5
    first = ['NME', 'NME_std', 'failure_rate', 'AUC@10']
    assert list(figures)[:4] == [f'face/{name}' for name in first]
    others = {
        *('failure_rate@8', 'AUC@8', 'missing', 'NME_51', 'NME_49', 'NME_7'),
        *('NME_pupils', 'NME_box', 'NME_eye_mouth'),
        *('NME_video', 'motion', 'acceleration', 'lag'),
    }
    assert set(figures) == {f'face/{name}' for name in [*first, *others]}
    assert figures['face/NME'] == pytest.approx(mean)
    assert figures['face/NME_std'] == pytest.approx(spread)
    failed = sum(error > 10 for error in errors)
    assert 0 < failed < 29
    assert figures['face/failure_rate'] == pytest.approx(100 * failed / 29)
    assert figures['face/AUC@10'] == pytest.approx(
        100 * sum(max(0, 1 - error / 10) for error in errors) / 29
    )


def test_agrees_with_the_nme_of_mmpose():
    prediction, truth = random_frames(25)
    samples = samples_of(prediction, truth, np.ones((25, 68), np.float32))
    theirs = NME(norm_mode='keypoint_distance', keypoint_indices=[36, 45])
    evaluator = Evaluator([FaceLandmarkMetric(), theirs])
    evaluator.dataset_meta = parse_pose_metainfo(FACE_68)
    evaluator.process(samples, None)
    figures = evaluator.evaluate(25)
    # Theirs is a share and in single precision, ours in percent.
    assert figures['NME'] > 0.01
    assert figures['face/NME'] / 100 == pytest.approx(figures['NME'], abs=1e-6)


def test_another_number_of_points_is_an_error():
    prediction, truth = random_frames(1)
    samples = samples_of(prediction[:, :21], truth, ALL)
    evaluator = Evaluator(FaceLandmarkMetric())
    with pytest.raises(ValueError) as caught:
        evaluator.process(samples, None)
    assert str(caught.value).startswith(
        'frame_0.jpg: 21 landmarks predicted, 68 annotated'
    )


def test_no_marks_at_all_is_an_error():
    prediction, truth = random_frames(2)
    samples = samples_of(prediction, truth, np.zeros((2, 68)))
    evaluator = Evaluator(FaceLandmarkMetric())
    evaluator.process(samples, None)
    with pytest.raises(ValueError, match='no frame has annotated landmarks'):
        evaluator.evaluate(2)


def test_a_prediction_that_is_not_a_number_is_not_left_out():
    truth = np.random.default_rng(0).uniform(0, 100, (2, 68, 2))
    found = truth.copy()
    found[1, 3] = np.nan
    errors = frame_errors(found, truth, np.ones((2, 68)))
    assert errors.tolist() == [0, np.inf]
    assert failure_rate(errors) == 50


def test_seven_points_are_measured_by_the_norm_of_all():
    truth = np.zeros((1, 68, 2))
    truth[0, 45] = [50, 0]  # outer eye corners 50 pixels apart
    found = truth[:, list(SEVEN_OF_68)].copy()
    found[0, 4] += [0, 7]  # the nose tip is 7 pixels off
    (error,) = frame_errors(found, truth, np.ones((1, 68)), points=SEVEN_OF_68)
    # 7 pixels over 7 points is 1 pixel, 2 % of 50.
    assert error == pytest.approx(2.0)


def evaluate(samples, **settings):
    evaluator = Evaluator(FaceLandmarkMetric(**settings))
    evaluator.process(samples, None)
    return evaluator.evaluate(len(samples))


def shifted(pixels):
    """Samples whose points are all so many pixels off, eyes 50 apart."""
    truth = np.tile([[45.0, 50.0]], (len(pixels), 68, 1))
    truth[:, 36], truth[:, 45] = (20, 30), (70, 30)
    prediction = truth + np.array(pixels, float)[:, None, None] * (1, 0)
    return samples_of(prediction, truth, np.ones((len(pixels), 68)))


@pytest.mark.parametrize(
    ('groups', 'values'),
    [('yaw', (-30.0, 30.0, 31.0, -90.0)), ('category', (1, 1, 2, 3))],
)
def test_groups_by_hand(groups, values):
    samples = shifted([1, 2, 4, 10])
    for sample, value in zip(samples, values):
        sample.set_metainfo({groups: value})
    figures = evaluate(samples, groups=groups)
    # 1 and 2 of 50 pixels are 2 and 4 %; 4 and 10 are 8 and 20 %.
    assert figures['face/common/NME'] == pytest.approx(3)
    assert figures['face/common/NME_std'] == pytest.approx(1)
    assert figures['face/common/failure_rate'] == 0
    assert figures['face/challenging/NME'] == pytest.approx(14)
    assert figures['face/challenging/failure_rate'] == pytest.approx(50)
    assert figures['face/NME'] == pytest.approx(8.5)


def test_a_frame_without_a_group_is_an_error():
    with pytest.raises(ValueError, match='has no yaw'):
        evaluate(shifted([1]), groups='yaw')
    with pytest.raises(ValueError, match="groups 'age' is not one of"):
        FaceLandmarkMetric(groups='age')


def test_box_size_is_what_the_file_says():
    samples = shifted([3])
    samples[0].set_metainfo(dict(box_size=60.0))
    # 3 of 60 pixels.
    assert evaluate(samples, norm='box_size')['face/NME'] == pytest.approx(5)
    with pytest.raises(ValueError, match='has no box_size'):
        evaluate(shifted([3]), norm='box_size')


def test_some_of_the_points_by_hand():
    samples = shifted([0])
    samples[0].pred_instances.keypoints[0, 48] += (7, 0)
    # Seven points, one of them 7 of 50 pixels off: 2 % on average.
    figures = evaluate(samples, points=SEVEN_OF_68)
    assert figures['face/NME'] == pytest.approx(2)


def test_seven_annotated_points_beside_68_predicted():
    (sample,) = shifted([0])
    sample.pred_instances.keypoints[0, 48] += (7, 0)
    # Has no truth, and counts for nothing.
    sample.pred_instances.keypoints[0, 0] += (99, 0)
    truth = sample.gt_instances.keypoints[:, list(SEVEN_OF_68)]
    sample.gt_instances = InstanceData(
        keypoints=truth, keypoints_visible=np.ones((1, 7))
    )
    figures = evaluate([sample])
    # One of seven is 7 of 50 pixels off.
    assert figures['face/NME'] == pytest.approx(2)
    assert not {'face/NME_51', 'face/NME_68'} & set(figures)


def test_weights_behind_the_visibility_are_left_alone():
    # KeypointConverter of MMPose makes (1, 68, 2) of it.
    samples = shifted([0])
    samples[0].pred_instances.keypoints[0, 48] += (7, 0)
    seen = np.zeros((1, 68, 2))
    seen[0, [36, 45, 48], 0] = 1
    seen[..., 1] = 1
    samples[0].gt_instances.keypoints_visible = seen
    # Three annotated points: 7 / 3 of 50 pixels.
    assert evaluate(samples)['face/NME'] == pytest.approx(14 / 3)


def still(marks, found, number):
    """A sample with no more than MMPose's own data sets give."""
    sample = PoseDataSample()
    sample.gt_instances = InstanceData(
        keypoints=marks[None], keypoints_visible=np.ones((1, len(marks)))
    )
    sample.pred_instances = InstanceData(keypoints=found[None])
    sample.set_metainfo(dict(id=number, img_id=1, img_path='a.jpg'))
    return sample


def test_stills_of_mmposes_own_data_sets():
    prediction, truth = random_frames(6)
    # Six faces of one image.
    samples = [still(truth[n], prediction[n], n) for n in range(6)]
    errors = frame_errors(prediction, truth, np.ones((6, 68)))
    figures = evaluate(samples)
    assert figures['face/NME'] == pytest.approx(errors.mean())
    assert 'face/NME_51' in figures and 'face/lag' not in figures
    # AFLW's 19 points of MMPose, over the size that its file gives.
    samples = [still(truth[n, :19], prediction[n, :19], n) for n in range(6)]
    for sample in samples:
        sample.set_metainfo(dict(box_size=50.0))
    off = np.linalg.norm(prediction - truth, axis=-1)[:, :19]
    figures = evaluate(samples, norm='box_size')
    assert figures['face/NME'] == pytest.approx(2 * off.mean())


def test_batches_and_their_order_change_no_bit():
    prediction, truth = random_frames(30)
    samples = samples_of(prediction, truth, np.ones((30, 68)))
    expected = evaluate(samples)
    evaluator = Evaluator(FaceLandmarkMetric())
    for start in range(28, -1, -4):  # the last frames first
        evaluator.process(samples[start : start + 4], None)
    evaluator.process(samples[:0], None)
    assert evaluator.evaluate(30) == expected
