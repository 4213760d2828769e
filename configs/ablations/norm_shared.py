"""Batch norm's running statistics shared by both steps (Table 6, row 4)."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(
    backbone=dict(norm_per_step=False), neck=dict(norm_per_step=False)
)
