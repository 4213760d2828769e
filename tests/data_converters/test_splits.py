from __future__ import annotations

import json
import math

import pytest

from data_converters import splits

ALL = splits.ALL_VIDEOS


def test_sizes_and_borders():
    categories = splits.TEST_CATEGORIES
    assert [len(categories[c]) for c in (1, 2, 3)] == [31, 19, 14]
    assert len(splits.OFFICIAL_TRAIN) == 50
    assert len(splits.OFFICIAL_TEST) == 64
    # No video twice: 114 different ones in all.
    assert len(set(splits.ALL_VIDEOS)) == len(splits.ALL_VIDEOS) == 114
    for lists in splits.PROTOCOLS.values():
        assert not set(lists['train']) & set(lists['test'])
        assert {*lists['train'], *lists['test']} == set(splits.ALL_VIDEOS)


def test_rednet_sizes():
    assert len(splits.REDNET_TRAIN) == 90
    assert len(splits.REDNET_TEST) == 24
    assert len(splits.REDNET_COMMON) == 9
    assert len(splits.REDNET_CHALLENGING) == 15


def test_rednet_follows_its_rule():
    chosen = {}
    for category, count in {1: 9, 2: 8, 3: 7}.items():
        names = sorted(splits.TEST_CATEGORIES[category])
        chosen[category] = tuple(
            names[math.floor((i + 0.5) * len(names) / count)]
            for i in range(count)
        )
    assert chosen[1] == splits.REDNET_COMMON
    assert chosen[2] + chosen[3] == splits.REDNET_CHALLENGING


@pytest.mark.parametrize(
    ('name', 'category'),
    [('114', 1), ('203', 2), ('410', 3), ('001', None), ('other', None)],
)
def test_category(name, category):
    assert splits.category_of(name) == category


def test_lists_are_the_published_ones(shared):
    path = shared / 'fixtures' / '300vw_lists.json'
    published = json.loads(path.read_text())
    assert list(splits.ALL_VIDEOS) == published['all']
    assert list(splits.OFFICIAL_TRAIN) == published['train']
    for category, names in splits.TEST_CATEGORIES.items():
        assert list(names) == published[f'test_cat{category}']
    broken = published['broken_frames']
    for name in published['all']:
        listed = {number - 1 for number in broken.get(name, ())}
        assert splits.unused_frames(name) == listed


def test_unused_frames_by_hand():
    # 722-724 727-731 ... in the files' numbers, which begin with 1.
    frames = splits.unused_frames('401')
    assert min(frames) == 721 and len(frames) == 120
    assert {723, 726, 730} <= frames and not {724, 725, 731} & frames
    assert splits.unused_frames('001') == frozenset()
    sizes = {name: len(splits.unused_frames(name)) for name in ALL}
    assert sum(sizes.values()) == 2127
    assert sum(size > 0 for size in sizes.values()) == 16
    # All of them are in videos for testing.
    train = splits.OFFICIAL_TRAIN
    assert not any(sizes[name] for name in train)
