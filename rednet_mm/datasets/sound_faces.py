"""Data sets that say what cannot be trained on or measured, at the start."""

from typing import Any, Optional

import numpy as np
from mmengine.dataset import BaseDataset

from rednet_mm.errors import UserError


class SoundFaces(BaseDataset):
    """Refuses a file without faces, and a face without an area.

    A face of one pixel is one: it is magnified like any other. Nothing can
    be cut out of a box without width or height, or one that is not finite.
    A face with ``num_keypoints`` of 0 is left out, as in all data sets of
    MMPose; one whose marks are all invisible, or outside of the crop, adds
    nothing to the loss and counts as unmeasured.
    """

    def load_data_list(self) -> list[dict]:
        """The faces of the annotation file.

        Raises:
            UserError: if there are none.
        """
        faces: list[dict] = super().load_data_list()
        if not faces:
            raise UserError(
                f'{self.ann_file} holds no faces; convert the data anew or '
                'name another file'
            )
        return faces

    def parse_data_info(self, raw_data_info: dict) -> Optional[dict]:
        """One face, as MMPose reads it.

        Raises:
            UserError: if its box is empty or not finite.
        """
        info: Any = super().parse_data_info(raw_data_info)
        if info is None:
            return None
        corners = np.asarray(info['bbox'], float).reshape(-1, 2, 2)
        size = corners[:, 1] - corners[:, 0]
        if not np.isfinite(corners).all() or (size <= 0).any():
            raise UserError(
                f'{self.ann_file}: the box of face {info["id"]} in '
                f'{info["img_path"]} is empty or not finite; mend or remove '
                'the face (tools/check_dataset.py lists all)'
            )
        return info
