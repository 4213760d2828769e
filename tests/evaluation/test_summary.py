"""All figures in one pass, and systems side by side."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up import random_faces, rows_of, stills_of, videos_of
from mmpose.evaluation.functional import keypoint_nme

from rednet_mm.analysis.comparison import compare
from rednet_mm.evaluation.protocol import (
    PROTOCOLS,
    Protocol,
    named_protocol,
    point_indices,
)
from rednet_mm.evaluation.records import pair, records_from_rows
from rednet_mm.evaluation.summary import evaluate
from rednet_mm.utils.landmarks import INNER_49, INNER_51, SEVEN_OF_68

PLAIN = Protocol()


def shifted(pixels):
    """Truth and predictions so many pixels off; the eyes are 50 apart."""
    truth = np.tile([[45.0, 50.0]], (len(pixels), 68, 1))
    truth[:, 36], truth[:, 45] = (20, 30), (70, 30)
    return truth + np.array(pixels)[:, None, None] * (1.0, 0), truth


# -- figures ------------------------------------------------------------------


def test_metrics_by_hand():
    # 1, 2, 4.5, and 10 of 50 pixels: 2, 4, 9 and 20 %; the first two and the
    # others are a video each.
    found = evaluate(videos_of(*shifted([1, 2, 4.5, 10]), [2, 2]), PLAIN)
    metrics = found.metrics
    assert metrics['NME'] == metrics['NME_frame'] == pytest.approx(8.75)
    assert metrics['NME_video'] == pytest.approx((3 + 14.5) / 2)
    # Deviations -6.75, -4.75, 0.25, 11.25: squares 45.5625, 22.5625,
    # 0.0625, 126.5625, mean 48.6875.
    assert metrics['NME_std'] == pytest.approx(48.6875**0.5)
    assert metrics['failure_rate@8'] == 50
    assert metrics['failure_rate@10'] == 25
    # Of 8: 6/8 and 4/8; of 10: 8/10, 6/10 and 1/10.
    assert metrics['AUC@8'] == pytest.approx(100 * 1.25 / 4)
    assert metrics['AUC@10'] == pytest.approx(100 * 1.5 / 4)
    assert (metrics['frames'], metrics['missing']) == (4, 0)
    np.testing.assert_allclose(found.tracks['NME'], [3, 14.5])
    np.testing.assert_allclose(found.landmarks, 8.75)
    np.testing.assert_allclose(found.errors, [2, 4, 9, 20])
    thresholds, shares = found.ced
    at = dict(zip(thresholds.tolist(), shares.tolist()))
    assert (at[1.0], at[2.5], at[5.0], at[9.5], at[10.0]) == (
        *(0, 25, 50, 75, 75),
    )


def test_video_means_weigh_videos_alike():
    records = videos_of(*shifted([1, 1, 1, 5]), [3, 1])
    by_frame = evaluate(records, PLAIN).metrics
    by_video = evaluate(records, Protocol(mean='video')).metrics
    assert by_frame['NME'] == pytest.approx((3 * 2 + 10) / 4)
    assert by_video['NME'] == pytest.approx((2 + 10) / 2)


def test_a_lost_frame_is_a_failure_and_counted():
    prediction, truth = shifted([1, 2, 3, 4])
    prediction[2] = np.nan
    metrics = evaluate(videos_of(prediction, truth, [4]), PLAIN).metrics
    # The mean is over 2, 4 and 8 %.
    assert metrics['NME'] == pytest.approx(14 / 3)
    assert (metrics['missing'], metrics['frames']) == (1, 4)
    assert metrics['failure_rate@10'] == 25
    assert metrics['AUC@10'] == pytest.approx(100 * (0.8 + 0.6 + 0.2) / 4)


def test_nothing_predicted_is_no_small_error():
    prediction, truth = shifted([1, 2])
    metrics = evaluate(videos_of(prediction * np.nan, truth, [2]), PLAIN)
    assert metrics.metrics['NME'] == metrics.metrics['NME_video'] == np.inf
    assert metrics.metrics['AUC@8'] == 0
    assert metrics.metrics['failure_rate@10'] == 100


@pytest.mark.parametrize('norm', ['outer_eyes', 'pupils', 'box', 'eye_mouth'])
@pytest.mark.parametrize('points', ['68', '51', '49', '7'])
def test_an_independent_computation_agrees(norm, points):
    prediction, truth = random_faces(200)
    metrics = evaluate(
        stills_of(prediction, truth), Protocol(norm=norm, points=points)
    ).metrics
    chosen = dict(zip(('68', '51', '49', '7'), (
        [*range(68)], [*range(17, 68)],
        [k for k in range(17, 68) if k not in (60, 64)],
        [36, 39, 42, 45, 30, 48, 54],
    )))[points]  # fmt: skip
    errors = []
    for p, g in zip(prediction, truth):
        corners = (g[36] + g[39] + g[42] + g[45]) / 4
        length = dict(
            outer_eyes=np.hypot(*(g[36] - g[45])),
            pupils=np.hypot(*(g[36:42].mean(0) - g[42:48].mean(0))),
            box=(np.ptp(g[:, 0]) * np.ptp(g[:, 1])) ** 0.5,
            eye_mouth=np.hypot(*(corners - (g[48] + g[54]) / 2)),
        )[norm]
        off = [np.hypot(*(p[k] - g[k])) for k in chosen]
        errors.append(100 * np.mean(off) / length)
    errors = np.array(errors)
    expected = {
        'NME': errors.mean(),
        'NME_std': errors.std(),
        'failure_rate@8': 100 * (errors > 8).mean(),
        'failure_rate@10': 100 * (errors > 10).mean(),
        'AUC@8': 100 * np.maximum(0, 1 - errors / 8).mean(),
        'AUC@10': 100 * np.maximum(0, 1 - errors / 10).mean(),
    }
    found = {name: metrics[name] for name in expected}
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_nme_of_mmpose_agrees():
    prediction, truth = random_faces(50)
    visible = np.random.default_rng(1).random((50, 68)) > 0.3
    visible[:, [36, 45]] = True
    records = records_from_rows(rows_of(prediction, truth, visible))
    eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)
    # MMPose: the mean over all points of all faces. It is ours where each
    # face has the same number of points, or is weighed by it.
    theirs = keypoint_nme(
        prediction, truth, visible, np.repeat(eyes[:, None], 2, 1)
    )
    errors, count = evaluate(records, PLAIN).errors, visible.sum(1)
    # It works in single precision.
    assert (errors * count).sum() / count.sum() / 100 == pytest.approx(
        theirs, rel=1e-6
    )
    alike = keypoint_nme(
        prediction,
        truth,
        np.ones((50, 68), bool),
        np.repeat(eyes[:, None], 2, 1),
    )
    metrics = evaluate(stills_of(prediction, truth), PLAIN).metrics
    assert metrics['NME'] / 100 == pytest.approx(alike, rel=1e-6)


def test_point_sets():
    assert tuple(range(17, 68)) == INNER_51
    assert set(INNER_51) - set(INNER_49) == {60, 64}
    assert point_indices('7') == SEVEN_OF_68
    assert point_indices('all', 19) == tuple(range(19))
    assert point_indices('3,5') == (3, 5)
    for name, number in (('51', 19), ('99', 68), ('eyes', 68)):
        with pytest.raises(ValueError, match='are not a set of'):
            point_indices(name, number)


def test_seven_points_cannot_be_measured_as_68():
    prediction, truth = random_faces(3)
    records = stills_of(
        prediction[:, list(SEVEN_OF_68)], truth, points=SEVEN_OF_68
    )
    with pytest.raises(ValueError, match='predicts 7 points, and not point 0'):
        evaluate(records, PLAIN)
    seven = evaluate(records, Protocol(points='7')).metrics
    all_of_them = evaluate(
        stills_of(prediction, truth), Protocol(points='7')
    ).metrics
    assert seven == pytest.approx(all_of_them, nan_ok=True)


def test_other_schemes_by_the_box():
    prediction, truth = random_faces(5)
    records = stills_of(
        prediction[:, :19], truth[:, :19], points=tuple(range(19)),
        box_size=50.0,
    )  # fmt: skip
    found = evaluate(records, Protocol(points='all', norm='box_size'))
    off = np.linalg.norm(prediction - truth, axis=-1)[:, :19].mean()
    assert found.metrics['NME'] == pytest.approx(2 * off)
    assert set(found.others) == {('box', 'all'), ('box_size', 'all')}
    with pytest.raises(ValueError, match='needs 68 points'):
        evaluate(records, Protocol(points='all'))


# -- what must not matter -----------------------------------------------------


def test_order_of_rows_changes_nothing():
    prediction, truth = random_faces(40)
    records = videos_of(prediction, truth, [15, 20, 5])
    rng = np.random.default_rng(0)
    mixed = records.select(rng.permutation(40))
    one, two = evaluate(records, PLAIN), evaluate(mixed, PLAIN)
    assert one.metrics == pytest.approx(two.metrics, rel=1e-12, nan_ok=True)
    # Rows that come in another order are put in order: to the last bit.
    rows = rows_of(prediction, truth)
    mixed_rows = [rows[i] for i in rng.permutation(40)]
    again = evaluate(records_from_rows(mixed_rows), PLAIN)
    assert again.metrics == evaluate(
        records_from_rows(rows_of(prediction, truth)), PLAIN
    ).metrics  # fmt: skip


def test_scale_and_translation_change_nothing():
    prediction, truth = random_faces(40)
    one, two = (
        evaluate(videos_of(a, b, [15, 25]), PLAIN).metrics
        for a, b in (
            (prediction, truth),
            (3 * prediction + (7, -2), 3 * truth + (7, -2)),
        )
    )
    assert one == pytest.approx(two, rel=1e-9)


# -- groups -------------------------------------------------------------------


def test_groups_by_hand():
    values = shifted([1, 2, 4, 10])
    found = evaluate(
        stills_of(*values, category=[1, 1, 2, 3]), PROTOCOLS['300vw']
    ).groups
    assert {name: own['NME'] for name, own in found.items()} == pytest.approx(
        dict(common=3, challenging=14, category_1=3, category_2=8,
             category_3=20)
    )  # fmt: skip
    found = evaluate(
        stills_of(*values, group=['ibug', 'helen', 'helen', 'lfpw']),
        PROTOCOLS['300w'],
    ).groups
    assert {name: own['NME'] for name, own in found.items()} == pytest.approx(
        dict(ibug=2, helen=6, lfpw=20)
    )
    with pytest.raises(ValueError, match=r'0002.jpg has no category'):
        evaluate(
            stills_of(*values, category=[1, 1, None, 3]), PROTOCOLS['300vw']
        )


# -- systems side by side -----------------------------------------------------


def systems(seed=0, videos=12, frames=10, worse=0.3):
    """Two systems on the same videos, the second a little worse in all."""
    rng = np.random.default_rng(seed)
    number = videos * frames
    _, truth = random_faces(number, seed)
    hard = np.repeat(rng.uniform(0.5, 3, videos), frames)[:, None, None]
    off = rng.normal(0, 1, truth.shape) * hard
    lengths = [frames] * videos
    return [
        videos_of(truth + off, truth, lengths, 'one'),
        videos_of(truth + (1 + worse) * off, truth, lengths, 'two'),
    ]


def test_intervals_are_those_of_the_plain_bootstrap():
    one, two = systems()
    found = compare([one, two], PLAIN, samples=300, seed=4)
    errors = [each.errors for each in found.summaries]
    # Draw videos, and put their frames together.
    rng = np.random.default_rng(4)
    draws = np.concatenate(
        [rng.integers(12, size=(n, 12)) for n in (64, 64, 64, 64, 44)]
    )
    rows = np.arange(120).reshape(12, 10)
    means = [[e[rows[d]].mean() for d in draws] for e in errors]
    spreads = [errors[0][rows[d]].std() for d in draws]
    fails = [100 * (errors[1][rows[d]] > 8).mean() for d in draws]
    assert found.metric(0, 'NME')[1:] == pytest.approx(
        np.percentile(means[0], [2.5, 97.5])
    )
    assert found.metric(0, 'NME_std')[1:] == pytest.approx(
        np.percentile(spreads, [2.5, 97.5])
    )
    assert found.metric(1, 'failure_rate@8')[1:] == pytest.approx(
        np.percentile(fails, [2.5, 97.5])
    )
    difference = found.difference(1, 'NME')
    assert difference.value == pytest.approx(
        errors[1].mean() - errors[0].mean()
    )
    assert difference[1:] == pytest.approx(
        np.percentile(np.subtract(means[1], means[0]), [2.5, 97.5])
    )


def test_a_difference_is_known_where_pairs_tell_it():
    found = compare(systems(), PLAIN, samples=500)
    # Hard and easy videos: the intervals overlap, the difference is sure.
    assert found.metric(0, 'NME').high > found.metric(1, 'NME').low
    assert found.difference(1, 'NME').low > 0
    (table,) = [t for t in found.tables() if t.title.startswith('Diff')]
    assert table.rows[0][0] == 'two' and table.rows[0][3] == 'yes'
    same = compare([*systems()[:1], systems(worse=0)[1]], PLAIN, samples=100)
    assert same.difference(1, 'NME') == (0, 0, 0)


def test_frames_of_a_video_are_no_independent_sample():
    prediction, truth = random_faces(200)
    prediction[:] = truth + 1.0
    prediction[100:] += 4.0  # one video of two is worse throughout
    by_video = compare([videos_of(prediction, truth, [100] * 2)], PLAIN, 400)
    by_image = compare([stills_of(prediction, truth)], PLAIN, 400)
    widths = [
        np.ptp(found.metric(0, 'NME')[1:]) for found in (by_video, by_image)
    ]
    assert widths[0] > 3 * widths[1]
    assert by_video.metric(0, 'NME').value == pytest.approx(
        by_image.metric(0, 'NME').value
    )
    one = compare([videos_of(prediction, truth, [200])], PLAIN, 50)
    assert np.isnan(one.metric(0, 'NME')[1:]).all()


def test_the_seed_decides():
    one, again, other = (
        compare(systems(), PLAIN, samples=50, seed=seed).metric(0, 'NME')
        for seed in (1, 1, 2)
    )
    assert one == again != other


def test_pairs_are_found_wherever_the_files_are():
    one, two = systems()
    moved = dataclasses.replace(
        two,
        keys=tuple((f'/elsewhere/{p}', face) for p, face in two.keys),
    ).select(np.arange(119, 4, -1))  # backwards, and five are not there
    a, b = pair([one, moved])
    assert len(a) == len(b) == 115
    np.testing.assert_array_equal(a.prediction, one.prediction[5:])
    np.testing.assert_array_equal(b.prediction, two.prediction[5:])
    note = compare([one, moved], PLAIN, 10).tables()[0].note
    assert 'left out: 5 of one, 0 of two' in note


def test_other_data_cannot_be_compared():
    one, two = systems()
    other = dataclasses.replace(two, truth=two.truth + 1)
    with pytest.raises(ValueError, match='not measured on the same data'):
        compare([one, other], PLAIN)
    lost = dataclasses.replace(two, keys=tuple((k, 'x') for k, _ in two.keys))
    with pytest.raises(ValueError, match='no frame is common'):
        compare([one, lost], PLAIN)


def test_a_face_that_comes_twice_is_an_error():
    rows = rows_of(*random_faces(3), path='a.jpg', face=['0', '1', '0'])
    with pytest.raises(ValueError, match=r'a.jpg \(face 0\) is there twice'):
        records_from_rows(rows)


def test_protocols_are_what_they_are_called():
    assert all(name == each.name for name, each in PROTOCOLS.items())
    changed = named_protocol('300vw', norm='pupils', boxes='tracking')
    assert changed.name == '300vw, changed'
    same = named_protocol('300vw', norm='outer_eyes', boxes='tracking')
    assert same.name == '300vw' and 'boxes from tracking' in same.sentence()
    with pytest.raises(ValueError, match="protocol 'x' is not one of rednet"):
        named_protocol('x')
    with pytest.raises(ValueError, match="mean 'median' is not one of"):
        named_protocol('300w', mean='median')
