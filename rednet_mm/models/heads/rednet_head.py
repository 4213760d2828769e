"""The last convolution of each kind, its losses and its decoding."""

from typing import Any, Optional, Sequence

import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import Tensor, nn

from rednet_mm.errors import UserError
from rednet_mm.landmarks import SEVEN_OF_68


@MODELS.register_module()
class REDNetHead(BaseHead):
    """Detection and regression in recurrent steps (sections 3.2, 4.2).

    The steps share every weight of the network but the 1x1 convolution of
    their kind, which is here: ``'det'`` draws C_d discs (logits),
    ``'reg'`` C_r Gaussians.

    Args:
        in_channels (int): Channels of the decoder's output.
        decoder (dict): The :class:`ResponseMap` codec.
        steps (Sequence[str]): The kind of each recurrent step, ``'det'`` or
            ``'reg'``. ``('det', 'reg')`` is the paper's.
        num_keypoints (int): C_r, landmarks that are regressed. Defaults
            to 68.
        det_indices (Sequence[int]): Which of them are detected, C_d places.
        loss_det (dict): Loss of a detection step (equation 6).
        loss_reg (dict): Loss of a regression step (equation 8); its weight
            is lambda of equation 9.

    Raises:
        UserError: for an empty list of steps or another kind.
    """

    def __init__(
        self,
        in_channels: int,
        decoder: dict,
        steps: Sequence[str] = ('det', 'reg'),
        num_keypoints: int = 68,
        det_indices: Sequence[int] = SEVEN_OF_68,
        loss_det: Optional[dict] = None,
        loss_reg: Optional[dict] = None,
        init_cfg: Any = (dict(type='Normal', layer='Conv2d', std=0.001),),
    ) -> None:
        super().__init__(list(init_cfg) if init_cfg else None)
        if not steps or set(steps) - {'det', 'reg'}:
            raise UserError(
                f"steps are a list of 'det' and 'reg', not {steps!r}"
            )
        self.steps = tuple(steps)
        self.num_keypoints = num_keypoints
        self.det_indices = tuple(det_indices)
        self.decoder = KEYPOINT_CODECS.build(decoder)
        self.final = nn.ModuleDict()
        self.losses = nn.ModuleDict()
        if 'det' in self.steps:
            self.final['det'] = nn.Conv2d(in_channels, len(det_indices), 1)
            self.losses['det'] = MODELS.build(
                loss_det or dict(type='ResponseMapBCELoss')
            )
        if 'reg' in self.steps:
            self.final['reg'] = nn.Conv2d(in_channels, num_keypoints, 1)
            self.losses['reg'] = MODELS.build(
                loss_reg or dict(type='ResponseMapL2Loss')
            )

    def forward(self, feats: Tensor, step: int = -1) -> Tensor:
        """Raw output of a step: logits (detection) or maps (regression).

        Args:
            feats (Tensor): Shape (N, C, h, w).
            step (int): The recurrent step. Defaults to the last.

        Returns:
            Tensor: Shape (N, C_d or C_r, h, w).
        """
        return self.final[self.steps[step]](feats)

    def response(self, output: Tensor, step: int) -> Tensor:
        """A step's output as responses in [0, 1] or thereabouts."""
        return output.sigmoid() if self.steps[step] == 'det' else output

    def feedback(self, output: Tensor, step: int) -> Tensor:
        """z of equation 4: what the next step sees, (N, C_d, h, w).

        After a regression step these are the maps of the C_d landmarks that
        detection knows, cut to [0, 1].
        """
        if self.steps[step] == 'det':
            return output.sigmoid()
        return output[:, self.det_indices].clamp(0, 1)

    def loss(
        self,
        feats: Sequence[Tensor],
        batch_data_samples: Sequence[Any],
        train_cfg: Any = None,
    ) -> dict[str, Tensor]:
        """Equations 9 and 11: all steps and all frames contribute.

        Args:
            feats (Sequence[Tensor]): The raw output of each step, (N, C, h,
                w).
            batch_data_samples (Sequence[PoseDataSample]): N samples with
                ``gt_instance_labels.keypoint_labels`` (1, K, 2) in input
                pixels and ``keypoint_weights`` (1, K).

        Returns:
            dict: One loss a step, ``loss_det_0``, ``loss_reg_1``, ...
        """
        labels = [sample.gt_instance_labels for sample in batch_data_samples]
        keypoints = torch.cat([label.keypoint_labels for label in labels])
        weights = torch.cat([label.keypoint_weights for label in labels])
        # Drawn where the network is: no map ever goes through a dataloader.
        targets = {}
        if 'det' in self.steps:
            few = list(self.det_indices)
            targets['det'] = (
                self.decoder.draw_discs(keypoints[:, few]),
                weights[:, few],
            )
        if 'reg' in self.steps:
            targets['reg'] = self.decoder.draw_gaussians(keypoints), weights
        return {
            f'loss_{kind}_{step}': self.losses[kind](output, *targets[kind])
            for step, (kind, output) in enumerate(zip(self.steps, feats))
        }

    def locate(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks of the last step's output.

        Args:
            output (Tensor): Raw output of the last step, (N, C, h, w).

        Returns:
            tuple: Coordinates (N, C, 2) in input pixels, scores (N, C).
        """
        # In half precision, places would be rounded to whole pixels.
        with torch.autocast(output.device.type, enabled=False):
            maps = self.response(output.float(), len(self.steps) - 1)
            return self.decoder.decode_maps(maps, self.steps[-1])

    def predict(
        self,
        feats: Sequence[Tensor],
        batch_data_samples: Any = None,
        test_cfg: Any = None,
    ) -> Any:
        """Landmarks as MMPose's estimators want them.

        Args:
            feats (Sequence[Tensor]): The raw output of each step.

        Returns:
            list[InstanceData]: N instances with ``keypoints`` (1, C, 2) and
            ``keypoint_scores`` (1, C); with ``output_heatmaps`` in the test
            settings, also a list of N fields with ``heatmaps`` (C, h, w).
        """
        keypoints, scores = self.locate(feats[-1])
        keypoints = self.decoder.to_mmpose(keypoints).cpu().numpy()
        preds = [
            InstanceData(keypoints=place[None], keypoint_scores=score[None])
            for place, score in zip(keypoints, scores.cpu().numpy())
        ]
        if not (test_cfg or {}).get('output_heatmaps', False):
            return preds
        maps = self.response(feats[-1].float(), len(self.steps) - 1)
        return preds, [PixelData(heatmaps=each.detach()) for each in maps]
