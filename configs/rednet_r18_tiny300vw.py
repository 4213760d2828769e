"""RED-Net, ResNet-18, 64x64, on the tiny synthetic videos: a few minutes.

It shows that everything runs, on a machine without 300-VW and without a GPU.
The videos are drawn, so its metrics say nothing about real faces.

Data: python data_converters/make_tiny_300vw.py data/tiny300vw_src \\
        --videos 20 --frames 24
    python data_converters/convert_300vw.py data/tiny300vw_src \\
        data/tiny300vw --protocol csv \\
        --subjects data/tiny300vw_src/subjects.csv
"""

_base_ = ['./_base_/default_runtime.py']

# runtime
max_epochs = 6
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=2)
val_cfg = dict(type='VideoValLoop')
test_cfg = dict(type='VideoTestLoop')
randomness = dict(seed=0)
default_hooks = dict(checkpoint=dict(save_best='face/NME', rule='less'))

# optimizer
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
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
auto_scale_lr = dict(base_batch_size=4)

# codec
codec = dict(
    type='ResponseMap',
    input_size=(64, 64),
    response_size=(32, 32),
    radius=1.5,
    sigma=1.5,
)

# model
model = dict(
    type='RecurrentPoseEstimator',
    data_preprocessor=dict(
        type='ClipDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='REDNetResNet', depth=18),
    neck=dict(type='TemporalRecurrentNeck', in_channels=512),
    head=dict(
        type='REDNetHead',
        in_channels=128,
        decoder=codec,
        steps=('det', 'reg'),
        loss_det=dict(type='ResponseMapBCELoss'),
        loss_reg=dict(type='ResponseMapL2Loss', loss_weight=10.0),
    ),
    identity_head=dict(
        type='IdentityHead',
        in_channels=256,
        num_subjects=10,
        loss_weight=0.1,
    ),
)

# data
dataset_type = 'VideoClipDataset'
data_mode = 'topdown'
data_root = 'data/tiny300vw/'

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.08,
        shift_prob=1.0,
        scale_factor=(0.85, 1.15),
        rotate_factor=30.0,
        rotate_prob=1.0,
    ),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='SubjectBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/csv_train.json',
        data_prefix=dict(img=''),
        clip_length=3,
        clips_per_video=5,
        reverse=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='VideoBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/csv_val.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

# evaluation
val_evaluator = dict(type='FaceLandmarkMetric')
test_evaluator = val_evaluator
