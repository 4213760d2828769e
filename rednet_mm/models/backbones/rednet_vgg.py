"""VGG-16 encoder-decoder with remembered pooling (section 4.1, Table 1)."""

from itertools import accumulate
from typing import Any, Optional, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.models.backbones.resnet import BasicBlock, ResLayer
from mmpose.registry import MODELS
from torch import Tensor, nn

from rednet_mm.models.layers import StepBatchNorm2d

from .encoder_decoder import RecurrentEncoderDecoder, Skips

# Widths of the convolutions of A0..A4 (Table 1).
ENCODER = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)

# Where they begin and end in ``features``: a convolution, a norm and a ReLU
# a width, and a pooling.
BORDERS = (0, *accumulate(3 * len(widths) + 1 for widths in ENCODER))

# Widths of B4..B1. Table 1 gives the three of B3 512 channels and those of B2
# 256, but the unpooling of B2 has the indices of A2's 256 channels and that
# of B1 those of A1's 128: the last convolution of B3 and B2 goes down to
# them, as in SegNet, which section 4.1 cites.
DECODER = ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 128))


class UnpoolStage(BaseModule):
    """One decoder stage B: unpooling, then 3x3 convolutions.

    Args:
        in_channels (int): Channels that come in.
        widths (Sequence[int]): Channels that each convolution puts out.
        norm_cfg (dict): The normalisation after each convolution.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], norm_cfg: dict
    ) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            *(
                ConvModule(before, width, 3, padding=1, norm_cfg=norm_cfg)
                for before, width in zip((in_channels, *widths), widths)
            )
        )

    def forward(self, x: Tensor, indices: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, 2H, 2W).

        Args:
            x (Tensor): Shape (N, in, H, W).
            indices (Tensor): Where the pooling found each maximum, shape
                (N, in, H, W), places in a plane of 2H x 2W.
        """
        own = (
            torch.onnx.is_in_onnx_export()
            # torch refuses its own then: with places that come twice, which
            # poolings that do not overlap never give, order would decide.
            or torch.are_deterministic_algorithms_enabled()
        )
        unpool = _unpool if own else F.max_unpool2d
        return self.convs(unpool(x, indices, [2, 2]))


def _unpool(x: Tensor, indices: Tensor, size: Sequence[int]) -> Tensor:
    """``F.max_unpool2d``, which neither ONNX nor deterministic torch has."""
    n, c, h, w = x.shape
    h, w = size[0] * h, size[1] * w
    flat = x.new_zeros(n, c, h * w)
    flat = flat.scatter(2, indices.flatten(2), x.flatten(2))
    return flat.view(n, c, h, w)


@MODELS.register_module()
class REDNetVGG(RecurrentEncoderDecoder):
    """The symmetrical encoder-decoder: VGG-16 there and back again.

    The encoder A0..A4 is the 13 convolutions of torchvision's ``vgg16_bn``
    (the names of its parameters too), with a 2x2 max pooling after each
    stage. The last four poolings remember where each maximum was; the
    decoder B4..B1 puts the activations back there (Figure 5). No feature map
    crosses over. For an input of 256 x 256 the code is 8 x 8 and the output
    128 x 128.

    Args:
        base_channels (int): Width of A0; all others keep their ratio to it,
            the output included. Defaults to 64, torchvision's; ImageNet
            weights fit no other.
        num_steps (int): Recurrent steps K that will be taken. Defaults to 2.
        feedback (str, optional): How the response map of the last step comes
            in. ``'input'`` (the paper's): resized to the input and
            concatenated to it. ``'stem'``: through one residual unit, added
            to the output of A0 behind its pooling, which has the response
            map's own resolution; A0 then runs once a frame and not K times.
            None: not at all (one-shot models). Defaults to ``'stem'``.
        feedback_channels (int): C_d, the channels of the response map that
            is fed back. Defaults to 7.
        starts_empty (bool): Whether z_0 is always an empty map, so that
            nothing is fed back in step 1. Defaults to True.
        norm_per_step (bool): Whether each step keeps running statistics of
            its own. Defaults to True.
        sync_norm (bool): Whether, in a training by several processes, a
            batch of the batch norms is what all of them see at one time and
            not one of them (docs/scaling.md). Defaults to False.
        with_cp (bool): Whether only what passes from one stage to the next
            is kept for the backward pass, and the rest computed again there:
            less memory, more time. Defaults to False.
        init_cfg (dict | list, optional): As in MMEngine.
            ``dict(type='Pretrained', checkpoint=...)`` starts the encoder
            from ImageNet weights: ``'torchvision://vgg16_bn'`` or a local
            file in the same layout; with ``prefix='backbone.'`` from a
            checkpoint of ours. The rest starts at random (Kaiming), and so
            does the encoder with None, the default.

    Raises:
        UserError: for another feedback.
    """

    stem_conv = 'features.0'
    stem_norm = 'features.1'
    encoder_names = ('features',)
    torchvision_name = 'vgg16_bn'
    response_stride = 1

    def __init__(
        self,
        base_channels: int = 64,
        num_steps: int = 2,
        feedback: Optional[str] = 'stem',
        feedback_channels: int = 7,
        starts_empty: bool = True,
        norm_per_step: bool = True,
        sync_norm: bool = False,
        with_cp: bool = False,
        init_cfg: Any = None,
    ) -> None:
        norm: dict[str, Any] = dict(
            num_steps=num_steps if norm_per_step else 1, sync=sync_norm
        )
        norm_cfg = dict(type=StepBatchNorm2d, **norm)
        encoder, decoder = (
            [
                [width * base_channels // 64 for width in stage]
                for stage in half
            ]
            for half in (ENCODER, DECODER)
        )
        channels = 3 + (feedback_channels if feedback == 'input' else 0)
        layers: list[nn.Module] = []
        for widths in encoder:
            # A0's pooling has no unpooling: the output is half the input.
            remembered = len(layers) > 0
            for width in widths:
                layers += [
                    # The bias does nothing before a batch norm; it is kept
                    # because torchvision's weights have it.
                    nn.Conv2d(channels, width, 3, padding=1),
                    StepBatchNorm2d(width, **norm),
                    nn.ReLU(inplace=True),
                ]
                channels = width
            layers.append(nn.MaxPool2d(2, return_indices=remembered))
        features = nn.Sequential(*layers)
        unit = None
        if feedback == 'stem':
            unit = ResLayer(
                BasicBlock,
                1,
                feedback_channels,
                encoder[0][-1],
                norm_cfg=norm_cfg,
            )
        stages = {}
        for number, widths in zip((4, 3, 2, 1), decoder):
            stages[f'up{number}'] = UnpoolStage(channels, widths, norm_cfg)
            channels = widths[-1]
        super().__init__(
            dict(features=features, feedback_unit=unit, **stages),
            features[: BORDERS[1]],
            feedback,
            feedback_channels,
            starts_empty,
            with_cp,
            init_cfg,
        )
        self.code_channels = encoder[-1][-1]
        self.out_channels = channels

    def _stage(self, number: int) -> nn.Sequential:
        """One of A0..A4 with its pooling."""
        return self.features[BORDERS[number] : BORDERS[number + 1]]

    def _first_stage(self, x: Tensor) -> Tensor:
        """A0: (N, C, H, W) -> (N, 64, H/2, W/2)."""
        return self._run(self._stage(0), x)

    def _later_stages(self, x: Tensor) -> tuple[Tensor, Skips]:
        """A1..A4, and the indices of their poolings in this order."""
        indices = []
        for number in range(1, len(ENCODER)):
            x, places = self._run(self._stage(number), x)
            indices.append(places)
        return x, tuple(indices)

    def _decode(self, code: Tensor, skips: Skips) -> Tensor:
        """B4..B1: (N, 512, H/32, W/32) -> (N, 128, H/2, W/2)."""
        a1, a2, a3, a4 = skips
        x = self._run(self.up4, code, a4)
        x = self._run(self.up3, x, a3)
        x = self._run(self.up2, x, a2)
        return self._run(self.up1, x, a1)
