"""Figure 9, upper curve: with the identity classifier."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]
