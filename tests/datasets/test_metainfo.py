"""The points: who changes places in a mirror, who is joined to whom."""

from __future__ import annotations

from pathlib import Path

import mmpose
import numpy as np
import pytest
from builders import face_shape
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from data_converters import schema
from data_converters.pts import read_pts
from rednet_mm.datasets.metainfo import (
    FACE_7,
    FACE_21,
    FACE_68,
    FLIP_PAIRS_7,
    FLIP_PAIRS_21,
    FLIP_PAIRS_68,
    NAMES_21,
    PARTS_7,
    PARTS_21,
    PARTS_68,
    SIGMA_SOURCES_21,
    point_name,
    skeleton,
    skeleton_68,
)
from rednet_mm.utils.landmarks import SEVEN_OF_21, SEVEN_OF_68

INDICES = parse_pose_metainfo(FACE_68)['flip_indices']


def test_a_point_is_in_at_most_one_pair():
    points = [point for pair in FLIP_PAIRS_68 for point in pair]
    assert len(points) == len(set(points))
    assert set(points) <= set(range(68))
    # Chin, bridge of the nose, its base, and four of the lips are alone.
    alone = set(range(68)) - set(points)
    assert alone == {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}


def test_flip_twice_is_nothing():
    flipped = np.array(INDICES)
    assert sorted(INDICES) == list(range(68))
    np.testing.assert_array_equal(flipped[flipped], np.arange(68))
    assert (flipped != np.arange(68)).sum() == 2 * len(FLIP_PAIRS_68) == 58


def test_symmetric_face_is_its_own_mirror_image():
    # The builder draws each part by a formula, without a list of pairs.
    face = face_shape(64)
    mirrored = face[INDICES]
    mirrored[:, 0] = 63 - mirrored[:, 0]
    np.testing.assert_allclose(mirrored, face, atol=1e-9)


def test_mean_of_real_faces_is_nearly_its_own_mirror_image(shared):
    files = sorted((shared / '300w' / 'helen_train').glob('*.pts'))[:150]
    assert len(files) == 150
    shapes = []
    for file in files:
        marks = read_pts(file)
        eyes = marks[45] - marks[36]
        length = np.hypot(*eyes)
        # Turned, so that the eyes are level, and scaled by their distance.
        turn = np.array([[eyes[0], -eyes[1]], [eyes[1], eyes[0]]]) / length
        shapes.append((marks - marks[[36, 45]].mean(0)) @ turn / length)
    mean = np.mean(shapes, 0)
    mirrored = mean[INDICES] * (-1, 1)
    off = np.linalg.norm(mirrored - mean, axis=1)
    # Neighbours on the lips, the closest points, are about 0.09 apart.
    assert off.max() < 0.05


def test_pairs_are_those_of_mmpose():
    path = Path(mmpose.__file__).parent / '.mim/configs/_base_/datasets'
    theirs = Config.fromfile(str(path / '300w.py')).dataset_info
    assert parse_pose_metainfo(theirs)['flip_indices'] == INDICES


def test_parts_cover_the_points_once():
    covered = [
        point
        for _, first, last, _, _ in PARTS_68
        for point in range(first, last + 1)
    ]
    assert covered == list(range(68))


def test_no_link_between_parts():
    part_of = {
        point: name
        for name, first, last, _, _ in PARTS_68
        for point in range(first, last + 1)
    }
    links = skeleton_68()
    assert all(part_of[a] == part_of[b] for a, b in links)
    # n - 1 links of an open part, n of a closed one: 16 + 4 + 4 + 3 + 4
    # and 6 + 6 + 12 + 8.
    assert len(set(links)) == len(links) == 63


def test_names_and_lines_are_those_of_the_json_files():
    writer = schema.DatasetWriter('s', 'c', 'p', 'all', base=1)
    (category,) = writer._sections()['categories']
    names = [FACE_68['keypoint_info'][i]['name'] for i in range(68)]
    assert category['keypoints'] == names
    assert names == [point_name(i) for i in range(68)]
    assert [tuple(link) for link in category['skeleton']] == skeleton_68()


def test_mmpose_reads_the_metainfo():
    parsed = parse_pose_metainfo(FACE_68)
    assert parsed['num_keypoints'] == 68
    assert parsed['skeleton_links'] == skeleton_68()
    assert parsed['dataset_keypoint_weights'].tolist() == [1.0] * 68


SCHEMES = {
    7: (FACE_7, PARTS_7, FLIP_PAIRS_7),
    21: (FACE_21, PARTS_21, FLIP_PAIRS_21),
    68: (FACE_68, PARTS_68, FLIP_PAIRS_68),
}


def flip_indices(face: dict) -> list[int]:
    return parse_pose_metainfo(face)['flip_indices']


@pytest.mark.parametrize('count', SCHEMES)
def test_every_scheme_is_whole(count):
    face, parts, pairs = SCHEMES[count]
    parsed = parse_pose_metainfo(face)
    assert parsed['dataset_name'] == f'face_{count}'
    assert parsed['num_keypoints'] == count
    flipped = np.array(parsed['flip_indices'])
    np.testing.assert_array_equal(flipped[flipped], np.arange(count))
    assert (flipped != np.arange(count)).sum() == 2 * len(pairs)
    covered = [i for _, a, b, _, _ in parts for i in range(a, b + 1)]
    assert covered == list(range(count))
    assert parsed['skeleton_links'] == skeleton(parts)


def test_flip_partners_by_name():
    assert flip_indices(FACE_7) == [3, 2, 1, 0, 4, 6, 5]
    # In a mirror an L of AFLW's codes becomes an R and the other way round:
    # LBLC, left brow's left corner, is RBRC.
    mirror = {
        code: code.translate(str.maketrans('LR', 'RL')) for code in NAMES_21
    }
    names = [NAMES_21[i] for i in flip_indices(FACE_21)]
    assert names == [mirror[code] for code in NAMES_21]


def test_the_seven_have_the_same_partners_in_every_scheme():
    for seven, face in ((SEVEN_OF_21, FACE_21), (SEVEN_OF_68, FACE_68)):
        partners = flip_indices(face)
        mirrored = [seven.index(partners[i]) for i in seven]
        assert mirrored == flip_indices(FACE_7)


def test_21_agree_with_the_19_of_mmpose():
    path = Path(mmpose.__file__).parent / '.mim/configs/_base_/datasets'
    theirs = Config.fromfile(str(path / 'aflw.py')).dataset_info
    # The 19 are the 21 without the ears, 12 and 16.
    kept = [i for i in range(21) if i not in (12, 16)]
    ours = [kept.index(flip_indices(FACE_21)[i]) for i in kept]
    assert ours == flip_indices(theirs)


@pytest.mark.parametrize('count', SCHEMES)
def test_json_files_have_the_names_and_lines_of_each_scheme(count):
    face, parts, _ = SCHEMES[count]
    writer = schema.DatasetWriter('s', 'c', 'p', 'all', 0, count)
    (category,) = writer._sections()['categories']
    names = [face['keypoint_info'][i]['name'] for i in range(count)]
    assert category['keypoints'] == names
    assert [tuple(link) for link in category['skeleton']] == skeleton(parts)


def test_converters_choose_the_same_seven():
    assert schema.SEVEN_OF_68 == SEVEN_OF_68
    assert schema.SEVEN_OF_21 == SEVEN_OF_21
    # feature_id 7, 9, 10, 12, 15, 18, 20 of AFLW.
    names = [NAMES_21[i] for i in SEVEN_OF_21]
    assert names == ['LELC', 'LERC', 'RELC', 'RERC', 'NC', 'MLC', 'MRC']
    assert [FACE_7['keypoint_info'][i]['name'] for i in range(7)] == names


def sigmas(face: dict) -> np.ndarray:
    return parse_pose_metainfo(face)['sigmas']


@pytest.mark.parametrize('count', SCHEMES)
def test_there_is_a_sigma_for_each_point(count):
    found = sigmas(SCHEMES[count][0])
    assert found.shape == (count,)
    # Those of MMPose's 68 are from 0.007 to 0.045.
    assert (found > 0.005).all() and (found < 0.05).all()


@pytest.mark.parametrize('count', SCHEMES)
def test_a_mirror_image_has_the_same_sigmas(count):
    face = SCHEMES[count][0]
    found = sigmas(face)
    np.testing.assert_array_equal(found[flip_indices(face)], found)


def test_sigmas_of_68_are_those_of_mmpose():
    path = Path(mmpose.__file__).parent / '.mim/configs/_base_/datasets'
    config = Config.fromfile(str(path / 'coco_wholebody_face.py'))
    theirs = parse_pose_metainfo(config.dataset_info)
    # The same points in the same order, hence with the same partners.
    assert theirs['flip_indices'] == INDICES
    mean = (theirs['sigmas'] + theirs['sigmas'][INDICES]) / 2
    np.testing.assert_allclose(sigmas(FACE_68), mean, rtol=0, atol=1e-6)


def test_the_seven_have_the_same_sigmas_in_every_scheme():
    seven = sigmas(FACE_7)
    np.testing.assert_array_equal(seven, sigmas(FACE_68)[list(SEVEN_OF_68)])
    np.testing.assert_array_equal(seven, sigmas(FACE_21)[list(SEVEN_OF_21)])
    # Outer eye corners 0.017 and 0.012, corners of the mouth 0.008 and
    # 0.010 in MMPose, the nose 0.007.
    np.testing.assert_allclose(seven[[0, 3]], 0.0145, rtol=1e-6)
    np.testing.assert_allclose(seven[4:], [0.007, 0.009, 0.009], rtol=1e-6)


def test_sigmas_of_21_come_from_their_neighbours():
    flip_21, flip_68 = flip_indices(FACE_21), INDICES
    for i, points in enumerate(SIGMA_SOURCES_21):
        # What a point's mirror image takes is the mirror image.
        mirrored = {flip_68[point] for point in points}
        assert mirrored == set(SIGMA_SOURCES_21[flip_21[i]])
    means = [i for i, points in enumerate(SIGMA_SOURCES_21) if points[1:]]
    assert [NAMES_21[i] for i in means] == ['LEC', 'REC', 'LE', 'RE', 'MC']
    # An ear has the jaw's end: 0.042 and 0.045, 0.043 and 0.041.
    assert sigmas(FACE_21)[12] == pytest.approx((0.0435 + 0.042) / 2, rel=1e-6)
