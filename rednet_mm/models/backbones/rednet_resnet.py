"""ResNet encoder-decoder with residual skips (section 4.1, Tables 2, 3)."""

from typing import Any, Optional

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule, constant_init
from mmpose.models.backbones.resnet import (
    BasicBlock,
    Bottleneck,
    ResLayer,
    ResNet,
)
from mmpose.registry import MODELS
from torch import Tensor, nn

from rednet_mm.models.layers import StepBatchNorm2d

from .encoder_decoder import RecurrentEncoderDecoder, Skips

# Residual units that are recomputed together: less is kept, more is needed at
# one time. Counted for ResNet-152 and 5 clips of 10 frames, groups of 1, 2, 3,
# 6 and 12 take 12.1, 8.4, 6.5, 5.7 and 5.8 GB.
GROUP = 3


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
class REDNetResNet(RecurrentEncoderDecoder):
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
        base_channels (int): Width of the stem and of C1's blocks; C2, C3
            and C4 double it. Defaults to 64, torchvision's; ImageNet weights
            fit no other.
        num_steps (int): Recurrent steps K that will be taken. Defaults to 2.
        feedback (str, optional): How the response map of the last step comes
            in. ``'input'`` (the paper's): resized to the input and
            concatenated to it. ``'stem'``: through one residual unit, added
            to the first stage's output, so stem and first stage run once a
            frame and not K times. None: not at all (one-shot models).
            Defaults to ``'stem'``.
        feedback_channels (int): C_d, the channels of the response map that
            is fed back. Defaults to 7.
        starts_empty (bool): Whether z_0 is always an empty map, so that
            nothing is fed back in step 1. Defaults to True.
        norm_per_step (bool): Whether each step keeps running statistics of
            its own. Defaults to True.
        sync_norm (bool): Whether, in a training by several processes, a
            batch of the batch norms is what all of them see at one time and
            not one of them (docs/scaling.md). Defaults to False.
        with_cp (bool): Whether only what passes from one decoder stage or
            group of three residual units to the next is kept for the
            backward pass, and the rest computed again there: less memory,
            more time. Defaults to False.
        zero_init_residual (bool): Whether the last norm of each residual unit
            starts at zero. Defaults to False.
        init_cfg (dict | list, optional): As in MMEngine.
            ``dict(type='Pretrained', checkpoint=...)`` starts the encoder
            from ImageNet weights: ``'torchvision://resnet152'`` or a local
            file in the same layout; with ``prefix='backbone.'`` from a
            checkpoint of ours. The rest starts at random (Kaiming), and so
            does the encoder with None, the default.

    Raises:
        KeyError: for another depth.
        UserError: for another feedback.
    """

    stem_conv = 'conv1'
    stem_norm = 'bn1'
    encoder_names = ('conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4')
    response_stride = 2
    out_channels = 128

    def __init__(
        self,
        depth: int = 152,
        base_channels: int = 64,
        num_steps: int = 2,
        feedback: Optional[str] = 'stem',
        feedback_channels: int = 7,
        starts_empty: bool = True,
        norm_per_step: bool = True,
        sync_norm: bool = False,
        with_cp: bool = False,
        zero_init_residual: bool = False,
        init_cfg: Any = None,
    ) -> None:
        norm_cfg = dict(
            type=StepBatchNorm2d,
            num_steps=num_steps if norm_per_step else 1,
            sync=sync_norm,
        )
        encoder = ResNet(
            depth,
            stem_channels=base_channels,
            base_channels=base_channels,
            in_channels=3 + (feedback_channels if feedback == 'input' else 0),
            norm_cfg=norm_cfg,
        )
        c1, c2, c3, c4 = (encoder.feat_dim // 2**i for i in (3, 2, 1, 0))

        def units(
            number: int, given: int, wanted: int, stride: int = 1
        ) -> nn.Module:
            return ResLayer(
                encoder.block,
                number,
                given,
                wanted,
                stride=stride,
                norm_cfg=norm_cfg,
            )

        super().__init__(
            dict(
                encoder.named_children(),
                # From the response map's resolution to that of C1.
                feedback_unit=units(
                    1, feedback_channels, c1, self.response_stride
                )
                if feedback == 'stem'
                else None,
                skip3=units(3, c3, c3),
                skip2=units(3, c2, c2),
                skip1=units(3, c1, c1),
                up4=UpStage(c4, c3 // 2, c3, norm_cfg),
                up3=UpStage(c3, c2 // 2, c2, norm_cfg),
                up2=UpStage(c2, c1 // 2, c1, norm_cfg),
                up1=UpStage(c1, 64, self.out_channels, norm_cfg),
            ),
            (encoder.bn1, encoder.layer1),
            feedback,
            feedback_channels,
            starts_empty,
            with_cp,
            init_cfg,
        )
        self.torchvision_name = f'resnet{depth}'
        self.code_channels = c4
        self.zero_init_residual = zero_init_residual

    def _from_scratch(self) -> None:
        super()._from_scratch()
        if self.zero_init_residual:
            for module in self.modules():
                if isinstance(module, (BasicBlock, Bottleneck)):
                    last = 2 if isinstance(module, BasicBlock) else 3
                    constant_init(getattr(module, f'norm{last}'), 0)

    def _first_stage(self, x: Tensor) -> Tensor:
        """C0 and C1: (N, C, H, W) -> (N, c1, H/4, W/4)."""
        return self._chain(self.layer1, self._run(self._stem, x))

    def _stem(self, x: Tensor) -> Tensor:
        """C0 and its pooling: (N, C, H, W) -> (N, 64, H/4, W/4)."""
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))

    def _later_stages(self, x: Tensor) -> tuple[Tensor, Skips]:
        """C2, C3, C4; the feature maps C1, C2, C3 cross over."""
        c2 = self._chain(self.layer2, x)
        c3 = self._chain(self.layer3, c2)
        return self._chain(self.layer4, c3), (x, c2, c3)

    def _decode(self, code: Tensor, skips: Skips) -> Tensor:
        """D4..D1: (N, C_e, H/32, W/32) -> (N, 128, H/2, W/2)."""
        c1, c2, c3 = skips
        x = self._run(self.up4, code) + self._chain(self.skip3, c3)
        x = self._run(self.up3, x) + self._chain(self.skip2, c2)
        x = self._run(self.up2, x) + self._chain(self.skip1, c1)
        return self._run(self.up1, x)

    def _chain(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Residual units one after the other, recomputed in groups."""
        if not self.with_cp:
            return layer(x)
        units = list(layer.children())
        for start in range(0, len(units), GROUP):
            group = nn.Sequential(*units[start : start + GROUP])
            x = self._run(group, x)
        return x
