"""The first step of a frame starts from the detection of the one before.

As in the authors' tracker; before it, images and identities are trained from
empty maps as ever.
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]

model = dict(init_from='previous')
