"""Table 6, row 3: detection followed by detection."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(head=dict(steps=('det', 'det')))
