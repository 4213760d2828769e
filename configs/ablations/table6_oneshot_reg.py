"""Table 6, row 2: one-shot regression."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(backbone=dict(feedback=None), head=dict(steps=('reg',)))
