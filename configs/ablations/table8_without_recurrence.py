"""Table 8, row 1: without recurrence over time, on frames."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_clips.py',
]

# Frames instead of clips (section 5.4), as many of them.
stage = dict(data='frames')
model = dict(neck=dict(recurrent=False))
train_dataloader = dict(
    batch_size=50,
    dataset=dict(clip_length=1, clips_per_video=1000, reverse=False),
)
