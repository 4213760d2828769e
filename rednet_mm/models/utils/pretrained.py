"""Encoders that start from trained weights (ImageNet's, section 4.1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from torch import Tensor

from rednet_mm.utils.checkpoint import (
    StateDictMatch,
    match_state_dict,
    read_checkpoint,
    state_dict_of,
)
from rednet_mm.utils.checkpoint_errors import check_values
from rednet_mm.utils.errors import UserError

FROM_SCRATCH = (
    'train from scratch with --cfg-options model.backbone.init_cfg=None'
)


@dataclass(frozen=True)
class PretrainedReport:
    """What became of a file of weights; its text is one line.

    Attributes:
        source (str): The file, or its address.
        encoder (tuple[str]): Tensors of the encoder, all of them loaded.
        extended (tuple, optional): The stem's weights, the input channels
            they had and those they have: the rest, which read the response
            map, are zeros.
        steps (int, optional): The number of recurrent steps to which running
            statistics were brought, where the file has another.
        others (tuple[str]): Modules behind the encoder that were loaded.
        fresh (tuple[str]): Modules that keep their random start.
        unused (tuple[str]): Modules of the file that the network does not
            have, or not in this shape.
    """

    source: str
    encoder: tuple[str, ...]
    extended: Optional[tuple[str, int, int]] = None
    steps: Optional[int] = None
    others: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        changes = []
        if self.extended:
            name, before, now = self.extended
            changes.append(
                f'{name} extended by zeros from {before} to {now} channels'
            )
        if self.steps:
            plural = '' if self.steps == 1 else 's'
            changes.append(
                f'batch norm statistics copied to {self.steps} step{plural}'
            )
        count = len(self.encoder)
        text = (
            f"{self.source}: {count} of the encoder's {count} tensors loaded"
        )
        if changes:
            text += f' ({"; ".join(changes)})'
        for what, names in (
            ('also loaded', self.others),
            ('fresh', self.fresh),
            ('in the file but not used', self.unused),
        ):
            if names:
                text += f'; {what}: {", ".join(names)}'
        return text


def load_pretrained(
    net: Any, checkpoint: Optional[str], prefix: Optional[str] = None
) -> PretrainedReport:
    """Put weights from a file into an encoder-decoder.

    The encoder must be there whole: half of one is worse than none. What
    lies behind it is taken module by module, complete or not at all; what is
    not taken stays as it is.

    Args:
        net (RecurrentEncoderDecoder): Gets the weights.
        checkpoint (str): A local file or an address that mmengine knows, in
            torchvision's layout or a checkpoint of ours.
        prefix (str, optional): What stands before the names in the file:
            ``'backbone.'`` in a checkpoint of ours.

    Raises:
        UserError: if the file is missing, damaged, cannot be downloaded, is
            of another network, holds values that are not finite, or is
            not named at all.
    """
    hint = (
        'name a local .pth file in model.backbone.init_cfg.checkpoint, or '
        + FROM_SCRATCH
    )
    if not checkpoint:
        raise UserError(f'init_cfg names no checkpoint; {hint}')
    try:
        weights = state_dict_of(read_checkpoint(checkpoint, hint))
    except FileNotFoundError as error:
        raise UserError(str(error)) from error
    if prefix:
        weights = _behind(prefix, weights, checkpoint)
    found = match_state_dict(net, weights)
    _check_encoder(net, checkpoint, weights, found)

    broken = {_first(name) for name in found.missing + found.unfit}
    chosen = {
        name: weights[name]
        for name in found.loaded
        if _first(name) not in broken
    }
    chosen.update(
        (name, weights[name])
        for name in net.optional_buffers
        if name in weights
    )
    check_values(checkpoint, weights, chosen)
    net.load_state_dict(chosen, strict=False)
    own = net.state_dict()
    return PretrainedReport(
        source=checkpoint,
        encoder=tuple(
            name for name in chosen if _first(name) in net.encoder_names
        ),
        extended=next(
            (
                (name, weights[name].shape[1], own[name].shape[1])
                for name in found.extended
            ),
            None,
        ),
        # A file that knows no steps serves a network of one as it is.
        steps=next(
            (
                len(own[name])
                for name in found.restepped
                if len(own[name]) > 1 or weights[name].dim() > 1
            ),
            None,
        ),
        others=_firsts(chosen, net.encoder_names),
        fresh=_firsts(name for name in own if _first(name) in broken),
        unused=_firsts(
            name
            for name in weights
            if name not in chosen and not name.endswith('num_batches_tracked')
        ),
    )


def _first(name: str) -> str:
    return name.partition('.')[0]


def _firsts(
    names: Iterable[str], without: Iterable[str] = ()
) -> tuple[str, ...]:
    """First parts of names, each once, in their order."""
    firsts = dict.fromkeys(map(_first, names))
    return tuple(name for name in firsts if name not in without)


def _behind(
    prefix: str, weights: Mapping[str, Tensor], checkpoint: str
) -> dict[str, Tensor]:
    """Those of the weights that begin with ``prefix``, without it."""
    prefix = prefix.rstrip('.') + '.'
    kept = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
    if not kept:
        raise UserError(
            f'{checkpoint} has nothing that begins with {prefix!r}; correct '
            'model.backbone.init_cfg.prefix or leave it out'
        )
    return kept


def _check_encoder(
    net: Any,
    checkpoint: str,
    weights: Mapping[str, Tensor],
    found: StateDictMatch,
) -> None:
    """See that a file has the encoder of ``net``, whole and no other.

    Raises:
        UserError: if not.
    """

    def of_encoder(names: Iterable[str]) -> list[str]:
        return [name for name in names if _first(name) in net.encoder_names]

    expected = net.torchvision_name
    hint = f'name weights of {expected}, or {FROM_SCRATCH}'
    everything, missing, unfit, unexpected = map(
        of_encoder, (found.own, found.missing, found.unfit, found.unused)
    )
    stem = f'{net.stem_conv}.weight'
    for prefix in (name.removesuffix(stem) for name in weights):
        if prefix and all(prefix + name in weights for name in everything):
            raise UserError(
                f"the encoder's weights in {checkpoint} have names that begin "
                f'with {prefix!r}; set model.backbone.init_cfg.prefix={prefix}'
            )
    if missing or unfit:
        example = missing[0] if missing else unfit[0]
        raise UserError(
            f'{checkpoint} does not fit {expected}: {len(missing)} of the '
            f"encoder's {len(everything)} tensors are missing and "
            f'{len(unfit)} have another shape, for instance {example}; {hint}'
        )
    if unexpected:
        # By names and shapes all of a ResNet-50 is in a ResNet-152's file.
        raise UserError(
            f'{checkpoint} does not fit {expected}: it also has '
            f'{len(unexpected)} tensors of a deeper encoder, for instance '
            f'{unexpected[0]}; {hint}'
        )
