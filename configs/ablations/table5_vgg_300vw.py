"""Table 5, row 3: VGG-16 on 300-VW."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]

stage = dict(previous='../rednet_vgg_stage2_lfw.py')
model = dict(
    backbone=dict(_delete_=True, type='REDNetVGG', feedback='stem'),
    neck=dict(in_channels=512),
    identity_head=dict(in_channels=256),
)
