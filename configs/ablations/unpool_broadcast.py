"""The recurrence's result added everywhere, not put back by index (4.2)."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]

model = dict(neck=dict(unpool='broadcast'))
