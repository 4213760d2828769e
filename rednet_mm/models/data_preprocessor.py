"""Batches of still images or of clips, normalised on the device."""

from typing import Any

import torch
from mmengine.model import ImgDataPreprocessor
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.registry import MODELS

from rednet_mm.utils.errors import UserError


@MODELS.register_module()
class ClipDataPreprocessor(PoseDataPreprocessor):
    """MMPose's preprocessor, for clips as well.

    Still images (3, H, W) are left to :class:`PoseDataPreprocessor`. B clips
    (T, 3, H, W) become one tensor (B, T, 3, H, W), and their data samples,
    T a clip, one list of B*T: clip by clip, frames in order.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Collate, move to the device and normalise.

        Args:
            data (dict): ``inputs``, a list of uint8 tensors; and
                ``data_samples``: a list of B samples for still images, for
                clips T lists of B samples, which is what ``pseudo_collate``
                makes of B lists.
            training (bool): Handed on.

        Returns:
            dict: ``inputs`` (B, 3, H, W) or (B, T, 3, H, W), float32; and
            ``data_samples``, a flat list.

        Raises:
            UserError: if a batch is empty, or its clips differ in length or
                size.
        """
        inputs = data['inputs']
        if not len(inputs):
            raise UserError(
                'a batch holds no frames; a sampler must give at least one'
            )
        if inputs[0].dim() == 3:
            return super().forward(data, training)
        if len({tuple(clip.shape) for clip in inputs}) > 1:
            raise UserError(
                'clips of one batch must have one length and size, got '
                f'{[tuple(clip.shape) for clip in inputs]}'
            )
        clips = torch.stack(list(inputs))
        flat: dict[str, Any] = ImgDataPreprocessor.forward(
            self, dict(inputs=clips.flatten(0, 1), data_samples=None), training
        )
        samples = data.get('data_samples')
        if samples is not None:
            samples = self.cast_data(
                [frames[b] for b in range(len(clips)) for frames in samples]
            )
        return dict(
            inputs=flat['inputs'].unflatten(0, clips.shape[:2]),
            data_samples=samples,
        )
