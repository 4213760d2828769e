"""Still images that cannot be read: replaced in training, an error in
testing.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import write_stills
from mmengine.runner import Runner
from mmpose.registry import DATASETS

from rednet_mm.datasets.metainfo import FACE_21, FACE_68
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import SEVEN_OF_68

IMAGES = 4
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=(32, 32), use_udp=True),
    dict(type='PackPoseInputs'),
]
SEVEN_OF_21 = (6, 8, 9, 11, 14, 17, 19)
TO_68 = dict(
    type='KeypointConverter',
    num_keypoints=68,
    mapping=list(zip(SEVEN_OF_21, SEVEN_OF_68)),
)
KINDS = ('Still300WDataset', 'StillAFLWDataset', 'CombinedStillDataset')


@pytest.fixture
def root(tmp_path):
    write_stills(tmp_path / 'annotations' / 'a.json', 68, IMAGES)
    write_stills(tmp_path / 'annotations' / 'b.json', 21, IMAGES, seed=1)
    return tmp_path


def settings(root, kind: str, **kwargs) -> dict:
    """The config of a data set of which ``a_1`` or ``b_1`` is a part."""
    common = dict(data_root=str(root), data_prefix=dict(img=''))
    a = dict(common, ann_file='annotations/a.json')
    b = dict(common, ann_file='annotations/b.json')
    own = {
        'Still300WDataset': dict(a, metainfo=FACE_68),
        'StillAFLWDataset': dict(b, metainfo=FACE_21),
        'CombinedStillDataset': dict(
            datasets=[
                dict(a, type='Face300WDataset'),
                dict(
                    b, type='AFLWDataset', metainfo=FACE_21, pipeline=[TO_68]
                ),
            ]
        ),
    }[kind]
    return dict(own, type=kind, pipeline=PIPELINE, **kwargs)


def hurt(root, kind: str):
    """Cut an image of the data set short, by a tenth."""
    name = 'a_1.jpg' if kind == 'Still300WDataset' else 'b_1.jpg'
    path = root / 'images' / name
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 9 // 10])
    return path


def path_of(item) -> str:
    return item['data_samples'].metainfo['img_path']


@pytest.mark.parametrize('kind', KINDS)
def test_another_takes_its_place_in_training(root, log, kind):
    whole = DATASETS.build(settings(root, kind))
    before = [whole[item] for item in range(len(whole))]
    assert len(before) == IMAGES * (2 if kind.startswith('Comb') else 1)
    bad = hurt(root, kind)
    broken = DATASETS.build(settings(root, kind))
    np.random.seed(0)
    replaced = 0
    for _ in range(3):
        for item, old in enumerate(before):
            new = broken[item]
            assert path_of(new) != str(bad)
            if path_of(old) == str(bad):
                replaced += 1
            else:
                assert torch.equal(new['inputs'], old['inputs'])
    assert replaced == 3
    assert log() == [f'{bad} cannot be decoded; another one takes its place']


@pytest.mark.parametrize('kind', KINDS)
def test_error_that_names_it_in_testing(root, log, kind):
    bad = hurt(root, kind)
    dataset = DATASETS.build(settings(root, kind, test_mode=True))
    place = 1 + (IMAGES if kind.startswith('Combined') else 0)
    assert dataset[0]['inputs'].shape == (3, 32, 32)
    with pytest.raises(UserError) as caught:
        dataset[place]
    assert str(caught.value) == (
        f'{bad} cannot be decoded; get it again, or convert the data without '
        'it'
    )
    assert log() == []


def test_one_warning_of_all_workers(root, log):
    bad = hurt(root, 'CombinedStillDataset')
    loader = Runner.build_dataloader(
        dict(
            batch_size=1,
            num_workers=2,
            sampler=dict(type='DefaultSampler', shuffle=True),
            # Each of the 8 images four times, for both workers.
            dataset=dict(
                type='RepeatDataset',
                times=4,
                dataset=settings(root, 'CombinedStillDataset'),
            ),
        ),
        seed=0,
    )
    for batch in loader:
        (sample,) = batch['data_samples']
        assert sample.metainfo['img_path'] != str(bad)
    assert len(log()) == 1


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_readable_is_one_sentence(root, log, kind):
    (root / 'images').rename(root / 'gone')
    dataset = DATASETS.build(settings(root, kind))
    with pytest.raises(UserError) as caught:
        dataset[0]
    names = dict(zip(KINDS, ('a', 'b', 'ab')))[kind]
    files = ', '.join(f'{root}/annotations/{name}.json' for name in names)
    assert str(caught.value) == (
        f'{files}: one item after the other holds an image that cannot be '
        'read; look at the data with tools/dataset/check_dataset.py'
    )
    assert len(log()) == len(set(log())) <= 2 * IMAGES


def test_fault_of_a_transform_is_not_taken_for_a_bad_image(root, log):
    # The target has no keypoint 99.
    failing = dict(
        type='KeypointConverter', num_keypoints=68, mapping=[(0, 99)]
    )
    pipeline = [failing, *PIPELINE]
    for test_mode in (False, True):
        config = settings(root, 'Still300WDataset', test_mode=test_mode)
        dataset = DATASETS.build(dict(config, pipeline=pipeline))
        with pytest.raises(IndexError, match='99'):
            dataset[0]
    assert log() == []
