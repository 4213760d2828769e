"""Groups of frames by which a protocol reports."""

from typing import Optional

import numpy as np

from rednet_mm.utils.errors import UserError

from .records import LandmarkRecords

# What a group is called where the protocol speaks of two.
EASY, HARD = 'common', 'challenging'


def group_rows(
    records: LandmarkRecords, grouping: Optional[str]
) -> dict[str, np.ndarray]:
    """Masks (N,) of the groups of frames, those that have any.

    Args:
        records (LandmarkRecords): Which frames there are.
        grouping (str, optional): See ``protocol.GROUPINGS``; None: none.

    Raises:
        UserError: if a frame does not say to which group it belongs.
    """
    if grouping is None:
        return {}
    if grouping == 'category':
        known = records.categories >= 0
        groups = {
            EASY: records.categories == 1,
            HARD: records.categories > 1,
        }
        for number in np.unique(records.categories[known]):
            groups[f'category_{number}'] = records.categories == number
    elif grouping == 'yaw':
        known = ~np.isnan(records.yaws)
        groups = {
            EASY: np.abs(records.yaws) <= 30,
            HARD: np.abs(records.yaws) > 30,
        }
    elif grouping == 'turn':
        turn = head_turns(records)
        known = ~np.isnan(turn)
        groups = {EASY: turn <= 0.2, HARD: turn > 0.2}
    else:
        known = records.groups != ''
        groups = {
            str(name): records.groups == name
            for name in np.unique(records.groups[known])
        }
    if not known.all():
        raise UserError(
            f'{records.image_paths[int((~known).argmax())]} has no '
            f'{grouping}, by which frames are grouped; choose no groups '
            '(test_evaluator.groups=None, or another --protocol)'
        )
    return {name: rows for name, rows in groups.items() if rows.any()}


def head_turns(records: LandmarkRecords) -> np.ndarray:
    """How far the nose tip lies from the middle of the eyes, (N,).

    Measured along the line of the outer eye corners, in shares of their
    distance. The nose tip stands about half that distance in front of them,
    so at a yaw of y degrees this is about tan(y) / 2: 0.2 at 22 degrees. NaN
    where one of the three points is not annotated.
    """
    if records.truth.shape[1] != 68:
        return np.full(len(records), np.nan)
    nose, start, end = (records.truth[:, point] for point in (30, 36, 45))
    eyes = end - start
    share = ((nose - start) * eyes).sum(1) / np.maximum(
        (eyes * eyes).sum(1), 1e-12
    )
    known = records.visible[:, [30, 36, 45]].all(1)
    return np.where(known, np.abs(share - 0.5), np.nan)
