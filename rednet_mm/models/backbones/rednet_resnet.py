"""ResNet encoder-decoder with residual skips (section 4.1, Tables 2, 3)."""

from typing import Any, Optional

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.models.backbones.resnet import ResLayer, ResNet
from mmpose.registry import MODELS
from torch import Tensor, nn

from rednet_mm.models.layers import StepBatchNorm2d, set_step

Skips = tuple[Tensor, Tensor, Tensor]


class UpStage(BaseModule):
    """One decoder stage D: 2x2 deconvolution to c, then 1x1 to ``out``.

    Args:
        in_channels (int): Channels that come in.
        mid_channels (int): c, the channels of the deconvolution.
        out_channels (int): Channels that go out, 2c in Table 2.
        norm_cfg (dict): The normalisation after either convolution.
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        self.up = ConvModule(
            in_channels,
            mid_channels,
            kernel_size=2,
            stride=2,
            conv_cfg=dict(type='deconv'),
            norm_cfg=norm_cfg,
        )
        self.expand = ConvModule(
            mid_channels, out_channels, kernel_size=1, norm_cfg=norm_cfg
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, 2H, 2W)."""
        return self.expand(self.up(x))


@MODELS.register_module()
class REDNetResNet(ResNet):
    """The asymmetrical encoder-decoder: a deep ResNet, a shallow decoder.

    The encoder C0..C4 is torchvision's ResNet of the given depth (the names
    of its parameters too). The decoder D4..D1 doubles the resolution four
    times; E3, E2, E1, three residual units each, carry C3, C2, C1 across and
    are added to D4, D3, D2 (Table 3). For an input of 256 x 256 the code is
    8 x 8 and the output 128 x 128.

    With basic blocks (depth 18 and 34) the encoder is four times narrower
    and so are D4, D3, D2, since the skips are added to them. D1, which has
    no skip, keeps the 64 and 128 channels of Table 2 at every depth: the
    last 1x1 convolution draws 68 maps out of it.

    Args:
        depth (int): 18, 34, 50, 101 or 152. Defaults to 152.
        num_steps (int): Recurrent steps K that will be taken. Defaults to 2.
        feedback (str, optional): How the response map of the last step comes
            in. ``'input'`` (the paper's): resized to the input and
            concatenated to it. ``'stem'``: through one residual unit, added
            to the first stage's output, so stem and first stage run once a
            frame and not K times. None: not at all (one-shot models).
            Defaults to ``'stem'``.
        feedback_channels (int): C_d, the channels of the response map that
            is fed back. Defaults to 7.
        norm_per_step (bool): Whether each step keeps running statistics of
            its own. Defaults to True.
        init_cfg (dict | list, optional): As in MMEngine.

    Raises:
        KeyError: for another depth.
        ValueError: for another feedback.
    """

    def __init__(
        self,
        depth: int = 152,
        num_steps: int = 2,
        feedback: Optional[str] = 'stem',
        feedback_channels: int = 7,
        norm_per_step: bool = True,
        zero_init_residual: bool = False,
        init_cfg: Any = (
            dict(type='Kaiming', layer=['Conv2d', 'ConvTranspose2d']),
        ),
    ) -> None:
        if feedback not in ('input', 'stem', None):
            raise ValueError(
                f"feedback is 'input', 'stem' or None, not {feedback!r}"
            )
        norm_cfg = dict(
            type=StepBatchNorm2d, num_steps=num_steps if norm_per_step else 1
        )
        if isinstance(init_cfg, tuple):
            init_cfg = list(init_cfg)
        super().__init__(
            depth,
            in_channels=3 + (feedback_channels if feedback == 'input' else 0),
            norm_cfg=norm_cfg,
            zero_init_residual=zero_init_residual,
            init_cfg=init_cfg,
        )
        self.feedback = feedback
        self.feedback_channels = feedback_channels
        c1, c2, c3, c4 = (self.feat_dim // 2**i for i in (3, 2, 1, 0))
        self.code_channels = c4
        self.out_channels = 128

        if feedback == 'stem':
            # From the response map's resolution to that of C1, in one unit.
            self.feedback_unit = self._units(1, feedback_channels, c1, 2)
        self.skip3 = self._units(3, c3, c3)
        self.skip2 = self._units(3, c2, c2)
        self.skip1 = self._units(3, c1, c1)
        self.up4 = UpStage(c4, c3 // 2, c3, norm_cfg)
        self.up3 = UpStage(c3, c2 // 2, c2, norm_cfg)
        self.up2 = UpStage(c2, c1 // 2, c1, norm_cfg)
        self.up1 = UpStage(c1, 64, self.out_channels, norm_cfg)
        self._norms = tuple(
            m for m in self.modules() if isinstance(m, StepBatchNorm2d)
        )

    def _units(
        self, number: int, in_channels: int, out_channels: int, stride: int = 1
    ) -> nn.Module:
        return ResLayer(
            self.block,
            number,
            in_channels,
            out_channels,
            stride=stride,
            norm_cfg=self.norm_cfg,
        )

    def _stem(self, x: Tensor) -> Tensor:
        """C0 and C1: (N, C, H, W) -> (N, c1, H/4, W/4)."""
        x = self.maxpool(self.relu(self.norm1(self.conv1(x))))
        return self.layer1(x)

    def prepare(self, frames: Tensor) -> Tensor:
        """The part of the encoder that runs once, before the steps.

        Args:
            frames (Tensor): Shape (N, 3, H, W).

        Returns:
            Tensor: What :meth:`encode` wants as its first argument: the
            frames themselves with ``feedback='input'``, else C1.
        """
        if self.feedback == 'input':
            return frames
        set_step(self._norms, 0)
        return self._stem(frames)

    def encode(
        self, prepared: Tensor, response: Optional[Tensor], step: int = 0
    ) -> tuple[Tensor, Skips]:
        """Equation 1: e = f_enc(x, z).

        Args:
            prepared (Tensor): What :meth:`prepare` gave.
            response (Tensor, optional): z of the step before, shape
                (N, C_d, H/2, W/2), values in [0, 1]. Not read by one-shot
                models; None elsewhere is an empty map.
            step (int): The recurrent step, counted from 0.

        Returns:
            tuple: The code (N, C_e, H/32, W/32) and the three feature maps
            that cross to the decoder, C1, C2, C3.
        """
        set_step(self._norms, step)
        if self.feedback == 'input':
            size = prepared.shape[-2:]
            if response is None:
                z = prepared.new_zeros(
                    len(prepared), self.feedback_channels, *size
                )
            else:
                # The codec maps the corners of the map onto the corners of
                # the input, and so does align_corners.
                z = F.interpolate(
                    response, size, mode='bilinear', align_corners=True
                )
            c1 = self._stem(torch.cat([prepared, z.to(prepared.dtype)], 1))
        elif self.feedback == 'stem':
            if response is None:
                n, _, h, w = prepared.shape
                response = prepared.new_zeros(
                    n, self.feedback_channels, 2 * h, 2 * w
                )
            c1 = prepared + self.feedback_unit(response)
        else:
            c1 = prepared
        c2 = self.layer2(c1)
        c3 = self.layer3(c2)
        return self.layer4(c3), (c1, c2, c3)

    def decode(self, code: Tensor, skips: Skips, step: int = 0) -> Tensor:
        """Equation 2 up to the last convolution: f_dec(e).

        Args:
            code (Tensor): Shape (N, C_e, H/32, W/32).
            skips (tuple[Tensor]): C1, C2, C3 of the same frames.
            step (int): The recurrent step, counted from 0.

        Returns:
            Tensor: Shape (N, 128, H/2, W/2).
        """
        set_step(self._norms, step)
        c1, c2, c3 = skips
        x = self.up4(code) + self.skip3(c3)
        x = self.up3(x) + self.skip2(c2)
        x = self.up2(x) + self.skip1(c1)
        return self.up1(x)

    def forward(self, frames: Tensor) -> tuple[Tensor]:
        """One pass with an empty response map, as a plain MMPose backbone.

        Args:
            frames (Tensor): Shape (N, 3, H, W).

        Returns:
            tuple[Tensor]: One feature map (N, 128, H/2, W/2).
        """
        code, skips = self.encode(self.prepare(frames), None)
        return (self.decode(code, skips),)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        # Weights trained on images alone: the response map's channels of the
        # stem start at zero, so that the image part is what was trained.
        key = prefix + 'conv1.weight'
        weight = state_dict.get(key)
        if weight is not None and weight.shape[1] < self.conv1.in_channels:
            extra = self.conv1.in_channels - weight.shape[1]
            zeros = weight.new_zeros(len(weight), extra, *weight.shape[2:])
            state_dict[key] = torch.cat([weight, zeros], 1)
        super()._load_from_state_dict(state_dict, prefix, *args)
