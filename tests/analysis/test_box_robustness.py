"""Shift and scale of boxes, and the tables made of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import build_model, crop_pipeline, tiny_model_cfg, write_stills
from mmengine.config import Config
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

from rednet_mm.analysis.box_robustness import (
    Perturbation,
    detector_table,
    perturbations,
    robustness_tables,
)
from rednet_mm.datasets import ShiftScaleBox
from rednet_mm.evaluation import Protocol
from rednet_mm.tracking.crops import Cropper
from rednet_mm.utils.errors import UserError

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))

import box_robustness


def test_box_by_hand():
    # 10 x 20 about (15, 30): a quarter of 20 down, twice as large.
    box = Perturbation(0.25, np.pi / 2, 2.0).of(np.array([10.0, 20, 10, 20]))
    np.testing.assert_allclose(box, [5, 15, 20, 40], atol=1e-9)


def test_transform_by_hand():
    results = dict(
        bbox=np.array([[10, 20, 20, 40]], np.float32),
        bbox_center=np.array([[15, 30]], np.float32),
        bbox_scale=np.array([[12.5, 25]], np.float32),
    )
    found = ShiftScaleBox((0.5, -0.25), 2.0)(results)
    np.testing.assert_allclose(found['bbox_center'], [[25, 25]])
    np.testing.assert_allclose(found['bbox_scale'], [[25, 50]])
    np.testing.assert_allclose(found['bbox'], [[10, 20, 20, 40]])


@pytest.mark.parametrize('shift, scale', [((0, 0), 0), ((np.nan, 0), 1)])
def test_what_leaves_no_box_is_refused(shift, scale):
    with pytest.raises(UserError, match='ShiftScaleBox'):
        ShiftScaleBox(shift, scale)


def test_transform_and_perturbation_cut_out_the_same():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (80, 100, 3), np.uint8)
    box = np.array([30.0, 20, 24, 32])
    what = Perturbation(0.2, 1.0, 1.25)
    results = dict(img=image, bbox=np.array([[30, 20, 54, 52]], np.float32))
    for step in (
        GetBBoxCenterScale(1.25),
        ShiftScaleBox(what.shift, what.scale),
        TopdownAffine((64, 64), use_udp=True),
    ):
        results = step(results)
    crops = Cropper((64, 64), 1.25)(image, what.of(box)[None])
    assert np.abs(crops.images[0].astype(int) - results['img']).max() <= 2
    np.testing.assert_allclose(
        crops.centers[0], results['input_center'], rtol=1e-6
    )


def test_grid_is_round_and_balanced():
    grid = perturbations((0.1, 0.2), (0.9,), 8)
    assert len(grid) == 1 + 2 * 8 + 1
    assert grid[0] == Perturbation()
    np.testing.assert_allclose(
        np.sum([each.shift for each in grid], 0), 0, atol=1e-12
    )


def test_tables_by_hand():
    grid = perturbations((0.1,), (0.9,), 2)
    # Columns: as it is, right, left, smaller. The third face has no error.
    errors = np.array(
        [
            [2.0, 4, 6, 3],
            [4.0, 6, 14, np.inf],
            [np.nan] * 4,
        ]
    )
    shift, scale = robustness_tables(errors, grid, Protocol())
    # Right 5, left 10; of the four numbers one is above 8 and above 10.
    assert shift.rows == (
        ('0', 2, 3.0, 3.0, 0.0, 0.0),
        ('0.1', 2, 7.5, 10.0, 25.0, 25.0),
    )
    # What is missing is a failure and not in the mean.
    assert scale.rows == (
        ('0.9', 2, 3.0, 3.0, 50.0, 50.0),
        ('1', 2, 3.0, 3.0, 0.0, 0.0),
    )


def test_detector_by_hand():
    # The detector's box is worse on the first face, and the third is missed.
    table = detector_table(
        np.array([2.0, 4, 12, 6]), np.array([5.0, 4, np.inf, 6]), Protocol()
    )
    assert table.rows == (
        ('the keypoints', 4, 6.0, 25.0, 25.0),
        ('the detector', 4, 5.0, 25.0, 25.0),
        ('the keypoints, faces that the detector found', 3, 4.0, 0.0, 0.0),
    )
    assert 'found 3 of 4 faces' in table.note


def test_detected_box_is_the_one_that_covers_the_face():
    face = np.array([10.0, 10, 20, 20])
    boxes = np.array([[12.0, 11, 4, 4], [12, 11, 20, 20], [60, 10, 20, 20]])
    np.testing.assert_array_equal(
        box_robustness.box_nearest(boxes, face), boxes[1]
    )
    assert box_robustness.box_nearest(boxes[[0, 2]], face) is None
    assert box_robustness.box_nearest(np.zeros((0, 4)), face) is None


def test_tool_measures_a_subset(tmp_path, monkeypatch, capsys):
    data = tmp_path / 'data'
    write_stills(data / 'annotations/some.json', images=4)
    model = tiny_model_cfg()
    torch.save(
        dict(state_dict=build_model(model).state_dict()), tmp_path / 'a.pth'
    )
    Config(
        dict(
            default_scope='mmpose',
            custom_imports=dict(imports=['rednet_mm']),
            model=model,
            test_dataloader=dict(
                dataset=dict(
                    type='VideoClipDataset',
                    data_root=str(data),
                    ann_file='annotations/some.json',
                    data_prefix=dict(img=''),
                    test_mode=True,
                    pipeline=crop_pipeline(),
                )
            ),
        )
    ).dump(tmp_path / 'config.py')
    argv = ['box_robustness.py', str(tmp_path / 'config.py')]
    argv += [str(tmp_path / 'a.pth'), '--limit=2', f'--out={tmp_path / "out"}']
    argv += ['--detector=default']
    monkeypatch.setattr(sys, 'argv', argv)
    box_robustness.main()
    content = json.loads((tmp_path / 'out/box_robustness.json').read_text())
    shift, scale, detector = content['tables']
    # Nothing of a face is drawn in these images.
    assert detector['rows'][1]['failure > 10 (%)'] == 100
    assert content['faces'] == 2
    # The box as it is stands in both tables.
    assert shift['rows'][0]['NME (%)'] == scale['rows'][2]['NME (%)']
    assert (tmp_path / 'out/box_robustness.png').stat().st_size > 10000
    assert 'moved and scaled' in capsys.readouterr().out
