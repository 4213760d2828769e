"""Encoders from elsewhere: timm's, and any backbone of MMPose's registry."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Optional

from mmengine.logging import print_log
from mmengine.model import BaseModule, update_init_info
from mmpose.registry import MODELS
from torch import Tensor, nn

from rednet_mm.utils.checkpoint import read_checkpoint, state_dict_of
from rednet_mm.utils.errors import UserError

# Strides of the maps that an encoder gives: C1, C2, C3 and the code.
STRIDES = (4, 8, 16, 32)


class StagedEncoder(BaseModule):
    """A network of modules in a row, cut into four stages.

    Args:
        net (nn.Module): The network.
        stages (Sequence[Sequence[str]]): Of each stage the names of the
            modules that run in it, in their order; the stages end at strides
            4, 8, 16 and 32.
        channels (Sequence[int]): Channels that each stage puts out.
        name (str): Of the network, for messages.
        init_cfg (dict, optional): ``dict(type='Pretrained',
            checkpoint=FILE)`` starts from a local file; what stands in it
            behind the encoder (a classifier) is not used. A file with other
            names is taken where the shapes of its tensors are, one after the
            other, those of the encoder's.
    """

    def __init__(
        self,
        net: nn.Module,
        stages: Sequence[Sequence[str]],
        channels: Sequence[int],
        name: str,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(stages) != len(STRIDES) or len(channels) != len(STRIDES):
            raise UserError(
                f'encoder {name}: give four stages and their channels, which '
                f'end at strides {STRIDES}'
            )
        self.net = net
        self.stages = tuple(tuple(stage) for stage in stages)
        self.channels = tuple(channels)
        self.name = name

    def modules_of(self, stage: int) -> list[nn.Module]:
        """The modules of one of the four stages."""
        return [attrgetter(name)(self.net) for name in self.stages[stage]]

    def stage(self, number: int, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels[number], H', W')."""
        for module in self.modules_of(number):
            x = module(x)
        return x

    def init_weights(self) -> None:
        """From a file where ``init_cfg`` names one.

        Raises:
            UserError: if it is missing, damaged or of another network.
        """
        wish = self.init_cfg or {}
        if wish.get('type') != 'Pretrained':
            super().init_weights()
            return
        path = wish['checkpoint']
        hint = 'name a local file in model.backbone.encoder.init_cfg'
        try:
            weights = state_dict_of(read_checkpoint(path, hint))
        except FileNotFoundError as error:
            raise UserError(str(error)) from error
        chosen = match(self.net.state_dict(), weights, path, self.name)
        self.net.load_state_dict(chosen, strict=True)
        text = f'{path}: {len(chosen)} tensors of {self.name} loaded'
        print_log(text, logger='current')
        if hasattr(self, '_params_init_info'):
            update_init_info(self, f'Loaded from {path}')


def match(
    own: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    path: str,
    name: str,
) -> dict[str, Tensor]:
    """The tensors of a file for an encoder, by names, else by their order.

    Args:
        own (Mapping[str, Tensor]): The encoder's.
        given (Mapping[str, Tensor]): The file's. Behind the encoder's it may
            have others.
        path (str): The file, for the message.
        name (str): The encoder, for the message.

    Raises:
        UserError: if the shapes are others.
    """
    own, given = _counted(own), _counted(given)
    names = list(own)
    if not own.keys() <= given.keys():
        given = dict(zip(own, given.values()))
        if len(given) < len(names):
            raise UserError(
                f'{path} does not fit {name}: it has {len(given)} tensors and '
                f'the encoder {len(names)}'
            )
    for each in names:
        # Statistics have a row for every recurrent step here.
        shape = own[each].shape
        if '.running_' in f'.{each}':
            shape = shape[-1:]
        if given[each].shape[-len(shape) :] != shape:
            raise UserError(
                f'{path} does not fit {name}: {each} is {tuple(shape)} and '
                f'{tuple(given[each].shape)} in the file'
            )
    return {each: given[each] for each in names}


def _counted(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without counters of batches."""
    return {
        name: value
        for name, value in weights.items()
        if not name.endswith('num_batches_tracked')
    }


@MODELS.register_module()
class TimmEncoder(StagedEncoder):
    """A network of timm, a package that is installed on its own.

    Networks whose ``features_only`` form is a row of modules: EfficientNets,
    MobileNets, ResNets, RegNets, ConvNeXts and their kin. Nothing is
    downloaded; weights come from a local file (``init_cfg``).

    Args:
        name (str): timm's name, ``'tf_efficientnet_lite0'``.
        in_channels (int): Channels of the input. Defaults to 3.
        init_cfg (dict, optional): As for :class:`StagedEncoder`.
        **kwargs: Handed to ``timm.create_model``.

    Raises:
        UserError: if timm is not installed or the network is of another form.
    """

    def __init__(
        self,
        name: str,
        in_channels: int = 3,
        init_cfg: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        try:
            import timm
        except ImportError as error:
            raise UserError(
                f'the encoder {name} needs timm; pip install timm'
            ) from error
        try:
            net = timm.create_model(
                name,
                features_only=True,
                in_chans=in_channels,
                pretrained=False,
                **kwargs,
            )
        except (RuntimeError, AttributeError) as error:
            raise UserError(f'encoder {name}: {error}') from error
        stages, channels = _stages_of(net, name)
        super().__init__(net, stages, channels, name, init_cfg)


def _stages_of(net: Any, name: str) -> tuple[list[list[str]], list[int]]:
    """The stages of a ``features_only`` network and their channels."""
    row = [
        f'{each}.{part}' if each == 'blocks' else each
        for each, child in net.named_children()
        for part in (dict(child.named_children()) if each == 'blocks' else '.')
    ]
    info = {
        each['reduction']: each
        for each in net.feature_info.info
        if each['reduction'] in STRIDES
    }
    ends = {
        stride: each['module'].replace('.', '_')
        for stride, each in info.items()
    }
    flat = [each.replace('.', '_') for each in row]
    if list(ends) != list(STRIDES) or not set(ends.values()) <= set(flat):
        raise UserError(
            f'encoder {name}: no row of modules with maps at strides {STRIDES}'
        )
    stages, start = [], 0
    for stride in STRIDES:
        end = flat.index(ends[stride]) + 1
        stages.append(row[start:end])
        start = end
    return stages, [info[stride]['num_chs'] for stride in STRIDES]


@MODELS.register_module()
class BackboneEncoder(StagedEncoder):
    """Any backbone of MMPose's registry whose modules run one by one.

    mmpretrain's too, with its scope: ``dict(type='mmpretrain.ResNet')``.

    Args:
        backbone (dict): Its config.
        stages (Sequence[Sequence[str]]): Of each of four stages the names of
            its modules. Defaults to those of a ResNet.
        channels (Sequence[int]): Channels that each stage puts out.
        init_cfg (dict, optional): As for :class:`StagedEncoder`.
    """

    RESNET = (
        ('conv1', 'norm1', 'relu', 'maxpool', 'layer1'),
        ('layer2',),
        ('layer3',),
        ('layer4',),
    )

    def __init__(
        self,
        backbone: dict,
        channels: Sequence[int],
        stages: Sequence[Sequence[str]] = RESNET,
        init_cfg: Optional[dict] = None,
    ) -> None:
        net = MODELS.build(backbone)
        super().__init__(net, stages, channels, backbone['type'], init_cfg)
