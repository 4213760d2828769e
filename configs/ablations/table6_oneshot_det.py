"""Table 6, row 1: one-shot detection."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(backbone=dict(feedback=None), head=dict(steps=('det',)))
