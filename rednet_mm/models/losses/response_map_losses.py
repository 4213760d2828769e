"""Losses on response maps: detection (equation 6), regression (equation 8).

Both are averaged over the pixels of a map, over the supervised maps of a face
and over the faces, where the paper's equations sum over the pixels: the
constant 1 / (W * H) makes a weight mean the same at every
resolution, and is otherwise a matter of the learning rate.
"""

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn


def _mean_over_faces(loss: Tensor, target_weight: Tensor) -> Tensor:
    """Mean of ``loss`` (N, C, h, w) over a face's maps, then over faces.

    A face with 7 supervised maps weighs what one with 68 does (equation 8
    averages over the channels of a frame); one without any does not count.
    Zero (with a gradient of zero) where no map of the batch is supervised.
    """
    per_map = loss.mean((2, 3)) * target_weight
    maps = target_weight.sum(1)  # (N,)
    known = maps > 0
    per_face = per_map.sum(1) / torch.where(known, maps, 1)
    return per_face.sum() / known.sum().clamp(min=1)


@MODELS.register_module()
class ResponseMapBCELoss(nn.Module):
    """Weighted binary cross-entropy per pixel (equation 6).

    The paper prints the equation without its minus sign and with z and y
    exchanged; this is the cross-entropy that the text describes. Pixels of
    the disc count ``foreground_weight`` times (section 4.2).

    Args:
        foreground_weight (float): Weight of a pixel in the disc. Defaults
            to 10.
        loss_weight (float): Weight of the loss. Defaults to 1.
    """

    def __init__(
        self, foreground_weight: float = 10.0, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.foreground_weight = foreground_weight
        self.loss_weight = loss_weight

    def forward(
        self, output: Tensor, target: Tensor, target_weight: Tensor
    ) -> Tensor:
        """The loss, a scalar.

        Args:
            output (Tensor): Logits, shape (N, C, h, w).
            target (Tensor): Discs of 0 and 1, shape (N, C, h, w).
            target_weight (Tensor): Shape (N, C), 0 where the landmark is not
                annotated, so not supervised.
        """
        weight = 1 + (self.foreground_weight - 1) * target
        loss = F.binary_cross_entropy_with_logits(
            output.float(), target, weight, reduction='none'
        )
        return self.loss_weight * _mean_over_faces(loss, target_weight)


@MODELS.register_module()
class ResponseMapL2Loss(nn.Module):
    """Weighted squared error per pixel (equation 8).

    A pixel is in the foreground where the target exceeds ``threshold``; it
    counts ``foreground_weight`` times (section 4.2).

    Args:
        foreground_weight (float): Weight of a pixel in the foreground.
            Defaults to 10.
        threshold (float): Height of the Gaussian at which the foreground
            begins. Defaults to 0.1, which is 2.1 sigma from the landmark.
        loss_weight (float): lambda of equation 9. Defaults to 1.
    """

    def __init__(
        self,
        foreground_weight: float = 10.0,
        threshold: float = 0.1,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.foreground_weight = foreground_weight
        self.threshold = threshold
        self.loss_weight = loss_weight

    def forward(
        self, output: Tensor, target: Tensor, target_weight: Tensor
    ) -> Tensor:
        """The loss, a scalar.

        Args:
            output (Tensor): Response maps, shape (N, C, h, w).
            target (Tensor): Gaussians in [0, 1], shape (N, C, h, w).
            target_weight (Tensor): Shape (N, C), 0 where the landmark is not
                annotated, so not supervised.
        """
        weight = torch.where(
            target > self.threshold, self.foreground_weight, 1.0
        )
        # In place: 68 maps of all frames take hundreds of megabytes.
        loss = (output.float() - target).square().mul_(weight)
        return self.loss_weight * _mean_over_faces(loss, target_weight)
