"""MMPose's own data sets read what each converter writes, unchanged."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from mmpose.datasets.datasets.face import (
    AFLWDataset,
    Face300VWDataset,
    Face300WDataset,
)
from source_trees import LFW_NAMES, fill_video, lfw_seven

from rednet_mm.datasets.metainfo import FACE_7, FACE_21

ALL = (AFLWDataset, Face300VWDataset, Face300WDataset)


def list_of_lfw(t) -> dict:
    return dict(marks=t.csv(''.join(map(lfw_seven, LFW_NAMES))))


def in_order_of_fgnet(t) -> dict:
    for name in ('one', 'two'):
        fill_video(t.src / name, order='fgnet')
    return dict(order='fgnet')


# Converter, fixture of its source, options, data sets, metainfo (None: the
# data set's own), keypoints, faces.
CASES = {
    '300-VW': ('300vw', 'vw', {}, ALL[1:], None, 68, 5),
    '300-VW, 7': ('300vw', 'vw', {'points': 7}, ALL[1:], FACE_7, 7, 5),
    '300-W': ('300w', 'stills', {}, ALL[1:], None, 68, 4),
    '300-W, 7': ('300w', 'stills', {'points': 7}, ALL, FACE_7, 7, 4),
    'AFLW': ('aflw', 'aflw', {}, ALL[:1], FACE_21, 21, 4),
    'AFLW, 7': ('aflw', 'aflw', {'points': 7}, ALL[:1], FACE_7, 7, 4),
    'LFW': ('lfw', 'lfw', list_of_lfw, ALL, FACE_7, 7, 3),
    'frames, iBUG': ('frames', 'clips', {}, ALL[1:], None, 68, 4),
    'frames, FGNET': ('frames', 'tree', in_order_of_fgnet, ALL, FACE_7, 7, 4),
    'Helen 194': ('helen194', 'helen', {}, ALL[1:], None, 194, 3),
}


@pytest.mark.parametrize('case', CASES)
def test_read_unchanged(request, load, case):
    name, source, options, classes, metainfo, marks, faces = CASES[case]
    tree = request.getfixturevalue(source)
    settings = options(tree) if callable(options) else options
    converter = importlib.import_module(f'data_converters.convert_{name}')
    written = converter.convert(tree.src, tree.dst, **settings)
    contents = {path: load(path) for path in written.values()}
    assert sum(len(c['annotations']) for c in contents.values()) == faces
    for class_ in classes:
        for path, content in contents.items():
            dataset = class_(
                ann_file=str(path),
                data_root=str(tree.dst),
                data_prefix=dict(img=''),
                test_mode=True,
                pipeline=[dict(type='LoadImage')],
                metainfo=metainfo,
            )
            assert len(dataset) == len(content['annotations'])
            images = {image['id']: image for image in content['images']}
            for item in dataset:
                (annotation,) = (
                    each
                    for each in content['annotations']
                    if each['id'] == item['id']
                )
                image = images[annotation['image_id']]
                shape = (image['height'], image['width'], 3)
                assert item['img'].shape == shape
                expected = np.reshape(annotation['keypoints'], (-1, 3))
                assert len(expected) == marks
                np.testing.assert_allclose(
                    item['keypoints'][0], expected[:, :2], atol=1e-4
                )
                # MMPose's visibility is 0 or 1.
                np.testing.assert_array_equal(
                    item['keypoints_visible'][0], expected[:, 2] / 2
                )
                if class_ is AFLWDataset:
                    assert item['box_size'] == annotation['box_size']
