"""Accuracy and F1 of response maps, counted by hand."""

from __future__ import annotations

import pytest
import torch
from builders import random_samples
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData

from rednet_mm.evaluation import ResponseMapMetric
from rednet_mm.utils.landmarks import SEVEN_OF_68


def sample_with_maps(maps):
    """One frame of 64 x 64 pixels with all keypoints on map pixel (4, 4).

    The maps are 8 x 8: map pixel 4 lies at 4 / 7 of the crop.
    """
    (sample,) = random_samples(1, 64)
    sample.gt_instances.keypoints[:] = 63 * 4 / 7
    sample.pred_fields = PixelData(heatmaps=maps)
    return sample


def evaluate(samples, **settings):
    evaluator = Evaluator(ResponseMapMetric(**{'radius': 1, **settings}))
    evaluator.process(samples, None)
    return evaluator.evaluate(len(samples))


def cross(maps, at=(4, 4)):
    """The five pixels within 1 of (x, y) = ``at`` in every map."""
    x, y = at
    for dx, dy in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        maps[:, y + dy, x + dx] = 1.0
    return maps


def test_right_maps_are_right():
    metrics = evaluate([sample_with_maps(cross(torch.zeros(68, 8, 8)))])
    assert set(metrics) == {
        f'map/{kind}/{part}'
        for kind in ('accuracy', 'f1')
        for part in (
            'contour', 'brows', 'nose', 'left_eye', 'right_eye', 'mouth', 'all'
        )
    }  # fmt: skip
    assert set(metrics.values()) == {100.0}


def test_by_hand():
    maps = cross(torch.zeros(68, 8, 8))
    # The left eye's six maps lie one pixel to the right: of the true five
    # pixels two are hit, three missed, and three called for nothing.
    maps[36:42] = cross(torch.zeros(6, 8, 8), at=(5, 4))
    # Below the threshold nothing is called: the mouth is empty.
    maps[48:] *= 0.4
    metrics = evaluate([sample_with_maps(maps)])
    assert metrics['map/accuracy/left_eye'] == pytest.approx(100 * 58 / 64)
    assert metrics['map/f1/left_eye'] == pytest.approx(100 * 2 * 2 / 10)
    assert metrics['map/accuracy/mouth'] == pytest.approx(100 * 59 / 64)
    assert metrics['map/f1/mouth'] == 0
    assert metrics['map/f1/right_eye'] == 100
    # All: 6 maps with 6 wrong pixels, 20 with 5, of 68 * 64.
    wrong = 6 * 6 + 20 * 5
    assert metrics['map/accuracy/all'] == pytest.approx(
        100 * (1 - wrong / 68 / 64)
    )


def test_marks_that_are_not_annotated_do_not_count():
    maps = cross(torch.zeros(68, 8, 8))
    maps[36] = 1.0
    sample = sample_with_maps(maps)
    sample.gt_instances.keypoints_visible[0, 36] = 0
    assert evaluate([sample])['map/accuracy/left_eye'] == 100


def test_seven_maps_are_those_of_detection():
    maps = cross(torch.zeros(7, 8, 8))
    # The nose tip's map is all ones: 59 pixels wrong.
    maps[SEVEN_OF_68.index(30)] = 1.0
    metrics = evaluate([sample_with_maps(maps)])
    assert metrics['map/accuracy/nose'] == pytest.approx(100 * 5 / 64)
    assert metrics['map/accuracy/mouth'] == 100
    assert 'map/accuracy/brows' not in metrics


def test_what_cannot_be_measured():
    (sample,) = random_samples(1, 64)
    with pytest.raises(ValueError, match='output_heatmaps=True'):
        evaluate([sample])
    with pytest.raises(ValueError, match='21 response maps for 68'):
        evaluate([sample_with_maps(torch.zeros(21, 8, 8))])
