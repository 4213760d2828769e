"""RED-Net, ResNet-18 of half width, with a memory over time: video.

The small model for CPUs, going on from its weights. A first frame takes the
detection and the regression step, every other one the regression step alone,
from the last frame's keypoints in this frame's crop. Clips are photos whose
face moves and whose frames are degraded in bursts; the network is fed its own
last keypoints, and batch norm keeps its statistics (docs/memory_over_time.md).

Data: python data_converters/convert_300w.py SRC data/300w
      python data_converters/convert_300vw.py SRC data/ytfaces --base 0 \\
          --protocol csv --subjects SRC/subjects.csv
"""

_base_ = ['./_base_/default_runtime.py']

# runtime
max_epochs = 4
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
randomness = dict(seed=0)
load_from = 'rednet_mm/weights/rednet_r18w32_faces.safetensors'
default_hooks = dict(checkpoint=dict(save_best='face/NME', rule='less'))

# optimizer
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=4e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=40, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        T_max=max_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=6)

# codec
codec = dict(
    type='ResponseMap',
    input_size=(128, 128),
    response_size=(64, 64),
    radius=2.5,
    sigma=2.0,
)

# model
model = dict(
    type='RecurrentPoseEstimator',
    init_from='previous',
    norm_eval=True,
    feedback_noise=dict(dropout=0.1, disturb=0.1),
    data_preprocessor=dict(
        type='ClipDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='REDNetResNet', depth=18, base_channels=32),
    # These weights were trained with a code of 256 channels, twice what the
    # pose code has; a new network needs no hidden_channels.
    neck=dict(
        type='TemporalRecurrentNeck',
        in_channels=256,
        hidden_channels=256,
        recurrent=False,
    ),
    head=dict(
        type='REDNetHead',
        in_channels=128,
        decoder=codec,
        steps=('det', 'reg'),
        loss_det=dict(type='ResponseMapBCELoss'),
        loss_reg=dict(type='ResponseMapL2Loss', loss_weight=10.0),
    ),
)

# data
dataset_type = 'VideoClipDataset'
data_mode = 'topdown'

# The same draws for all frames of a clip.
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(
        type='ClipFromImage',
        follow=True,
        # The crop is where the face was a frame ago: no faster than faces.
        shift=0.06,
        scale=0.1,
        rotate=15.0,
        occluder_prob=0.1,
    ),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='YOLOXHSVRandomAug', hue_delta=8, saturation_delta=60),
    dict(
        type='DegradeClip',
        prob=0.75,
        burst=(2, 8),
        rest=(2, 8),
        patches=dict(
            ann_file='data/300w/annotations/300w_train.json',
            data_root='data/300w/',
        ),
    ),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs'),
]

frames_of_clip = 8
clips = dict(
    type=dataset_type,
    data_prefix=dict(img=''),
    clip_length=frames_of_clip,
    frames_of_still=frames_of_clip,
    stills_of_videos=True,
    clips_per_video=1,
    reverse=False,
)
train_dataloader = dict(
    batch_size=6,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='SubjectBatchSampler'),
    dataset=dict(
        type='CombinedClipDataset',
        datasets=[
            dict(
                clips,
                data_root='data/300w/',
                ann_file='annotations/300w_train.json',
            ),
            dict(
                clips,
                data_root='data/ytfaces/',
                ann_file='annotations/csv_train.json',
            ),
        ],
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoClipDataset',
        data_root='data/300w/',
        ann_file='annotations/300w_val.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

# evaluation
val_evaluator = dict(type='FaceLandmarkMetric')
test_evaluator = val_evaluator

# following faces in videos: thresholds of the bundled weights, whose response
# maps have this form (docs/tracking.md); its own are not measured
tracker = dict(min_score=0.58, max_spread=4.0)
