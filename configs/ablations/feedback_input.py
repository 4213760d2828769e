"""The response map stacked on the input, as the paper has it (section 3.2)."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(backbone=dict(feedback='input'))
