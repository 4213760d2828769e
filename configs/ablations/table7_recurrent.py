"""Table 7, row 2: one network in two recurrent steps."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]
