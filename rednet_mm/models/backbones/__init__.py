"""Encoder-decoders of the paper's section 4.1."""

from .rednet_resnet import REDNetResNet
from .rednet_vgg import REDNetVGG

__all__ = ['REDNetResNet', 'REDNetVGG']
