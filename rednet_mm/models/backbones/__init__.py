"""Encoder-decoders of the paper's section 4.1."""

from .encoders import BackboneEncoder, TimmEncoder
from .rednet_encoder_decoder import REDNetEncoderDecoder
from .rednet_resnet import REDNetResNet
from .rednet_vgg import REDNetVGG

__all__ = [
    'BackboneEncoder',
    'REDNetEncoderDecoder',
    'REDNetResNet',
    'REDNetVGG',
    'TimmEncoder',
]
