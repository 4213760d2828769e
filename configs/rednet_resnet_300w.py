"""RED-Net, ResNet-152, 256x256, still images of 300-W: a plain MMPose model.

The recurrence over the steps alone, with MMPose's own data set, metric and
flip test; it starts from ImageNet's weights.

Data: python data_converters/convert_300w.py SRC data/300w --split CSV
      where the CSV names the splits train and val
Paper: sections 3.2, 4.2 and 5.1.
"""

_base_ = ['./_base_/default_runtime.py']

# runtime
max_epochs = 60
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
randomness = dict(seed=0)

# The best epoch on the split val is kept. MMPose's NME is a share, not in %.
default_hooks = dict(checkpoint=dict(save_best='NME', rule='less'))

# optimizer: SGD from 0.01, divided by 10 twice (section 5.1)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=500, by_epoch=False),
    dict(type='MultiStepLR', milestones=[40, 54], gamma=0.1, by_epoch=True),
]
auto_scale_lr = dict(base_batch_size=16)

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
        type='REDNetResNet',
        depth=152,
        feedback='stem',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet152'),
    ),
    neck=dict(type='TemporalRecurrentNeck', in_channels=2048, recurrent=False),
    head=dict(
        type='REDNetHead',
        in_channels=128,
        decoder=codec,
        steps=('det', 'reg'),
        loss_det=dict(type='ResponseMapBCELoss'),
        loss_reg=dict(type='ResponseMapL2Loss', loss_weight=10.0),
    ),
    test_cfg=dict(flip_test=True),
)

# data
dataset_type = 'Still300WDataset'
data_mode = 'topdown'
data_root = 'data/300w/'

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
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode=data_mode,
        ann_file='annotations/300w_train.json',
        data_prefix=dict(img=''),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode=data_mode,
        ann_file='annotations/300w_val.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

# evaluation: over the distance of the outer eye corners
val_evaluator = dict(
    type='NME', norm_mode='keypoint_distance', keypoint_indices=[36, 45]
)
test_evaluator = val_evaluator
