"""Every frame starts from the keypoints of the one before.

A first frame takes both steps from an empty map, the others the regression
step alone; images and identities are trained from empty maps as ever.
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]

model = dict(init_from='previous')
