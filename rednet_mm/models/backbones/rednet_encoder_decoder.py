"""An encoder-decoder composed of an encoder, a decoder and a feedback unit."""

from typing import Any, Optional, Sequence

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.models.backbones.resnet import BasicBlock, ResLayer
from mmpose.registry import MODELS
from torch import Tensor, nn

from rednet_mm.models.layers import StepBatchNorm2d, convert_norms

from .encoder_decoder import RecurrentEncoderDecoder, Skips
from .rednet_resnet import UpStage


class SkipDecoder(BaseModule):
    """D4..D1 with skips from C3, C2 and C1, which are added (Table 3).

    Args:
        in_channels (Sequence[int]): Channels of C1, C2, C3 and the code.
        channels (Sequence[int]): Channels of D2, D3 and D4.
        out_channels (int): Channels of D1.
        skip_units (int): Residual units in a skip. A skip begins with a 1x1
            convolution where its widths differ, and always without units.
        norm_cfg (dict): The normalisation after each convolution.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int],
        out_channels: int,
        skip_units: int,
        norm_cfg: dict,
    ) -> None:
        super().__init__()

        def skip(given: int, wanted: int) -> nn.Module:
            layers: list[nn.Module] = []
            if given != wanted or not skip_units:
                layers.append(
                    ConvModule(
                        given, wanted, 1, norm_cfg=norm_cfg, act_cfg=None
                    )
                )
            if skip_units:
                layers.append(
                    ResLayer(
                        BasicBlock,
                        skip_units,
                        wanted,
                        wanted,
                        norm_cfg=norm_cfg,
                    )
                )
            return nn.Sequential(*layers)

        c1, c2, c3, code = in_channels
        d2, d3, d4 = channels
        self.skip1, self.skip2, self.skip3 = map(skip, (c1, c2, c3), channels)
        self.up4 = UpStage(code, d4 // 2, d4, norm_cfg)
        self.up3 = UpStage(d4, d3 // 2, d3, norm_cfg)
        self.up2 = UpStage(d3, d2 // 2, d2, norm_cfg)
        self.up1 = UpStage(d2, out_channels // 2, out_channels, norm_cfg)

    def forward(
        self, code: Tensor, c1: Tensor, c2: Tensor, c3: Tensor
    ) -> Tensor:
        """(N, C_e, H/32, W/32) -> (N, out, H/2, W/2)."""
        x = self.up4(code) + self.skip3(c3)
        x = self.up3(x) + self.skip2(c2)
        x = self.up2(x) + self.skip1(c1)
        return self.up1(x)


@MODELS.register_module()
class REDNetEncoderDecoder(RecurrentEncoderDecoder):
    """The asymmetrical encoder-decoder round an encoder from elsewhere.

    For an input of H x W the encoder gives maps at strides 4, 8, 16 and 32;
    the last is the code (its channels: ``code_channels``), the others cross
    over. The output has half the input's size. All batch norms of the encoder
    become ones with statistics of each recurrent step.

    Args:
        encoder (dict): A :class:`TimmEncoder` or :class:`BackboneEncoder`.
        decoder_channels (Sequence[int]): Channels of D2, D3 and D4. Defaults
            to (32, 64, 128).
        out_channels (int): Channels of the output. Defaults to 64.
        skip_units (int): Residual units in each skip (Table 3 has three).
            Defaults to 0: a 1x1 convolution.
        num_steps (int): Recurrent steps K. Defaults to 2.
        feedback (str, optional): As for :class:`REDNetResNet`.
        feedback_channels (int): C_d. Defaults to 7.
        starts_empty (bool): As for :class:`REDNetResNet`.
        norm_per_step (bool): As there.
        sync_norm (bool): As there.
        with_cp (bool): As there.
        init_cfg (dict | list, optional): As in MMEngine. The encoder has one
            of its own.

    Raises:
        UserError: for another feedback.
    """

    response_stride = 2
    encoder_names = ('encoder',)

    def __init__(
        self,
        encoder: dict,
        decoder_channels: Sequence[int] = (32, 64, 128),
        out_channels: int = 64,
        skip_units: int = 0,
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
        if feedback == 'input':
            encoder = dict(encoder, in_channels=3 + feedback_channels)
        network = MODELS.build(encoder)
        convert_norms(network, **norm)
        unit = None
        if feedback == 'stem':
            unit = ResLayer(
                BasicBlock,
                1,
                feedback_channels,
                network.channels[0],
                stride=self.response_stride,
                norm_cfg=norm_cfg,
            )
        decoder = SkipDecoder(
            network.channels,
            decoder_channels,
            out_channels,
            skip_units,
            norm_cfg,
        )
        super().__init__(
            dict(encoder=network, feedback_unit=unit, decoder=decoder),
            network.modules_of(0),
            feedback,
            feedback_channels,
            starts_empty,
            with_cp,
            init_cfg,
        )
        self.torchvision_name = network.name
        self.stem_conv, self.stem_norm = (
            next(n for n, m in self.named_modules() if isinstance(m, kind))
            for kind in (nn.Conv2d, StepBatchNorm2d)
        )
        self.code_channels = network.channels[-1]
        self.out_channels = out_channels

    def _first_stage(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, c1, H/4, W/4)."""
        return self._stage(0, x)

    def _later_stages(self, x: Tensor) -> tuple[Tensor, Skips]:
        """The code, and the maps at strides 4, 8 and 16."""
        c2 = self._stage(1, x)
        c3 = self._stage(2, c2)
        return self._stage(3, c3), (x, c2, c3)

    def _stage(self, number: int, x: Tensor) -> Tensor:
        return self._run(lambda given: self.encoder.stage(number, given), x)

    def _decode(self, code: Tensor, skips: Skips) -> Tensor:
        """(N, C_e, H/32, W/32) -> (N, out, H/2, W/2)."""
        return self._run(self.decoder, code, *skips)
