"""Batches for clips in training and for whole videos in testing."""

from typing import Any, Iterator, Optional

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS

from rednet_mm.utils.errors import UserError

from .clip_sampling import (
    count_disjoint_batches,
    disjoint_batches,
    share_videos,
)

# More epochs than a training has: the runs of two seeds never meet.
EPOCHS_OF_A_SEED = 1_000_000


@DATA_SAMPLERS.register_module()
class SubjectBatchSampler:
    """Batches of clips with no subject twice in a batch (section 5.1).

    Use it as the ``batch_sampler`` of a training dataloader over a
    :class:`VideoClipDataset`; ``sampler`` gives the seed and the epoch.
    With several processes no subject is twice in what all of them see in one
    iteration. A clip whose subject is not known counts as its video.

    An item is ``run * len(dataset) + index``, where the run counts epochs and
    seeds: the data set draws from that number, so an epoch is other clips
    than the last, another seed others again, and a resumed training the same.

    Args:
        sampler (Sampler): MMEngine's ``DefaultSampler``.
        batch_size (int): B, clips of one process.
        max_batches (int, optional): The end of an epoch, which then shows
            other clips than the next. None: as many as there are.

    Raises:
        UserError: if there are fewer subjects than clips in a batch.
    """

    def __init__(
        self,
        sampler: Any,
        batch_size: int,
        max_batches: Optional[int] = None,
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.rank, world_size = get_dist_info()
        self.group_size = batch_size * world_size
        self.groups = sampler.dataset.clip_subjects()
        sizes = np.unique(self.groups, return_counts=True)[1]
        if len(sizes) < self.group_size:
            raise UserError(
                f'a batch of {self.group_size} clips needs as many subjects, '
                f'{sampler.dataset.ann_file} has {len(sizes)}: lower '
                'train_dataloader.batch_size'
            )
        self.num_batches = count_disjoint_batches(
            sizes.tolist(), self.group_size
        )
        if max_batches is not None:
            self.num_batches = min(self.num_batches, max_batches)

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self.sampler.epoch
        rng = np.random.default_rng([self.sampler.seed, epoch])
        run = self.sampler.seed * EPOCHS_OF_A_SEED + epoch
        offset = run * len(self.groups)
        first = self.rank * self.batch_size
        batches = disjoint_batches(self.groups, self.group_size, rng)
        for group in batches[: self.num_batches]:
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
    """

    def __init__(self, sampler: Any, batch_size: int) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
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
