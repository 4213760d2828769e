"""Table 7, row 1: two networks that share no weights."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(cascade=True)
