"""RED-Net, VGG-16, 256x256, stage 3: clips of 300-VW, all on.

tools/train_stages.py trains the stages before it and starts from their
weights. Trained by itself it starts from scratch, unless load_from names a
checkpoint.

Data: python data_converters/convert_300vw.py SRC data/300vw --protocol rednet
Paper: sections 4 and 5.1.
"""

_base_ = ['./_base_/default_runtime.py']

# stage: what it is trained on, and which config it goes on from
stage = dict(data='clips', previous='rednet_vgg_stage2_lfw.py')

# runtime: 50 epochs (section 5.4); the last is the result, none is chosen
# by the test data
max_epochs = 50
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='VideoValLoop')
test_cfg = dict(type='VideoTestLoop')
randomness = dict(seed=0)

# optimizer: SGD from 0.01, divided by 10 twice (section 5.1)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=500, by_epoch=False),
    dict(type='MultiStepLR', milestones=[30, 42], gamma=0.1, by_epoch=True),
]
auto_scale_lr = dict(base_batch_size=5)

# codec: radius and sigma in pixels of the response map
codec = dict(
    type='ResponseMap',
    input_size=(256, 256),
    response_size=(128, 128),
    radius=5.0,
    sigma=5.0,
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
    backbone=dict(type='REDNetVGG', feedback='stem'),
    neck=dict(
        type='TemporalRecurrentNeck',
        in_channels=512,
        hidden_channels=256,
        unpool='index',
    ),
    head=dict(
        type='REDNetHead',
        in_channels=128,
        decoder=codec,
        steps=('det', 'reg'),
        loss_det=dict(type='ResponseMapBCELoss'),
        loss_reg=dict(type='ResponseMapL2Loss', loss_weight=10.0),
    ),
    # One subject a video until the list of shared subjects is given to the
    # converter (--subjects).
    identity_head=dict(
        type='IdentityHead',
        in_channels=256,
        num_subjects=90,
        loss_weight=0.1,
    ),
)

# data
dataset_type = 'VideoClipDataset'
data_mode = 'topdown'
data_root = 'data/300vw/'

# No augmentation on clips (section 5.1).
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
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
    batch_size=5,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='SubjectBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/rednet_train.json',
        data_prefix=dict(img=''),
        clip_length=10,
        clips_per_video=100,
        reverse=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='VideoBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/rednet_test.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

# evaluation
val_evaluator = dict(type='FaceLandmarkMetric')
test_evaluator = val_evaluator
