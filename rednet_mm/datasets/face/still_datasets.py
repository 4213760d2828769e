"""MMPose's data sets of still images, which skip images that cannot be
read.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import BaseDataset
from mmpose.datasets import CombinedDataset
from mmpose.datasets.datasets.face import AFLWDataset, Face300WDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from rednet_mm.datasets.annotations import (
    CheckedAnnotations,
    check_keypoints,
)
from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.datasets.unreadable import (
    TRIES,
    UnreadableFiles,
    UnreadableFrame,
    first_readable,
)


class ReplaceUnreadable(CheckedAnnotations):
    """An image that cannot be read stops no training.

    Another one, chosen at random, takes its place; the first to meet it,
    of all workers of a process, warns and names it. In testing it is an
    error that names it.

    Raises:
        UserError: from an item, if an image (testing) or nearly everything
            (training) cannot be read.
    """

    def full_init(self) -> None:
        """Read the files of annotations and note which images there are."""
        if self._fully_initialized:
            return
        super().full_init()
        self._unreadable = UnreadableFiles(
            (
                BaseDataset.get_data_info(part, place)['img_path']
                for part in self._parts()
                for place in range(len(part))
            ),
            self.test_mode,
        )

    def _parts(self) -> list[BaseDataset]:
        return [self]

    def prepare_data(self, idx: int) -> Any:
        """An image, or in training another one, through the pipeline."""
        files = ', '.join(part.ann_file for part in self._parts())
        return first_readable(self._choices(idx), self._prepare, files)

    def _choices(self, idx: int) -> Iterator[int]:
        yield idx
        for _ in range(TRIES):
            yield self._rand_another()

    def _prepare(self, idx: int) -> Any:
        info = self.get_data_info(idx)
        path = info['img_path']
        if self._unreadable.knows(path):
            raise UnreadableFrame(path)
        # For MMPose's transforms that mix images.
        info['dataset'] = self
        with self._unreadable.reading(path, 'another one takes its place'):
            return self.pipeline(info)


@DATASETS.register_module()
class StillAFLWDataset(ReplaceUnreadable, AFLWDataset):
    """MMPose's :class:`AFLWDataset`; see :class:`ReplaceUnreadable`."""


@DATASETS.register_module()
class Still300WDataset(ReplaceUnreadable, Face300WDataset):
    """MMPose's :class:`Face300WDataset`; see :class:`ReplaceUnreadable`."""


@DATASETS.register_module()
class CombinedStillDataset(ReplaceUnreadable, CombinedDataset):
    """MMPose's :class:`CombinedDataset`; see :class:`ReplaceUnreadable`.

    The images are loaded by this data set's pipeline, not by those of the
    parts.

    Args:
        metainfo (dict): As for MMPose's; defaults to the 68 keypoints.
        **kwargs: As for MMPose's.
    """

    # Where MMPose looks for what a config does not say.
    METAINFO: dict = FACE_68

    def __init__(self, metainfo: dict = FACE_68, **kwargs: Any) -> None:
        # MMPose's wrapper has no metainfo yet when it reads its parts.
        parsed = parse_pose_metainfo(dict(metainfo))
        self._number = len(parsed['keypoint_id2name'])
        super().__init__(metainfo=metainfo, **kwargs)

    def _parts(self) -> list[BaseDataset]:
        return self.datasets

    def full_init(self) -> None:
        """Read the parts and see that the pipelines take their keypoints.

        Raises:
            UserError: if a part has faces of another number of keypoints.
        """
        if self._fully_initialized:
            return
        super().full_init()
        for part in self.datasets:
            steps = [*part.pipeline.transforms, *self.pipeline.transforms]
            for place in range(len(part)):
                info = BaseDataset.get_data_info(part, place)
                check_keypoints(info, steps, self._number, part.ann_file)
