"""Which frames make a clip, which clips make a batch."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from rednet_mm.datasets.clip_sampling import (
    count_disjoint_batches,
    disjoint_batches,
    sample_clip,
    share_videos,
)


def test_clips_are_consecutive_and_everywhere():
    rng = np.random.default_rng(0)
    starts = Counter()
    for _ in range(300):
        clip = sample_clip(9, 4, rng)
        assert clip == list(range(clip[0], clip[0] + 4))
        starts[clip[0]] += 1
    # 4 of 9 frames fit at 0 to 5; each about 50 times in 300.
    assert sorted(starts) == [0, 1, 2, 3, 4, 5]
    assert min(starts.values()) > 25


def test_backwards_is_the_same_clip_turned_round():
    for seed in range(20):
        forth = sample_clip(9, 4, np.random.default_rng(seed))
        back = sample_clip(9, 4, np.random.default_rng(seed), backwards=True)
        assert back == forth[::-1]


def test_video_as_long_as_the_clip_has_one():
    assert sample_clip(3, 3, np.random.default_rng(0)) == [0, 1, 2]


def test_video_that_is_too_short():
    with pytest.raises(ValueError, match='no clip of 5 frames in 4 frames'):
        sample_clip(4, 5, np.random.default_rng(0))


def best_number(sizes: tuple[int, ...], batch_size: int) -> int:
    """Most batches there can be, by trying all of them."""

    @cache
    def most(left: tuple[int, ...]) -> int:
        # Any batch of distinct groups may come next.
        best = 0
        for chosen in range(1 << len(left)):
            takes = [chosen >> i & 1 for i in range(len(left))]
            after = [n - take for n, take in zip(left, takes)]
            if sum(takes) == batch_size and min(after) >= 0:
                best = max(best, 1 + most(tuple(sorted(after))))
        return best

    return most(tuple(sorted(sizes)))


@pytest.mark.parametrize('seed', range(12))
def test_no_group_twice_and_as_many_batches_as_counted(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, rng.integers(5, 12)).tolist()
    batch_size = int(rng.integers(1, 6))
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    batches = disjoint_batches(groups.tolist(), batch_size, rng)
    assert len(batches) == count_disjoint_batches(sizes, batch_size)
    used = Counter(item for batch in batches for item in batch)
    assert set(used.values()) == {1}
    for batch in batches:
        assert len({groups[item] for item in batch}) == batch_size


@pytest.mark.parametrize('seed', range(15))
def test_no_other_way_gives_more_batches(seed):
    rng = np.random.default_rng(100 + seed)
    sizes = tuple(rng.integers(1, 6, rng.integers(1, 6)).tolist())
    groups = np.repeat(np.arange(len(sizes)), sizes).tolist()
    for batch_size in (1, 2, 3):
        best = best_number(sizes, batch_size)
        assert count_disjoint_batches(sizes, batch_size) == best
        assert len(disjoint_batches(groups, batch_size, rng)) == best


def test_number_of_batches_by_hand():
    # One group of 10 can be in a batch with each of 3 others only.
    assert count_disjoint_batches([10, 1, 2], 2) == 3
    assert count_disjoint_batches([4, 4], 2) == 4
    assert count_disjoint_batches([4, 4], 3) == 0
    assert count_disjoint_batches([], 2) == 0


def test_batches_are_those_of_the_generator():
    groups = ['a', 'a', 'b', 'c', 'c', 'd', 'e', 'e']
    first, again, other = (
        disjoint_batches(groups, 2, np.random.default_rng(seed))
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_clips_of_a_group_and_batches_are_shuffled():
    groups = [g for g in range(6) for _ in range(10)]
    batches = disjoint_batches(groups, 3, np.random.default_rng(0))
    # Batch after batch a group's items would come in order, were they not.
    order = [item for batch in batches for item in batch if item < 10]
    assert sorted(order) == list(range(10))
    assert order not in (list(range(10)), list(range(10))[::-1])


def test_share_videos_by_hand():
    # 9 | 7, 5 joins 7 (12), 4 joins 9 (13), 1 joins 12 (13).
    assert share_videos([4, 9, 1, 7, 5], 2) == [[0, 1], [2, 3, 4]]
    assert share_videos([3, 2], 1) == [[0, 1]]
    assert share_videos([3], 2) == [[0], []]


@pytest.mark.parametrize('world_size', [1, 2, 3, 8])
def test_every_video_goes_to_one_process(world_size):
    lengths = np.random.default_rng(0).integers(1, 100, 40).tolist()
    shares = share_videos(lengths, world_size)
    assert len(shares) == world_size
    assert sorted(v for share in shares for v in share) == list(range(40))
    load = [sum(lengths[v] for v in share) for share in shares]
    # Greedy: the last video that made a share the largest found it smallest.
    assert max(load) - min(load) <= max(lengths)
