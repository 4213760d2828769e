"""Supervised identity disentangling (sections 3.4, 4.3)."""

from typing import Any, Optional, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from rednet_mm.utils.errors import UserError


@MODELS.register_module()
class IdentityHead(BaseModule):
    """Which subject an identity code belongs to; for training only.

    A code wider than ``embed_channels`` is brought to it by a 1x1
    convolution; then average pooling, dropout and a linear layer with one
    output a subject (equation 12). The loss is the cross-entropy over
    subjects that section 4.3 names; equation 13 prints a sum of binary ones.

    Of a checkpoint with another number of subjects everything loads but the
    linear layer, which counts as missing: an error if ``strict``.

    Args:
        in_channels (int): C_i, channels of the identity code.
        num_subjects (int): N.
        embed_channels (int): Width of the pooled code. Defaults to 256.
        dropout (float): Share that is dropped. Defaults to 0.6.
        loss_weight (float): gamma of equation 14. Defaults to 1.
    """

    def __init__(
        self,
        in_channels: int,
        num_subjects: int,
        embed_channels: int = 256,
        dropout: float = 0.6,
        loss_weight: float = 1.0,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_subjects = num_subjects
        self.loss_weight = loss_weight
        # Every recurrent step brings codes of its own: batch statistics are
        # enough here, where nothing is ever predicted at test time.
        self.reduce: nn.Module = (
            nn.Identity()
            if in_channels == embed_channels
            else ConvModule(
                in_channels, embed_channels, 1, norm_cfg=dict(type='BN')
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(embed_channels, num_subjects)

    def forward(self, code: Tensor) -> Tensor:
        """Identity codes (N, C_i, h, w) -> logits (N, subjects)."""
        pooled = self.reduce(code).mean((2, 3))
        return self.classify(self.dropout(pooled))

    def loss(
        self, codes: Sequence[Tensor], batch_data_samples: Sequence[Any]
    ) -> dict[str, Tensor]:
        """Mean cross-entropy over steps and frames with a known subject.

        Args:
            codes (Sequence[Tensor]): Identity codes of each step, (N, C_i, h,
                w).
            batch_data_samples (Sequence[PoseDataSample]): N samples;
                ``subject_label`` in their meta information counts from 0,
                None or -1 is unknown.

        Returns:
            dict: ``loss_identity``.

        Raises:
            UserError: for a label that the classifier does not have.
        """
        labels = [
            _subject_label(sample, self.num_subjects)
            for sample in batch_data_samples
        ]
        target = torch.as_tensor(labels, device=codes[0].device)
        known = (target >= 0).sum().clamp(min=1)
        total = codes[0].new_zeros((), dtype=torch.float32)
        for code in codes:
            # Unknown subjects take part with weight 0, so that every
            # parameter has a gradient on every process.
            total = total + F.cross_entropy(
                self(code).float(), target, ignore_index=-1, reduction='sum'
            )
        return dict(
            loss_identity=self.loss_weight * total / (known * len(codes))
        )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        for name, own in self.classify.named_parameters(f'{prefix}classify'):
            given = state_dict.get(name)
            if given is not None and len(given) != len(own):
                del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, *args)


def _subject_label(sample: Any, num_subjects: int) -> int:
    label: Optional[int] = sample.metainfo.get('subject_label')
    if label is None:
        return -1
    if label >= num_subjects:
        raise UserError(
            f'subject {label} of {sample.metainfo.get("img_path")} is outside '
            f'the {num_subjects} subjects of the classifier; set '
            'model.identity_head.num_subjects to the number in the training '
            'file'
        )
    return label
