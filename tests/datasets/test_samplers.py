"""Batches of clips without a subject twice, of frames of one video."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rednet_mm.datasets import samplers
from rednet_mm.datasets.samplers import SubjectBatchSampler, VideoBatchSampler

# Three clips of each of six tracks; the last two have no known subject.
SUBJECTS = [s for s in (0, 1, 2, 2, -5, -6) for _ in range(3)]


def subject_sampler(
    batch_size, epoch=0, seed=0, subjects=SUBJECTS, max_batches=None
):
    dataset = SimpleNamespace(
        clip_subjects=lambda: subjects, ann_file='train.json'
    )
    sampler = SimpleNamespace(dataset=dataset, seed=seed, epoch=epoch)
    return SubjectBatchSampler(sampler, batch_size, max_batches)


def video_sampler(batch_size):
    tracks = [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9, 10, 11]]
    dataset = SimpleNamespace(tracks=tracks)
    return VideoBatchSampler(SimpleNamespace(dataset=dataset), batch_size)


@pytest.fixture
def be_rank(monkeypatch):
    """Makes the samplers believe in several processes."""

    def pretend(rank: int, world_size: int = 2) -> None:
        monkeypatch.setattr(
            samplers, 'get_dist_info', lambda: (rank, world_size)
        )

    return pretend


def test_no_subject_twice_in_a_batch():
    sampler = subject_sampler(4)
    batches = list(sampler)
    # Subject 2 has 6 clips, the others 3: 18 clips, at most 4 batches of 4
    # (18 // 4); 3 + 3 + 4 + 3 + 3 = 16 clips fit into 4.
    assert len(batches) == len(sampler) == 4
    for batch in batches:
        assert len({SUBJECTS[item] for item in batch}) == 4
    used = [item for batch in batches for item in batch]
    assert len(used) == len(set(used)) == 16


def test_epoch_is_in_the_number_of_an_item():
    first, again = list(subject_sampler(3)), list(subject_sampler(3))
    assert first == again
    later = list(subject_sampler(3, epoch=2))
    # 18 items an epoch: those of epoch 2 are 36 to 53.
    assert {item // 18 for batch in later for item in batch} == {2}
    moved = [[item - 36 for item in batch] for batch in later]
    assert moved != first
    assert list(subject_sampler(3, seed=1)) != first


def test_an_epoch_that_ends_early():
    whole = list(subject_sampler(3))
    sampler = subject_sampler(3, max_batches=2)
    assert len(sampler) == 2 and list(sampler) == whole[:2]
    assert len(subject_sampler(3, max_batches=99)) == len(whole)


def test_two_processes_have_no_subject_in_common(be_rank):
    sides = []
    for rank in range(2):
        be_rank(rank)
        sampler = subject_sampler(2)
        sides.append(list(sampler))
        assert len(sampler) == len(sides[-1]) == 4
    for mine, yours in zip(*sides):
        assert len(mine) == len(yours) == 2
        assert len({SUBJECTS[item] for item in mine + yours}) == 4
    used = [item for side in sides for batch in side for item in batch]
    assert len(used) == len(set(used)) == 16


@pytest.mark.parametrize(
    ('batch_size', 'world_size', 'needed'), [(6, 1, 6), (3, 2, 6)]
)
def test_too_few_subjects(be_rank, batch_size, world_size, needed):
    be_rank(0, world_size)
    with pytest.raises(ValueError) as caught:
        subject_sampler(batch_size)
    # 0, 1, 2 and two tracks of no known subject.
    assert str(caught.value) == (
        f'a batch of {needed} clips needs as many subjects, train.json has '
        '5: lower train_dataloader.batch_size'
    )


def test_frames_of_one_video_in_order():
    sampler = video_sampler(2)
    assert list(sampler) == [
        [0, 1],
        [2, 3],
        [4],
        [5, 6],
        [7],
        [8, 9],
        [10, 11],
    ]
    assert len(sampler) == 7
    # A second walk is the same.
    assert list(sampler) == list(sampler)


def test_processes_share_the_videos_whole(be_rank):
    # 5 frames for one; 4 and then 3 for the other, in order of the file.
    be_rank(0)
    assert list(video_sampler(10)) == [[0, 1, 2, 3, 4]]
    be_rank(1)
    assert list(video_sampler(10)) == [[5, 6, 7], [8, 9, 10, 11]]
    be_rank(3, 4)
    assert list(video_sampler(10)) == []
