"""The last convolution of each kind, its losses and its decoding."""

import math
from typing import Any, Optional, Sequence, Union

import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import Tensor, nn

from rednet_mm.errors import UserError
from rednet_mm.landmarks import SEVEN_OF_68
from rednet_mm.models.layers import full_precision


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
        UserError: for an empty list of steps or another kind, and for
            ``det_indices`` that are not among the landmarks or come twice.
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
        outside = [i for i in det_indices if not 0 <= i < num_keypoints]
        if outside or len(set(det_indices)) < len(det_indices):
            raise UserError(
                f'det_indices are places among {num_keypoints} landmarks, '
                f'each once, not {tuple(det_indices)}'
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

    def init_weights(self) -> None:
        """As in MMEngine; a detection begins at the share of the discs.

        The first responses are what the weighted cross-entropy would have
        where nothing is known of the frame, as in focal loss (Lin et al.,
        2017, section 3.3). Beginning at one half, all channels first learn
        the background, and with it one and the same map: they stay alike for
        hundreds of iterations, with all landmarks in each.
        """
        super().init_weights()
        if 'det' in self.steps:
            width, height = self.decoder.response_size
            share = math.pi * self.decoder.radius**2 / (width * height)
            weight = getattr(self.losses['det'], 'foreground_weight', 1.0)
            odds = weight * share / (1 - share)
            bias = self.final['det'].get_parameter('bias')
            nn.init.constant_(bias, math.log(odds))

    def forward(
        self, feats: Union[Tensor, Sequence[Tensor]], step: int = -1
    ) -> Tensor:
        """Raw output of a step: logits (detection) or maps (regression).

        Args:
            feats (Tensor | Sequence[Tensor]): Shape (N, C, h, w); of several
                maps, as MMPose's backbones give them, the last.
            step (int): The recurrent step. Defaults to the last.

        Returns:
            Tensor: Shape (N, C_d or C_r, h, w).
        """
        if not isinstance(feats, Tensor):
            feats = feats[-1]
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
            z = output.sigmoid()
        else:
            z = output[:, self.det_indices].clamp(0, 1)
        # Not channels last: on a CPU, the gradient of a strided 1x1
        # convolution of so few channels would write past its memory (oneDNN
        # issue 6035).
        return z.contiguous()

    def loss(
        self,
        feats: Sequence[Tensor],
        batch_data_samples: Sequence[Any],
        train_cfg: Any = None,
    ) -> dict[str, Tensor]:
        """As MMPose's heads: features in, the losses of one step out.

        Args:
            feats (Sequence[Tensor]): Of the backbone; the last is used.
            batch_data_samples (Sequence[PoseDataSample]): As for
                :meth:`loss_by_output`.
            train_cfg (dict): As there.

        Raises:
            UserError: if the head is for several steps.
        """
        outputs = [self._only_output(feats)]
        return self.loss_by_output(outputs, batch_data_samples, train_cfg)

    def _only_output(self, feats: Sequence[Tensor]) -> Tensor:
        if len(self.steps) > 1:
            raise UserError(
                f'a head of {len(self.steps)} recurrent steps needs a '
                'RecurrentPoseEstimator; set model.type to it, or '
                "model.head.steps to ('reg',)"
            )
        return self(feats)

    def loss_by_output(
        self,
        outputs: Sequence[Tensor],
        batch_data_samples: Sequence[Any],
        train_cfg: Any = None,
        clip_length: int = 1,
    ) -> dict[str, Tensor]:
        """Equations 9 and 11: all steps and all frames contribute.

        Args:
            outputs (Sequence[Tensor]): The raw output of each step, (N, C, h,
                w). A step that only the first frames of clips take has
                N / T of them, and its loss counts by that share.
            batch_data_samples (Sequence[PoseDataSample]): N samples with
                ``gt_instance_labels.keypoint_labels`` (1, K, 2) in input
                pixels and ``keypoint_weights`` (1, K).
            train_cfg (dict): ``compute_acc``, True by default.
            clip_length (int): T. Defaults to 1.

        Returns:
            dict: One loss a step, ``loss_det_0``, ``loss_reg_1``, ..., and
            ``acc_pose``, the share of landmarks that the last step finds
            within a twentieth of the input.
        """
        labels = [sample.gt_instance_labels for sample in batch_data_samples]
        keypoints = torch.cat([label.keypoint_labels for label in labels])
        weights = torch.cat([label.keypoint_weights for label in labels])
        losses = {}
        for step, (kind, output) in enumerate(zip(self.steps, outputs)):
            # All frames of the clips, or their first ones.
            frames = len(output) * clip_length // len(keypoints)
            places, weight = (
                each.unflatten(0, (-1, clip_length))[:, :frames].flatten(0, 1)
                for each in (keypoints, weights)
            )
            if kind == 'det':
                few = list(self.det_indices)
                places, weight = places[:, few], weight[:, few]
            # Drawn where the network is: no map goes through a dataloader.
            draw = (
                self.decoder.draw_discs
                if kind == 'det'
                else self.decoder.draw_gaussians
            )
            loss = self.losses[kind](output, draw(places), weight)
            losses[f'loss_{kind}_{step}'] = loss * (frames / clip_length)
        if (train_cfg or {}).get('compute_acc', True):
            if self.steps[-1] == 'det':
                few = list(self.det_indices)
                keypoints, weights = keypoints[:, few], weights[:, few]
            losses['acc_pose'] = self._accuracy(
                outputs[-1], keypoints, weights
            )
        return losses

    @torch.no_grad()
    def _accuracy(
        self, output: Tensor, keypoints: Tensor, weights: Tensor
    ) -> Tensor:
        """PCK as MMPose's heads log it, at 0.05 of the input's sides."""
        found = self.decoder.peaks(output.float().contiguous())
        size = found.new_tensor(self.decoder.input_size)
        near = ((found - keypoints) / size).norm(dim=-1) < 0.05
        return (near * weights).sum() / weights.sum().clamp(min=1)

    def locate(self, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Landmarks of the last step's output.

        Args:
            output (Tensor): Raw output of the last step, (N, C, h, w).

        Returns:
            tuple: Coordinates (N, C, 2) in input pixels, scores (N, C) and
            how widely each response is spread (N, C), pixels of the map.
        """
        maps = self.last_response(output)
        keypoints, scores = self._decode(maps)
        with full_precision(maps):
            return keypoints, scores, self.decoder.spread(maps, keypoints)

    def last_response(self, output: Tensor) -> Tensor:
        """The last step's output as responses in single precision.

        They lie row by row in memory, as decoding reads them, however the
        network laid them out.
        """
        step = len(self.steps) - 1
        return self.response(output.float(), step).contiguous()

    def _decode(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Places and scores of the last step's responses (N, C, h, w)."""
        # In half precision, places would be rounded to whole pixels.
        with full_precision(maps):
            return self.decoder.decode_maps(maps, self.steps[-1])

    def _mirror_mean(self, maps: Tensor, metainfo: dict) -> Tensor:
        """Responses averaged with those of the mirrored frames.

        Args:
            maps (Tensor): Responses to N frames and then to their mirror
                images, (2N, C, h, w).
            metainfo (dict): Of a data sample, with the ``flip_indices``
                that MMPose's data sets and pipelines give.

        Returns:
            Tensor: Shape (N, C, h, w).

        Raises:
            UserError: if there are no ``flip_indices`` for the landmarks of
                this head, or one that is detected has a partner that is not.
        """
        partners = metainfo.get('flip_indices')
        if partners is None or len(partners) != self.num_keypoints:
            number = 'none' if partners is None else len(partners)
            raise UserError(
                'model.test_cfg.flip_test needs flip_indices of '
                f'{self.num_keypoints} landmarks and the samples have '
                f"{number}; name 'flip_indices' in the meta_keys of "
                'PackPoseInputs and use a data set of as many landmarks, or '
                'set flip_test to False'
            )
        if self.steps[-1] == 'det':
            known = self.det_indices
            alone = [i for i in known if partners[i] not in known]
            if alone:
                raise UserError(
                    'model.test_cfg.flip_test: the mirror images of the '
                    f'landmarks {alone} are not in model.head.det_indices; '
                    'add them or set flip_test to False'
                )
            partners = [known.index(partners[i]) for i in known]
        own, mirrored = maps.chunk(2)
        # UDP: the mirrored map is the map of the mirrored frame, no shift.
        back = flip_heatmaps(mirrored, partners, shift_heatmap=False)
        return (own + back) / 2

    def predict(
        self,
        feats: Sequence[Any],
        batch_data_samples: Any = None,
        test_cfg: Any = None,
    ) -> Any:
        """As MMPose's heads: features in, landmarks of one step out.

        Args:
            feats (Sequence[Tensor]): Of the backbone; with ``flip_test`` a
                list of two, of the frames and of their mirror images.
            batch_data_samples (Sequence[PoseDataSample]): As for
                :meth:`predict_by_output`.
            test_cfg (dict): As there.

        Returns:
            As there.

        Raises:
            UserError: if the head is for several steps.
        """
        if (test_cfg or {}).get('flip_test', False):
            output = torch.cat([self._only_output(each) for each in feats])
        else:
            output = self._only_output(feats)
        return self.predict_by_output([output], batch_data_samples, test_cfg)

    def predict_by_output(
        self,
        outputs: Sequence[Tensor],
        batch_data_samples: Any = None,
        test_cfg: Any = None,
    ) -> Any:
        """Landmarks as MMPose's estimators want them.

        Args:
            outputs (Sequence[Tensor]): The raw output of each step, (N, C, h,
                w); with ``flip_test`` in the test settings (2N, C, h, w), the
                second half for the mirrored frames.
            batch_data_samples (Sequence[PoseDataSample]): N samples; read
                for their ``flip_indices`` alone.
            test_cfg (dict): ``flip_test`` and ``output_heatmaps``. MMPose's
                ``flip_mode`` and ``shift_heatmap`` are not read: the codec
                leaves one way to mirror a map.

        Returns:
            list[InstanceData]: N instances with ``keypoints`` (1, C, 2) and
            ``keypoint_scores`` (1, C); with ``output_heatmaps`` in the test
            settings, also a list of N fields with ``heatmaps`` (C, h, w).
        """
        test_cfg = test_cfg or {}
        maps = self.last_response(outputs[-1].detach())
        if test_cfg.get('flip_test', False):
            maps = self._mirror_mean(maps, batch_data_samples[0].metainfo)
        keypoints, scores = self._decode(maps)
        keypoints = self.decoder.to_mmpose(keypoints).cpu().numpy()
        preds = [
            InstanceData(keypoints=place[None], keypoint_scores=score[None])
            for place, score in zip(keypoints, scores.cpu().numpy())
        ]
        if not test_cfg.get('output_heatmaps', False):
            return preds
        return preds, [PixelData(heatmaps=each) for each in maps]
