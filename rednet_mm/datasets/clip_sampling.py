"""Which frames make a clip and which clips make a batch: pure functions.

Letters: T frames of a clip, B clips of a batch.
"""

import heapq
from typing import Hashable, Sequence

import numpy as np


def sample_clip(
    num_frames: int,
    clip_length: int,
    rng: np.random.Generator,
    backwards: bool = False,
) -> list[int]:
    """Places of a random run of frames of one video.

    Args:
        num_frames (int): Frames of the video, at least ``clip_length``.
        clip_length (int): T.
        rng (np.random.Generator): Where the chance comes from.
        backwards (bool): Whether time runs backwards (section 5.1, both
            directions double the use of the sequences).

    Returns:
        list[int]: T places, consecutive.

    Raises:
        ValueError: if the video is shorter than the clip.
    """
    if num_frames < clip_length:
        raise ValueError(
            f'no clip of {clip_length} frames in {num_frames} frames'
        )
    start = int(rng.integers(num_frames - clip_length + 1))
    places = list(range(start, start + clip_length))
    return places[::-1] if backwards else places


def disjoint_batches(
    groups: Sequence[Hashable], batch_size: int, rng: np.random.Generator
) -> list[list[int]]:
    """Batches in which no group (subject) is there twice.

    Each batch takes one item of each of the groups that have most left, which
    gives as many full batches as there can be; items that are left over when
    fewer groups than ``batch_size`` remain are not used. Items within a
    group, groups of equal size and the batches are in random order.

    Args:
        groups (Sequence): The group of each item.
        batch_size (int): B.
        rng (np.random.Generator): Where the chance comes from.

    Returns:
        list[list[int]]: Batches of B places in ``groups``.
    """
    members: dict[Hashable, list[int]] = {}
    for item in rng.permutation(len(groups)):
        members.setdefault(groups[item], []).append(int(item))
    # (-left, tie, group): groups with most left come first.
    heap = [
        (-len(items), rng.random(), place)
        for place, items in enumerate(members.values())
    ]
    lists = list(members.values())
    heapq.heapify(heap)
    batches = []
    while len(heap) >= batch_size:
        taken = [heapq.heappop(heap) for _ in range(batch_size)]
        batches.append([lists[place].pop() for _, _, place in taken])
        for left, _, place in taken:
            if left + 1 < 0:
                heapq.heappush(heap, (left + 1, rng.random(), place))
    return [batches[i] for i in rng.permutation(len(batches))]


def count_disjoint_batches(sizes: Sequence[int], batch_size: int) -> int:
    """How many batches :func:`disjoint_batches` makes.

    m batches are possible when the groups, none used more than m times, hold
    m * B items.

    Args:
        sizes (Sequence[int]): Items of each group.
        batch_size (int): B.
    """
    low, high = 0, sum(sizes) // batch_size
    while low < high:
        m = (low + high + 1) // 2
        if sum(min(size, m) for size in sizes) >= m * batch_size:
            low = m
        else:
            high = m - 1
    return low


def share_videos(lengths: Sequence[int], world_size: int) -> list[list[int]]:
    """Share videos among processes, whole and nearly equal in frames.

    The longest video first, each to the process with the fewest frames.

    Args:
        lengths (Sequence[int]): Frames of each video.
        world_size (int): Processes.

    Returns:
        list[list[int]]: The videos of each process, in order.
    """
    load = [(0, rank) for rank in range(world_size)]
    shares: list[list[int]] = [[] for _ in range(world_size)]
    for video in sorted(range(len(lengths)), key=lambda v: -lengths[v]):
        frames, rank = heapq.heappop(load)
        shares[rank].append(video)
        heapq.heappush(load, (frames + lengths[video], rank))
    return [sorted(share) for share in shares]
