"""What MMPose's own tests ask of its face data sets, asked of ours."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from builders import (
    build_model,
    crop_pipeline,
    tiny_model_cfg,
    write_stills,
    write_videos,
)
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.datasets.datasets.face import Face300VWDataset
from mmpose.registry import DATASETS

from rednet_mm.utils.errors import UserError

T = 3
FRAMES = 4
# Of the instance of an image, and of an image with its instances.
TOPDOWN = dict(
    img_id=int,
    img_path=str,
    bbox_center=np.ndarray,
    bbox_scale=np.ndarray,
    bbox_score=np.ndarray,
    keypoints=np.ndarray,
    keypoints_visible=np.ndarray,
    id=int,
)
BOTTOMUP = dict(TOPDOWN, invalid_segs=list, id=list)
METAINFO = dict(
    dataset_name=str,
    num_keypoints=int,
    keypoint_id2name=dict,
    keypoint_name2id=dict,
    upper_body_ids=list,
    lower_body_ids=list,
    flip_indices=list,
    flip_pairs=list,
    keypoint_colors=np.ndarray,
    num_skeleton_links=int,
    skeleton_links=list,
    skeleton_link_colors=np.ndarray,
    dataset_keypoint_weights=np.ndarray,
)


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    """Two videos of four frames, and still images of 68 keypoints."""
    folder = tmp_path_factory.mktemp('contract')
    write_stills(folder / 'stills/annotations/all.json')
    return {
        'VideoClipDataset': write_videos(folder, videos=2, frames=FRAMES),
        'Still300WDataset': folder / 'stills',
    }


def build(roots, name='VideoClipDataset', **kwargs):
    settings = dict(
        type=name,
        ann_file='annotations/all.json',
        bbox_file=None,
        data_mode='topdown',
        data_root=str(roots[name]),
        pipeline=[],
        test_mode=False,
    )
    if name == 'VideoClipDataset':
        settings.update(clip_length=T, clips_per_video=2)
    return DATASETS.build({**settings, **kwargs})


def check(found, wanted):
    for key, kind in wanted.items():
        assert isinstance(found[key], kind), key


NAMES = ['VideoClipDataset', 'Still300WDataset']


@pytest.mark.parametrize('name', NAMES)
def test_metainfo(roots, name):
    metainfo = build(roots, name).metainfo
    check(metainfo, METAINFO)
    assert metainfo['num_keypoints'] == 68
    assert len(metainfo['keypoint_colors']) == 68
    assert len(metainfo['dataset_keypoint_weights']) == 68


@pytest.mark.parametrize('name', NAMES)
def test_topdown(roots, name):
    tested = build(roots, name, test_mode=True)
    assert tested.data_mode == 'topdown'
    assert tested.bbox_file is None
    assert len(tested) == (2 * FRAMES if name == 'VideoClipDataset' else 4)
    check(tested[0], TOPDOWN)
    trained = build(roots, name)
    if name == 'Still300WDataset':
        check(trained[0], TOPDOWN)
        return
    # An item is a clip, and without a pipeline the T frames of one.
    clip = trained[0]
    assert len(clip) == T
    for frame in clip:
        check(frame, TOPDOWN)
    assert len({frame['track'] for frame in clip}) == 1
    assert np.diff([frame['frame_id'] for frame in clip]).tolist() == [1, 1]


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('test_mode', [False, True])
def test_bottomup(roots, name, test_mode):
    dataset = build(roots, name, data_mode='bottomup', test_mode=test_mode)
    assert len(dataset) == (2 * FRAMES if name == 'VideoClipDataset' else 4)
    check(dataset[0], BOTTOMUP)


def test_bottomup_has_all_faces_of_an_image(roots, tmp_path):
    data = json.loads(
        (roots['VideoClipDataset'] / 'annotations/all.json').read_text()
    )
    first = data['annotations'][0]
    data['annotations'].append(
        dict(first, id=len(data['annotations']) + 1, track_id=77)
    )
    path = tmp_path / 'two_faces.json'
    path.write_text(json.dumps(data))
    dataset = build(roots, data_mode='bottomup', ann_file=str(path))
    assert len(dataset) == 2 * FRAMES
    (item,) = (each for each in dataset if len(each['id']) == 2)
    assert item['img_id'] == first['image_id']
    assert item['keypoints'].shape == (2, 68, 2)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize(
    ('kwargs', 'words'),
    [
        (dict(data_mode='invalid'), 'got invalid data_mode'),
        (
            dict(bbox_file='boxes.json'),
            '"bbox_file" is only supported when `test_mode==True`',
        ),
        (
            dict(data_mode='bottomup', test_mode=True, bbox_file='boxes.json'),
            '"bbox_file" is only supported in topdown mode',
        ),
        (
            dict(
                data_mode='bottomup',
                test_mode=True,
                filter_cfg=dict(bbox_score_thr=0.3),
            ),
            '"bbox_score_thr" is only supported in topdown mode',
        ),
    ],
)
def test_exceptions(roots, name, kwargs, words):
    with pytest.raises(ValueError, match=words):
        build(roots, name, **kwargs)


def test_combined(roots):
    part = dict(
        type='Still300WDataset',
        ann_file='annotations/all.json',
        data_root=str(roots['Still300WDataset']),
        pipeline=[],
    )
    dataset = DATASETS.build(
        dict(type='CombinedStillDataset', datasets=[part] * 2, pipeline=[])
    )
    assert len(dataset) == 8
    assert dataset._get_subset_index(4) == (1, 0)
    assert dataset._get_subset_index(-5) == (0, 3)
    with pytest.raises(ValueError, match='out of bounds'):
        dataset._get_subset_index(8)
    check(dataset[4], TOPDOWN)


# -- boxes of a detector ----------------------------------------------------


@pytest.fixture
def detections(roots, tmp_path):
    """Of every frame but the second the face's box, 2 px off; a false one."""
    path = roots['VideoClipDataset'] / 'annotations/all.json'
    data = json.loads(path.read_text())
    boxes = [
        dict(
            image_id=each['image_id'],
            category_id=1,
            bbox=[each['bbox'][0] + 2, *each['bbox'][1:]],
            score=0.9,
        )
        for each in data['annotations']
    ]
    del boxes[1]
    boxes.insert(0, dict(boxes[0], bbox=[60.5, 60.5, 3, 3], score=0.4))
    (tmp_path / 'boxes.json').write_text(json.dumps(boxes))
    return str(tmp_path / 'boxes.json'), data['annotations']


def test_boxes_of_a_detector(roots, detections):
    path, annotations = detections
    dataset = build(roots, bbox_file=path, test_mode=True)
    theirs = Face300VWDataset(
        ann_file='annotations/all.json',
        data_root=str(roots['VideoClipDataset']),
        bbox_file=path,
        test_mode=True,
        metainfo=dict(dataset.METAINFO),
    )
    assert len(dataset) == len(theirs) == 2 * FRAMES
    wanted = {each['id']: each for each in theirs}
    for item in dataset:
        np.testing.assert_array_equal(item['bbox'], wanted[item['id']]['bbox'])
        assert item['bbox_score'] == wanted[item['id']]['bbox_score']
        assert item['img_path'] == wanted[item['id']]['img_path']
        check(item, {k: v for k, v in TOPDOWN.items() if 'bbox_' not in k})
    # The false alarm comes first, a still that is not measured.
    assert dataset[0]['bbox_score'] < 0.5
    assert not dataset[0]['keypoints_visible'].any()
    # The others go with the annotated face: keypoints and track.
    plain = build(roots, test_mode=True)
    assert len(dataset.tracks) == 3
    tracks = [[dataset[i]['frame_id'] for i in t] for t in dataset.tracks[1:]]
    assert tracks == [[0, 2, 3], [0, 1, 2, 3]]
    for place, item in zip([0, *range(2, 2 * FRAMES)], range(1, 2 * FRAMES)):
        for key in ('keypoints', 'keypoints_visible'):
            np.testing.assert_array_equal(
                dataset[item][key], plain[place][key]
            )
        assert dataset[item]['track'] == plain[place]['track']


def test_a_score_threshold(roots, detections):
    dataset = build(
        roots,
        bbox_file=detections[0],
        test_mode=True,
        filter_cfg=dict(bbox_score_thr=0.5),
    )
    assert len(dataset) == 2 * FRAMES - 1


def test_boxes_of_a_detector_are_measured(roots, detections, tmp_path):
    model = tiny_model_cfg()
    checkpoint = tmp_path / 'tiny.pth'
    torch.save(dict(state_dict=build_model(model).state_dict()), checkpoint)
    config = Config(
        dict(
            default_scope='mmpose',
            model=model,
            test_cfg=dict(type='VideoTestLoop'),
            test_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                batch_sampler=dict(type='VideoBatchSampler'),
                dataset=dict(
                    type='VideoClipDataset',
                    data_root=str(roots['VideoClipDataset']),
                    ann_file='annotations/all.json',
                    bbox_file=detections[0],
                    test_mode=True,
                    pipeline=crop_pipeline(),
                ),
            ),
            test_evaluator=dict(type='FaceLandmarkMetric'),
            load_from=str(checkpoint),
            work_dir=str(tmp_path / 'work'),
            experiment_name='detected-boxes',
        )
    )
    metrics = Runner.from_cfg(config).test()
    assert np.isfinite(metrics['face/NME'])


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('{}', 'does not hold boxes'),
        ('[{"image_id": 1}]', 'does not hold boxes'),
        (
            '[{"image_id": 999, "category_id": 1, "bbox": [1, 2, 3, 4], '
            '"score": 1}]',
            'does not hold boxes',
        ),
        (
            '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 4], '
            '"score": 1}]',
            'a box of image 1 is empty',
        ),
    ],
)
def test_a_file_of_other_content_is_named(roots, tmp_path, content, words):
    path = tmp_path / 'boxes.json'
    path.write_text(content)
    with pytest.raises(UserError, match=f'^{path}.*{words}'):
        build(roots, bbox_file=str(path), test_mode=True)
    with pytest.raises(FileNotFoundError, match=r'none\.json does not exist'):
        build(roots, bbox_file='none.json', test_mode=True)
