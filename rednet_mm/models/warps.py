"""Where a crop lies in its frame, from what the data pipeline noted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmpose.structures.bbox import get_udp_warp_matrix

from rednet_mm.errors import UserError

# Of PackPoseInputs' meta keys. VideoClipDataset adds bbox_rotation where a
# transform turned the crop; it counts as 0 where it is not there.
NEEDED = ('input_center', 'input_scale', 'input_size')


def frame_to_crop(metainfo: Mapping[str, Any]) -> np.ndarray:
    """Pixels of the frame to pixels of the crop, shape (2, 3).

    Args:
        metainfo (Mapping): Of a data sample, as ``TopdownAffine(
            use_udp=True)`` and ``PackPoseInputs`` leave it. Where a pipeline
            lets the face of a photo move (``ClipFromImage(follow=True)``),
            the frame is that of its ``crop_in_frame``.

    Raises:
        UserError: if it does not say where the crop was cut out.
    """
    if 'crop_in_frame' in metainfo and 'input_size' in metainfo:
        crop = np.asarray(metainfo['crop_in_frame'], float)
        size = metainfo['input_size']
        return get_udp_warp_matrix(crop[:2], crop[2:], 0.0, size)
    missing = [name for name in NEEDED if name not in metainfo]
    if missing:
        raise UserError(
            "init_from='previous' has to know where the crops of a clip were "
            f'cut out; name {", ".join(missing)} in the meta_keys of '
            'PackPoseInputs'
        )
    rotation = np.ravel(metainfo.get('bbox_rotation', 0.0))[0]
    return get_udp_warp_matrix(
        np.asarray(metainfo['input_center']),
        np.asarray(metainfo['input_scale']),
        float(rotation),
        metainfo['input_size'],
    )
