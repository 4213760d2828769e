"""Table 5, row 4: ResNet-152 on 300-VW."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]
