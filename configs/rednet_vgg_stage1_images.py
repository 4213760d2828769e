"""RED-Net, VGG-16, 256x256, stage 1: images, no recurrence over time.

Trained on AFLW, Helen and LFPW together, without identities, from ImageNet's
weights; tested on the part of AFLW that is not trained on.

Data: python data_converters/convert_aflw.py SRC data/aflw
      python data_converters/convert_300w.py SRC data/helen --protocol helen
      python data_converters/convert_300w.py SRC data/lfpw --protocol lfpw
Paper: sections 4 and 5.1.
"""

_base_ = ['./_base_/default_runtime.py']

# stage: what it is trained on, and which config it goes on from
stage = dict(data='images', previous=None)

# runtime: the last epoch is the result, none is chosen by the test data
max_epochs = 60
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
randomness = dict(seed=0)

# optimizer: SGD from 0.01, divided by 10 twice (section 5.1)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=500, by_epoch=False),
    dict(type='MultiStepLR', milestones=[40, 54], gamma=0.1, by_epoch=True),
]
auto_scale_lr = dict(base_batch_size=50)

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
    backbone=dict(
        type='REDNetVGG',
        feedback='stem',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16_bn'),
    ),
    neck=dict(
        type='TemporalRecurrentNeck',
        in_channels=512,
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
dataset_type = 'AFLWDataset'
data_mode = 'topdown'

# The seven detected landmarks among AFLW's 21 and iBUG's 68. What is not
# annotated is not supervised.
aflw_to_68 = dict(
    type='FaceKeypointConverter',
    num_source_keypoints=21,
    num_keypoints=68,
    mapping=[
        (6, 36),
        (8, 39),
        (9, 42),
        (11, 45),
        (14, 30),
        (17, 48),
        (19, 54),
    ],
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    # Scale 0.9 to 1.1, +-15 degrees, 7 of 256 pixels (section 5.1).
    dict(
        type='RandomBBoxTransform',
        shift_factor=7 / 256,
        shift_prob=1.0,
        scale_factor=(0.9, 1.1),
        scale_prob=1.0,
        rotate_factor=15.0,
        rotate_prob=1.0,
    ),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    aflw_to_68,
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    # As many frames as five clips of ten.
    batch_size=50,
    num_workers=4,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CombinedStillDataset',
        datasets=[
            dict(
                type=dataset_type,
                data_root='data/aflw/',
                ann_file='annotations/aflw_train.json',
                data_prefix=dict(img=''),
                pipeline=[aflw_to_68],
            ),
            dict(
                type='Face300WDataset',
                data_root='data/helen/',
                ann_file='annotations/helen_all.json',
                data_prefix=dict(img=''),
            ),
            dict(
                type='Face300WDataset',
                data_root='data/lfpw/',
                ann_file='annotations/lfpw_all.json',
                data_prefix=dict(img=''),
            ),
        ],
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoClipDataset',
        data_root='data/aflw/',
        ann_file='annotations/aflw_test.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

# evaluation: the seven points of AFLW, by yaw (sections 5.1 and 5.3)
val_evaluator = dict(
    type='FaceLandmarkMetric',
    norm='box_size',
    points=(36, 39, 42, 45, 30, 48, 54),
    groups='yaw',
)
test_evaluator = val_evaluator
