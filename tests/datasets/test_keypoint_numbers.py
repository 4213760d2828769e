"""How many keypoints a file has, against what the pipeline takes."""

from __future__ import annotations

import numpy as np
import pytest
from builders import write_stills
from mmpose.registry import DATASETS, TRANSFORMS

from rednet_mm.errors import UserError
from rednet_mm.landmarks import SEVEN_OF_21, SEVEN_OF_68

REST = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=(32, 32), use_udp=True),
    dict(type='PackPoseInputs'),
]


def to_68(source: int, kind: str = 'FaceKeypointConverter') -> dict:
    seven = SEVEN_OF_21 if source == 21 else range(7)
    settings = dict(
        type=kind, num_keypoints=68, mapping=list(zip(seven, SEVEN_OF_68))
    )
    if kind == 'FaceKeypointConverter':
        settings['num_source_keypoints'] = source
    return settings


@pytest.fixture
def parts(tmp_path):
    """Files of 7, 21 and 68 keypoints as parts of a data set."""
    for number in (7, 21, 68):
        write_stills(tmp_path / 'annotations' / f'{number}.json', number, 2)
    return lambda number, kind, **settings: dict(
        type=kind,
        data_root=str(tmp_path),
        ann_file=f'annotations/{number}.json',
        data_prefix=dict(img=''),
        **settings,
    )


def combined(kind: str, parts: list[dict], pipeline: list[dict]):
    extra = {}
    if kind == 'CombinedDataset':
        extra['metainfo'] = dict(from_file='configs/_base_/datasets/300w.py')
    return dict(type=kind, datasets=parts, pipeline=pipeline, **extra)


@pytest.mark.parametrize(
    'whole, part',
    [
        ('CombinedDataset', 'Still300WDataset'),
        ('CombinedStillDataset', 'Still300WDataset'),
        ('CombinedStillDataset', 'Face300WDataset'),
        ('CombinedClipDataset', 'VideoClipDataset'),
    ],
)
@pytest.mark.parametrize('inside', [True, False])
def test_a_converter_of_the_part_or_of_the_whole(whole, part, inside, parts):
    more = dict(clip_length=1) if part == 'VideoClipDataset' else {}
    own = parts(21, part, pipeline=[to_68(21)] if inside else [], **more)
    both = [own]
    if inside:
        both.append(parts(68, part, **more))
    pipeline = REST if inside else [to_68(21), *REST]
    dataset = DATASETS.build(combined(whole, both, pipeline))
    seen = []
    for place in (0, len(dataset) - 1):
        samples = dataset[place]['data_samples']
        sample = samples[0] if isinstance(samples, list) else samples
        visible = np.asarray(sample.gt_instances.keypoints_visible)
        seen.append(int((visible.reshape(68, -1)[:, 0] > 0).sum()))
    assert seen == [7, 68 if inside else 7]


@pytest.mark.parametrize(
    'whole', ['VideoClipDataset', 'Still300WDataset', 'CombinedStillDataset']
)
@pytest.mark.parametrize(
    'number, steps, says',
    [
        (7, [], 'has 7 keypoints where the pipeline takes 68'),
        (68, [to_68(7)], 'has 68 keypoints where the pipeline takes 7'),
        (
            7,
            [to_68(21, 'KeypointConverter')],
            'has 7 keypoints where the pipeline takes 20 or more',
        ),
    ],
)
def test_another_number_is_refused(whole, number, steps, says, parts):
    pipeline = [*steps, *REST]
    settings = parts(number, whole, pipeline=pipeline)
    if whole == 'CombinedStillDataset':
        part = parts(number, 'Face300WDataset')
        settings = combined(whole, [part], pipeline)
    with pytest.raises(UserError, match=says) as caught:
        DATASETS.build(settings)
    assert f'annotations/{number}.json' in str(caught.value)


def test_the_converter_itself():
    convert = TRANSFORMS.build(to_68(21))
    assert convert(dict(img=1)) == dict(img=1)
    face = dict(keypoints=np.ones((1, 7, 2)), img_path='a.jpg')
    with pytest.raises(UserError, match=r'a\.jpg: its face has 7 keypoints'):
        convert(face)
    with pytest.raises(UserError, match='takes 2 or more'):
        TRANSFORMS.build(
            dict(
                type='FaceKeypointConverter',
                num_keypoints=1,
                mapping=[((0, 1), 0)],
            )
        )(dict(keypoints=np.ones((1, 1, 2))))
