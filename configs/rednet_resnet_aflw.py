"""RED-Net, ResNet-152, 256x256, still images of AFLW: a plain MMPose model.

The recurrence over the steps alone, with MMPose's own data set, metric
(a share, not in %) and flip test; it starts from ImageNet's weights. The
keypoints are MMPose's 19, AFLW's 21 without the ears.

MMPose's own annotation files hold these 19 (and another split): for them
leave aflw_to_19 out of the pipelines and name the files and data_prefix.

Data: python data_converters/convert_aflw.py SRC data/aflw
Paper: sections 3.2, 4.2 and 5.1.
"""

_base_ = ['./_base_/default_runtime.py']

# runtime: the last epoch is the result, none is chosen by the test images
max_epochs = 60
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
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
        num_keypoints=19,
        # Eye corners, nose tip and mouth corners of the 19 points.
        det_indices=(6, 8, 9, 11, 13, 15, 17),
        loss_det=dict(type='ResponseMapBCELoss'),
        loss_reg=dict(type='ResponseMapL2Loss', loss_weight=10.0),
    ),
    test_cfg=dict(flip_test=True),
)

# data
dataset_type = 'StillAFLWDataset'
data_mode = 'topdown'
data_root = 'data/aflw/'

aflw_to_19 = dict(
    type='FaceKeypointConverter',
    num_source_keypoints=21,
    num_keypoints=19,
    # Without 12 and 16, the ears.
    mapping=[
        *[(i, i) for i in range(12)],
        *[(13, 12), (14, 13), (15, 14)],
        *[(17, 15), (18, 16), (19, 17), (20, 18)],
    ],
)

train_pipeline = [
    aflw_to_19,
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
    aflw_to_19,
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
        ann_file='annotations/aflw_train.json',
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
        ann_file='annotations/aflw_test.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

# evaluation: over the side of the annotated box
val_evaluator = dict(
    type='NME', norm_mode='use_norm_item', norm_item='bbox_size'
)
test_evaluator = val_evaluator
