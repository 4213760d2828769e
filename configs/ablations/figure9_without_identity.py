"""Figure 9, lower curve: without the identity classifier, in no stage."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]

# "We removed f_cls and follow the exact training steps" (section 5.5).
stage = dict(previous_options={'model.identity_head': None})
model = dict(identity_head=None)
