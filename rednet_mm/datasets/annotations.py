"""What an annotation file from elsewhere may hold, and what it may not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Optional

import numpy as np
from mmengine.dataset import BaseDataset
from mmpose.datasets.transforms import PackPoseInputs

from rednet_mm.datasets.transforms.face_keypoint_converter import (
    first_converter,
    taken,
    takes,
)
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.untrusted import leaves_folder

# What MMPose's and COCO's readers raise over content of another form.
UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@contextmanager
def reading_annotations(path: str) -> Iterator[None]:
    """Surrounds what reads an annotation file.

    Raises:
        UserError: if something in it is not as the converters write it.
    """
    try:
        yield
    except UserError:
        raise
    except UNREADABLE as error:
        reason = ' '.join(str(error)[:200].split())
        raise UserError(
            f'{path} is not an annotation file of the converters '
            f'({type(error).__name__}: {reason}); look at it with '
            'tools/dataset/check_dataset.py'
        ) from error


def check_name(name: object, path: str) -> None:
    """See that an image lies in the data set's folder.

    Args:
        name (object): ``file_name`` of an image.
        path (str): The annotation file, for the sentence.

    Raises:
        UserError: if it leads elsewhere.
    """
    if not isinstance(name, str) or leaves_folder(name):
        raise UserError(
            f'{path} names the image {str(name)[:80]!r}, which is no path '
            "in the data set's folder; convert the data again"
        )


def check_keypoints(
    info: dict, pipeline: Sequence[Any], number: int, path: str
) -> None:
    """See that a pipeline takes as many keypoints as a face has.

    Args:
        info (dict): MMPose's fields of the face, before the pipeline.
        pipeline (Sequence): All transforms that it goes through; the first
            :class:`KeypointConverter` says what is taken.
        number (int): What is taken where there is none: keypoints of the
            data set's metainfo.
        path (str): The annotation file, for the message.

    Raises:
        UserError: if it has another number.
    """
    converter = first_converter(pipeline)
    found = info['keypoints'].shape[1]
    expected = str(number) if converter is None else taken(converter)
    fits = found == number if converter is None else takes(converter, found)
    if info['keypoints'].shape != (1, found, 2) or not fits:
        raise UserError(
            f'{path}: a face in {info["img_path"]} has {found} keypoints '
            f'where the pipeline takes {expected}; name the data set that '
            'belongs to it'
        )


class CheckedAnnotations(BaseDataset):
    """A data set of MMPose whose file may come from elsewhere.

    Image files lie below the data set's folder (``data_root`` and
    ``data_prefix``): absolute names, ``..`` and addresses are refused. Links
    in that folder are followed, for the converters make them.

    A face of one pixel is one: it is magnified like any other. Nothing can
    be cut out of a box without width or height. A face with
    ``num_keypoints`` of 0 is left out, as in all data sets of MMPose; one
    whose keypoints are all invisible, or outside of the crop, adds nothing to
    the loss and counts as unmeasured.

    Raises:
        UserError: if the file is not as the converters write it.
    """

    def load_data_list(self) -> list[dict]:
        """The faces of the annotation file.

        Raises:
            UserError: if there are none.
        """
        with reading_annotations(self.ann_file):
            found: list[dict] = super().load_data_list()
        if not found:
            raise UserError(
                f'{self.ann_file} holds no faces that can be used; convert '
                'the data again or name another file'
            )
        return found

    def parse_data_info(self, raw_data_info: dict) -> Optional[dict]:
        """MMPose's fields of one face; None for one that is left out.

        Raises:
            UserError: if its keypoints are of another number than the
                pipeline takes, numbers are not finite, or its box is empty.
        """
        name = raw_data_info['raw_img_info']['file_name']
        check_name(name, self.ann_file)
        info: Optional[dict] = super().parse_data_info(raw_data_info)
        if info is None:
            return None
        steps = self.pipeline.transforms
        # Items of a part go on into the pipeline of the whole, which may
        # convert them: that data set checks its parts.
        if any(isinstance(step, PackPoseInputs) for step in steps):
            number = len(self._metainfo['keypoint_id2name'])
            check_keypoints(info, steps, number, self.ann_file)
        corners = np.asarray(info['bbox'], float).reshape(-1, 2, 2)
        finite = np.isfinite(corners).all()
        if not finite or (corners[:, 1] <= corners[:, 0]).any():
            raise UserError(
                f'{self.ann_file}: the box of face {info["id"]} in '
                f'{info["img_path"]} is empty or not finite; mend or remove '
                'the face (tools/dataset/check_dataset.py lists all)'
            )
        if info['bbox_center'].shape != (1, 2):
            raise UserError(
                f'{self.ann_file}: the centre of the box of a face in {name} '
                'is no point; convert the data again'
            )
        if not np.isfinite(info['keypoints']).all():
            raise UserError(
                f'{self.ann_file}: a mark of a face in {name} is not finite; '
                'convert the data again'
            )
        return info
