"""Table 6, row 4: detection followed by regression."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(head=dict(steps=('det', 'reg')))
