"""Moves and scales boxes by a given amount, for tests."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from rednet_mm.utils.errors import UserError


@TRANSFORMS.register_module()
class ShiftScaleBox(BaseTransform):
    """Show the network another box than the annotated one.

    Put it behind ``GetBBoxCenterScale``; the annotated box itself stays what
    it is. Nothing is drawn by chance.

    Required Keys: bbox, bbox_center, bbox_scale

    Modified Keys: bbox_center, bbox_scale

    Args:
        shift (Sequence[float]): To the right and down, in longer sides of
            the annotated box. Defaults to (0, 0).
        scale (float): What the sides are multiplied by. Defaults to 1.

    Raises:
        UserError: if the scale is not positive, or something not finite.
    """

    def __init__(
        self, shift: Sequence[float] = (0.0, 0.0), scale: float = 1.0
    ) -> None:
        if len(shift) != 2 or not np.isfinite([*shift, scale]).all():
            raise UserError(
                f'ShiftScaleBox: shift {shift} and scale {scale} must be two '
                'numbers and one'
            )
        if scale <= 0:
            raise UserError(
                f'ShiftScaleBox: scale {scale} leaves no box; give more than 0'
            )
        self.shift = np.array(shift, np.float32)
        self.scale = scale

    def transform(self, results: dict) -> dict:
        """Move and scale the boxes of one sample.

        Args:
            results (dict): With ``bbox`` (N, 4), x1 y1 x2 y2, pixels.
        """
        sides = results['bbox'][:, 2:] - results['bbox'][:, :2]
        longer = sides.max(1, keepdims=True)
        results['bbox_center'] = results['bbox_center'] + self.shift * longer
        results['bbox_scale'] = results['bbox_scale'] * self.scale
        return results

    def __repr__(self) -> str:
        shift = tuple(self.shift.tolist())
        return f'{type(self).__name__}(shift={shift}, scale={self.scale})'
