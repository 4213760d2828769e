"""The baseline of every claim about jitter: the same system, smoothed."""

import dataclasses
from typing import Any, Optional, Union

import numpy as np

from rednet_mm.errors import UserError
from rednet_mm.one_euro import OneEuroFilter
from rednet_mm.shape_filter import ShapeFilter

from .records import LandmarkRecords


def smoothed(
    records: LandmarkRecords,
    fps: float = 25.0,
    smooth: Optional[Union[OneEuroFilter, ShapeFilter]] = None,
) -> LandmarkRecords:
    """A system's predictions through a filter, track by track.

    Causal, as a user would run it. Where a frame has no prediction, or one
    is left out, the filter begins anew.

    Args:
        records (LandmarkRecords): Of videos, at least in part.
        fps (float): Frames a second of the videos. Defaults to 25.
        smooth (OneEuroFilter | ShapeFilter, optional): Defaults to the
            shape filter with its usual settings.

    Returns:
        LandmarkRecords: The same rows, called ``NAME + shape filter`` or
        ``NAME + One Euro``.

    Raises:
        UserError: if all tracks are of one frame, or for a rate of zero.
    """
    if not records.is_video:
        raise UserError(
            f'{records.name} has stills only, which cannot be smoothed over '
            'time'
        )
    if not fps > 0:
        raise UserError(f'{fps} frames a second: give more than 0')
    smooth = smooth or ShapeFilter()
    prediction = records.prediction.copy()
    state: Any = None
    last = (-1, -1)
    for row, (track, frame) in enumerate(
        zip(records.tracks.tolist(), records.frame_ids.tolist())
    ):
        if (track, frame - 1) != last:
            state = None
        last = (track, frame)
        if np.isnan(prediction[row]).any():
            state = None
            continue
        prediction[row], state = smooth.step(
            prediction[row], frame / fps, state
        )
    title = 'One Euro' if isinstance(smooth, OneEuroFilter) else 'shape filter'
    return dataclasses.replace(
        records, name=f'{records.name} + {title}', prediction=prediction
    )
