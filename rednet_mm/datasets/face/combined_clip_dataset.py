"""Clips, and whole videos, out of several files of annotations."""

from typing import Any, Sequence

from mmengine.dataset import ConcatDataset, force_full_init
from mmpose.registry import DATASETS

from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.errors import UserError


@DATASETS.register_module()
class CombinedClipDataset(ConcatDataset):
    """Several :class:`VideoClipDataset` as one, in training and in testing.

    Items are numbered as there: any multiple of the length plus an index, so
    that :class:`SubjectBatchSampler` and :class:`VideoBatchSampler` take it
    like one data set.

    Args:
        datasets (Sequence[dict]): Configs of the parts. A pipeline of one,
            a converter of its keypoints for instance, comes before that of
            all.
        pipeline (Sequence[dict]): The pipeline of all parts.
        test_mode (bool): Of all parts. Defaults to False.

    Raises:
        UserError: if more than one part names its subjects: labels count
            the subjects of one file.
    """

    datasets: list[Any]

    # What MMPose's inferencer goes by where a checkpoint says nothing.
    METAINFO: dict = FACE_68

    def __init__(
        self,
        datasets: Sequence[dict],
        pipeline: Sequence[dict] = (),
        test_mode: bool = False,
    ) -> None:
        self.test_mode = test_mode
        parts = [
            DATASETS.build(
                dict(
                    part,
                    pipeline=[*part.get('pipeline', ()), *pipeline],
                    test_mode=test_mode,
                )
            )
            for part in datasets
        ]
        # The categories name the keypoints of the files, before conversion.
        super().__init__(parts, ignore_keys=['CLASSES'])
        named = [
            part.ann_file
            for part in self.datasets
            if not test_mode and max(part.clip_subjects()) >= 0
        ]
        if len(named) > 1:
            raise UserError(
                f'{" and ".join(named)} both name subjects, which are counted '
                'file by file; train on one file of them'
            )

    @property
    def ann_file(self) -> str:
        """The files of annotations, for messages."""
        return ', '.join(part.ann_file for part in self.datasets)

    @force_full_init
    def clip_subjects(self) -> list[int]:
        """The subject of each training item, negative where not known."""
        subjects: list[int] = []
        lowest = 0
        for part in self.datasets:
            # Tracks of nobody known differ from those of the parts before.
            own = [s if s >= 0 else lowest + s for s in part.clip_subjects()]
            lowest = min([lowest, *own])
            subjects += own
        return subjects

    @property
    def tracks(self) -> list[list[int]]:
        """Places of the frames of each video, for testing."""
        starts = [0, *self.cumulative_sizes]
        return [
            [start + place for place in track]
            for start, part in zip(starts, self.datasets)
            for track in part.tracks
        ]

    def __getitem__(self, idx: int) -> Any:
        run, index = divmod(idx, len(self))
        number, place = self._get_ori_dataset_idx(index)
        part = self.datasets[number]
        return part[run * len(part) + place]
