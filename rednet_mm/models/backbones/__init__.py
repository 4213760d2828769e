"""Encoder-decoders of the paper's section 4.1."""

from .rednet_resnet import REDNetResNet

__all__ = ['REDNetResNet']
