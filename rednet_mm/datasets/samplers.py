"""Batches for clips in training and for whole videos in testing."""

from typing import Any, Iterator

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS

from .clip_sampling import (
    count_disjoint_batches,
    disjoint_batches,
    share_videos,
)


@DATA_SAMPLERS.register_module()
class SubjectBatchSampler:
    """Batches of clips with no subject twice in a batch (section 5.1).

    Use it as the ``batch_sampler`` of a training dataloader over a
    :class:`VideoClipDataset`; ``sampler`` gives the seed and the epoch.
    With several processes no subject is twice in what all of them see in one
    iteration. A clip whose subject is not known counts as its video.

    An item is ``epoch * len(dataset) + index``: the data set draws from that
    number, so an epoch is other clips than the last, and the same after a
    resumed training.

    Args:
        sampler (Sampler): MMEngine's ``DefaultSampler``.
        batch_size (int): B, clips of one process.
        drop_last (bool): There are full batches only.

    Raises:
        ValueError: if there are fewer subjects than clips in a batch.
    """

    def __init__(
        self, sampler: Any, batch_size: int, drop_last: bool = True
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.rank, world_size = get_dist_info()
        self.group_size = batch_size * world_size
        self.groups = sampler.dataset.clip_subjects()
        sizes = np.unique(self.groups, return_counts=True)[1]
        if len(sizes) < self.group_size:
            raise ValueError(
                f'a batch of {self.group_size} clips needs as many subjects, '
                f'{sampler.dataset.ann_file} has {len(sizes)}: lower '
                'train_dataloader.batch_size'
            )
        self.num_batches = count_disjoint_batches(
            sizes.tolist(), self.group_size
        )

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self.sampler.epoch
        rng = np.random.default_rng([self.sampler.seed, epoch])
        offset = epoch * len(self.groups)
        first = self.rank * self.batch_size
        for group in disjoint_batches(self.groups, self.group_size, rng):
            batch = group[first : first + self.batch_size]
            yield [offset + item for item in batch]

    def __len__(self) -> int:
        return self.num_batches


@DATA_SAMPLERS.register_module()
class VideoBatchSampler:
    """Batches of consecutive frames of one video, videos in order.

    Use it as the ``batch_sampler`` of a test dataloader over a
    :class:`VideoClipDataset`, with :class:`VideoTestLoop`, which carries the
    state from batch to batch. Processes share the videos, whole.

    Args:
        sampler (Sampler): MMEngine's ``DefaultSampler``, ``shuffle=False``.
        batch_size (int): Frames of a batch; the last of a video may be
            shorter.
        drop_last (bool): Not used: no frame is dropped.
    """

    def __init__(
        self, sampler: Any, batch_size: int, drop_last: bool = False
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        rank, world_size = get_dist_info()
        tracks = sampler.dataset.tracks
        mine = share_videos([len(track) for track in tracks], world_size)[rank]
        self.batches = [
            tracks[video][start : start + batch_size]
            for video in mine
            for start in range(0, len(tracks[video]), batch_size)
        ]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)
