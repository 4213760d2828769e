"""Keypoints of one annotation scheme among those of another."""

from collections.abc import Sequence
from typing import Any, Optional

from mmpose.datasets.transforms import KeypointConverter
from mmpose.registry import TRANSFORMS

from rednet_mm.utils.errors import UserError


@TRANSFORMS.register_module()
class FaceKeypointConverter(KeypointConverter):
    """MMPose's :class:`KeypointConverter`, which knows what it takes.

    An image without keypoints, as in MMPose's inferencer, which runs the
    test pipeline on images from anywhere, stays as it is.

    Required Keys: none

    Modified Keys: keypoints (1, K, 2), keypoints_visible (1, K, 2),
    flip_indices, where there are keypoints

    Args:
        num_keypoints (int): K of the target.
        mapping (Sequence): Pairs of source and target index, as for
            MMPose's.
        num_source_keypoints (int, optional): How many the source has, 21 of
            AFLW for instance. None: any number that the mapping can be
            taken from.

    Raises:
        UserError: from an image, if its keypoints are of another number.
    """

    def __init__(
        self,
        num_keypoints: int,
        mapping: Sequence,
        num_source_keypoints: Optional[int] = None,
    ) -> None:
        super().__init__(num_keypoints, list(mapping))
        self.num_source_keypoints = num_source_keypoints

    def transform(self, results: dict) -> dict:
        """See :class:`KeypointConverter`."""
        if 'keypoints' not in results:
            return results
        number = results['keypoints'].shape[1]
        if not takes(self, number):
            raise UserError(
                f'{results.get("img_path")}: its face has {number} keypoints '
                f'where the pipeline takes {taken(self)}; name the data set '
                'that belongs to it'
            )
        converted: dict = super().transform(results)
        return converted


def first_converter(pipeline: Sequence[Any]) -> Optional[KeypointConverter]:
    """The first converter of keypoints in a pipeline (transforms), if any."""
    return next(
        (step for step in pipeline if isinstance(step, KeypointConverter)),
        None,
    )


def takes(converter: KeypointConverter, number: int) -> bool:
    """Whether a face of so many keypoints can be converted."""
    exact = getattr(converter, 'num_source_keypoints', None)
    if exact is not None:
        return bool(number == exact)
    return number >= _least(converter)


def taken(converter: KeypointConverter) -> str:
    """How many keypoints a converter takes, in words."""
    exact = getattr(converter, 'num_source_keypoints', None)
    return f'{_least(converter)} or more' if exact is None else str(exact)


def _least(converter: KeypointConverter) -> int:
    """How many keypoints the mapping needs at least."""
    second = getattr(converter, 'source_index2', ())
    return max([*converter.source_index, *second], default=-1) + 1
