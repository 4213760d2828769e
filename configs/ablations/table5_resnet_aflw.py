"""Table 5, row 2: ResNet-152 on AFLW."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]
