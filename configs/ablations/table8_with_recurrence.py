"""Table 8, row 2: with recurrence over time."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]
