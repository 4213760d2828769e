"""Split of the bottleneck and recurrence over time (sections 3.3, 4.2)."""

from collections.abc import Mapping
from typing import Any, Optional

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from rednet_mm.models.layers import (
    StepBatchNorm2d,
    full_precision,
)
from rednet_mm.utils.errors import UserError

Memory = tuple[Tensor, Tensor]


@MODELS.register_module()
class TemporalRecurrentNeck(BaseModule):
    """Cut the code in two; let its pose and expression half recur over time.

    Equation 3: the first half of the channels is the identity code, the
    second the pose and expression code. (The sentence under the equation
    exchanges the two; sections 3.4 and 4.2 have them as here.) Equation 10:
    the pose code, averaged over its pixels, drives an LSTM whose output is
    put back and added to the pose code (Figure 7).

    A pose code of another width than the LSTM is brought to it by a 1x1
    convolution and back by another (the ResNets with bottleneck units).
    Without recurrence there is neither, unless ``hidden_channels`` is given:
    a network that is trained on images first and on clips later has them from
    the start.

    Args:
        in_channels (int): C_e, channels of the code.
        num_steps (int): Recurrent steps K. Defaults to 2.
        hidden_channels (int, optional): Hidden units of the LSTM. Defaults
            to the width of the pose code, at most 256 (section 4.2).
        recurrent (bool): Whether the LSTM is there. Defaults to True.
        unpool (str): ``'index'`` puts each channel's result at the place of
            its maximum (the paper's "unpooling with indices"),
            ``'broadcast'`` adds it everywhere. Defaults to ``'index'``.
        norm_per_step (bool): Whether each step keeps running statistics of
            its own. Defaults to True.
        sync_norm (bool): As for the backbone. Defaults to False.

    Raises:
        UserError: if ``in_channels`` is odd or ``unpool`` is another word.
    """

    def __init__(
        self,
        in_channels: int,
        num_steps: int = 2,
        hidden_channels: Optional[int] = None,
        recurrent: bool = True,
        unpool: str = 'index',
        norm_per_step: bool = True,
        sync_norm: bool = False,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        if in_channels % 2:
            raise UserError(f'cannot halve {in_channels} channels')
        if unpool not in ('index', 'broadcast'):
            raise UserError(
                f"unpool is 'index' or 'broadcast', not {unpool!r}"
            )
        self.id_channels = self.pose_channels = in_channels // 2
        self.unpool = unpool
        norm_cfg = dict(
            type=StepBatchNorm2d,
            num_steps=num_steps if norm_per_step else 1,
            sync=sync_norm,
        )
        detour = recurrent or hidden_channels is not None
        hidden_channels = hidden_channels or min(256, self.pose_channels)
        if self.pose_channels == hidden_channels or not detour:
            self.reduce: nn.Module = nn.Identity()
            self.expand: nn.Module = nn.Identity()
        else:
            self.reduce = ConvModule(
                self.pose_channels, hidden_channels, 1, norm_cfg=norm_cfg
            )
            self.expand = ConvModule(
                hidden_channels, self.pose_channels, 1, norm_cfg=norm_cfg
            )
        self.lstm = (
            nn.LSTM(hidden_channels, hidden_channels, batch_first=True)
            if recurrent
            else None
        )

    def forward(
        self,
        code: Tensor,
        memory: Optional[Memory] = None,
        clip_length: int = 1,
    ) -> tuple[Tensor, Tensor, Optional[Memory]]:
        """One recurrent step over T frames of B clips.

        Args:
            code (Tensor): Shape (B*T, C_e, h, w), the frames of a clip side
                by side and in order.
            memory (tuple[Tensor], optional): (h, c) of this step after the
                frame before the clip, each (B, 256). None is zeros.
            clip_length (int): T.

        Returns:
            tuple: The new code (B*T, C_e, h, w), the identity code
            (B*T, C_i, h, w), and (h, c) after the last frame (None without
            recurrence).
        """
        identity, pose = code.split([self.id_channels, self.pose_channels], 1)
        pose = self.reduce(pose)
        if self.lstm is not None:
            pose, memory = self._recur(pose, memory, clip_length)
        else:
            memory = None
        return torch.cat([identity, self.expand(pose)], 1), identity, memory

    def check_weights(self, weights: Mapping[str, Tensor], path: str) -> None:
        """See that a file's code has the width of this network's.

        Args:
            weights (Mapping[str, Tensor]): Tensors by name, of a neck.
            path (str): Where they come from, for the message.

        Raises:
            UserError: if it has not; the message says what to set.
        """
        given = weights.get('reduce.conv.weight')
        own = getattr(self.reduce, 'conv', None)
        if given is None or (own and own.weight.shape == given.shape):
            return
        raise UserError(
            f'{path} does not fit the config: it was trained with a recurrent '
            f'code of {len(given)} channels; set '
            f'model.neck.hidden_channels={len(given)}'
        )

    def _recur(
        self, pose: Tensor, memory: Optional[Memory], clip_length: int
    ) -> tuple[Tensor, Memory]:
        """Equation 10 on pose codes (B*T, 256, h, w)."""
        assert self.lstm is not None
        # The LSTM is small; in half precision it would lose its memory.
        with full_precision(pose):
            pooled = pose.float().mean((2, 3))
            pooled = pooled.unflatten(0, (-1, clip_length))  # (B, T, 256)
            start = None
            if memory is not None:
                start = (memory[0][None].float(), memory[1][None].float())
            moved, (hidden, cell) = self.lstm(pooled, start)
        moved = moved.flatten(0, 1).to(pose.dtype)  # (B*T, 256)
        if self.unpool == 'broadcast':
            pose = pose + moved[..., None, None]
        else:
            flat = pose.flatten(2)
            height, peak = flat.max(2, keepdim=True)
            # No maximum, nothing to put: argmax would say the first pixel.
            moved = torch.where(height > 0, moved[..., None], 0)
            flat = flat.scatter_add(2, peak, moved.to(flat.dtype))
            pose = flat.view_as(pose)
        return pose, (hidden[0], cell[0])
