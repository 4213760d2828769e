"""Table 5, row 1: VGG-16 on AFLW."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='REDNetVGG',
        feedback='stem',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16_bn'),
    ),
    neck=dict(in_channels=512),
)
