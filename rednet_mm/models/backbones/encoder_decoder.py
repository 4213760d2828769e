"""What the encoder-decoders have in common: the response map's way in."""

import copy
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from mmpose.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn

from rednet_mm.errors import UserError
from rednet_mm.models.layers import recomputed, step_norms

from .pretrained import load_pretrained

Skips = tuple[Tensor, ...]

# Where training from scratch begins, and all that a file of weights lacks.
SCRATCH = dict(type='Kaiming', layer=['Conv2d', 'ConvTranspose2d'])


class RecurrentEncoderDecoder(BaseBackbone):
    """An encoder-decoder that takes recurrent steps (section 3.2).

    It is composed of modules that are built beforehand. A subclass names them
    and defines :meth:`_first_stage`, :meth:`_later_stages` and
    :meth:`_decode`, which call them through :meth:`_run`.

    Args:
        parts (Mapping[str, nn.Module | None]): Encoder, feedback unit and
            decoder, by the names that they have in a checkpoint.
            ``feedback_unit`` takes a response map to the form of the first
            stage's output; it is there with ``feedback='stem'`` alone.
        first_stage (Iterable[nn.Module]): Those that :meth:`prepare` runs.
        feedback (str, optional): ``'stem'``, ``'input'`` or None.
        feedback_channels (int): C_d.
        starts_empty (bool): Whether z_0 is always an empty map.
        with_cp (bool): Whether activations are computed again.
        init_cfg (dict | list, optional): See :meth:`init_weights`.

    Raises:
        UserError: for another feedback.
    """

    # Names of the convolution that reads the input and of the norm behind it.
    stem_conv: str
    stem_norm: str
    # First names of the encoder's parameters, as in torchvision.
    encoder_names: tuple[str, ...]
    # Whose weights the encoder takes.
    torchvision_name: str
    # Pixels of the response map (half the input) to one of the first stage.
    response_stride: int

    # What a file may have and a network may lack, or the other way round.
    optional_buffers = ('empty_response',)

    feedback_unit: nn.Module
    empty_response: Optional[Tensor]
    init_cfg: Any

    def __init__(
        self,
        parts: Mapping[str, Optional[nn.Module]],
        first_stage: Iterable[nn.Module],
        feedback: Optional[str],
        feedback_channels: int,
        starts_empty: bool,
        with_cp: bool,
        init_cfg: Any = None,
    ) -> None:
        if feedback not in ('input', 'stem', None):
            raise UserError(
                f"feedback is 'input', 'stem' or None, not {feedback!r}"
            )
        super().__init__(init_cfg)
        for name, part in parts.items():
            if part is not None:
                self.add_module(name, part)
        self.feedback = feedback
        self.feedback_channels = feedback_channels
        self.with_cp = with_cp
        self.register_buffer('empty_response', None)
        # Statistics of steps that never happen are not kept.
        if feedback != 'input':
            for module in first_stage:
                for norm in step_norms(module):
                    norm.keep_steps(1)
        if feedback == 'stem' and starts_empty:
            for norm in step_norms(self.feedback_unit):
                if norm.num_steps > 1:
                    norm.keep_steps(norm.num_steps - 1, first_step=1)

    def _run(self, part: Callable[..., Any], *inputs: Tensor) -> Any:
        """``part(*inputs)``; with ``with_cp`` its insides are not kept."""
        if self.with_cp:
            return recomputed(part, step_norms(self), *inputs)
        return part(*inputs)

    def init_weights(self) -> None:
        """From scratch, or the encoder from a file (see ``init_cfg``).

        A file is loaded last, so that what it does not have keeps the random
        start; one entry of the log says what was loaded and what was not.

        Raises:
            UserError: if the file is missing, damaged, cannot be downloaded
                or is of another network.
        """
        given, first_time = self.init_cfg, not self.is_init
        wishes = [given] if isinstance(given, dict) else list(given or ())
        files = [
            wish
            for wish in wishes
            if wish['type'] in ('Pretrained', PretrainedInit)
        ]
        starts = [wish for wish in wishes if wish not in files]
        self.init_cfg = starts or [SCRATCH]
        self._from_scratch()
        self.init_cfg = given
        for file in files if first_time else ():
            report = load_pretrained(
                self, file['checkpoint'], file.get('prefix')
            )
            print_log(str(report), logger='current')
            if hasattr(self, '_params_init_info'):
                update_init_info(self, f'Loaded from {report.source}')

    def _from_scratch(self) -> None:
        super().init_weights()

    @abstractmethod
    def _first_stage(self, x: Tensor) -> Tensor:
        """Input (N, C, H, W) -> output of the first stage."""

    @abstractmethod
    def _later_stages(self, x: Tensor) -> tuple[Tensor, Skips]:
        """Output of the first stage -> code, and what crosses over."""

    @abstractmethod
    def _decode(self, code: Tensor, skips: Skips) -> Tensor:
        """Code and what crossed over -> features (N, 128, H/2, W/2)."""

    def prepare(self, frames: Tensor) -> Tensor:
        """The part of the encoder that runs once, before the steps.

        Args:
            frames (Tensor): Shape (N, 3, H, W), H and W multiples of 32.

        Returns:
            Tensor: What :meth:`encode` wants as its first argument: the
            frames themselves with ``feedback='input'``, else the first
            stage's output.

        Raises:
            ValueError: for another height or width.
        """
        height, width = frames.shape[-2:]
        if height % 32 or width % 32:
            raise UserError(
                f'frames of {height} x {width} pixels (height x width) cannot '
                'be halved five times; use multiples of 32'
            )
        if self.feedback == 'input':
            return frames
        return self._first_stage(frames)

    def encode(
        self, prepared: Tensor, response: Optional[Tensor]
    ) -> tuple[Tensor, Skips]:
        """Equation 1: e = f_enc(x, z).

        Args:
            prepared (Tensor): What :meth:`prepare` gave.
            response (Tensor, optional): z of the step before, shape
                (N, C_d, H/2, W/2), values in [0, 1]. Not read by one-shot
                models; None elsewhere is an empty map, which with
                ``feedback='stem'`` adds nothing and runs nothing.

        Returns:
            tuple: The code (N, C_e, H/32, W/32) and what crosses to the
            decoder.
        """
        if self.feedback == 'input':
            size = prepared.shape[-2:]
            if response is None:
                z = prepared.new_zeros(
                    prepared.shape[0], self.feedback_channels, *size
                )
            else:
                # The codec maps the corners of the map onto the corners of
                # the input, and so does align_corners.
                z = F.interpolate(
                    response, size, mode='bilinear', align_corners=True
                )
            first = self._first_stage(
                torch.cat([prepared, z.to(prepared.dtype)], 1)
            )
        elif self.feedback == 'stem' and response is not None:
            first = prepared + self._run(self.feedback_unit, response)
        elif self.feedback == 'stem' and self.empty_response is not None:
            first = prepared + _spread_out(self.empty_response, prepared)
        else:
            first = prepared
        return self._later_stages(first)

    def decode(self, code: Tensor, skips: Skips) -> Tensor:
        """Equation 2 up to the last convolution: f_dec(e).

        Args:
            code (Tensor): Shape (N, C_e, H/32, W/32).
            skips (tuple[Tensor]): What :meth:`encode` gave for these frames.

        Returns:
            Tensor: Shape (N, 128, H/2, W/2).
        """
        return self._decode(code, skips)

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
        key = f'{prefix}{self.stem_conv}.weight'
        weight = state_dict.get(key)
        channels = self.get_submodule(self.stem_conv).in_channels
        if weight is not None and weight.shape[1] < channels:
            extra = channels - weight.shape[1]
            zeros = weight.new_zeros(len(weight), extra, *weight.shape[2:])
            state_dict[key] = torch.cat([weight, zeros], 1)
        self._take_empty_response(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _take_empty_response(self, state_dict: dict, prefix: str) -> None:
        """Make room for what a file adds in place of an empty map.

        In an earlier layout the feedback unit ran on an empty map too. What
        it gave was the same for every frame, and the rest of such a network
        was trained with it, so it is kept: worked out here, of a file in that
        layout, where the stem has statistics of several steps. (With
        ``norm_per_step=False`` a file does not tell its layout, and counts
        as a new one.)
        """
        name, unit = f'{prefix}empty_response', f'{prefix}feedback_unit.'
        weights = {
            key.removeprefix(unit): value
            for key, value in state_dict.items()
            if key.startswith(unit)
        }
        stem = state_dict.get(f'{prefix}{self.stem_norm}.running_mean')
        several = stem is not None and stem.dim() == 2 and len(stem) > 1
        if self.feedback == 'stem' and weights and several:
            state_dict[name] = self._response_to_nothing(weights)
            first = step_norms(self.feedback_unit)[0].first_step
            for key, value in weights.items():
                if '.running_' in key:
                    state_dict[unit + key] = value[first:]
        given = state_dict.get(name)
        self.empty_response = None
        if given is not None:
            self.empty_response = torch.zeros_like(
                given, dtype=torch.float32, device=self._device()
            )

    def _response_to_nothing(self, weights: dict[str, Tensor]) -> Tensor:
        """What a feedback unit makes of an empty map in step 1.

        One value a channel, but for the border, where a 3x3 convolution sees
        its padding: (C, 3, 3) is the first row, any and the last, by the
        first column, any and the last.
        """
        unit = copy.deepcopy(self.feedback_unit).eval()
        for norm in step_norms(unit):
            norm.keep_steps(1)
        unit.load_state_dict(weights)
        side = 8 * self.response_stride
        with torch.no_grad():
            empty = torch.zeros(
                1, self.feedback_channels, side, side, device=self._device()
            )
            response: Tensor = unit(empty)[0]
        places = [0, response.shape[-1] // 2, -1]
        return response[:, places][..., places]

    def _device(self) -> torch.device:
        return next(self.parameters()).device


def _spread_out(pattern: Tensor, like: Tensor) -> Tensor:
    """(C, 3, 3) -> (C, h, w) for ``like``: corners, edges and the inside."""
    rows, columns = ([0] + [1] * (n - 2) + [2] for n in like.shape[-2:])
    return pattern[:, rows][..., columns].to(like.dtype)
