"""RED-Net,

ResNet-18, 128x128, on the still images of two data sets of real faces.

Goes on where rednet_r18_faces.py stopped, with a third more pixels a side
(most of the way is cheaper at 96x96): with
--cfg-options load_from=work_dirs/rednet_r18_faces/epoch_10.pth. Same data.

Data: python data_converters/convert_300w.py SRC data/300w
      python data_converters/convert_300vw.py SRC data/ytfaces --base 0 \\
          --protocol csv --subjects SRC/subjects.csv
"""

_base_ = ['./_base_/default_runtime.py']

# runtime
max_epochs = 6
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
randomness = dict(seed=0)
default_hooks = dict(checkpoint=dict(save_best='face/NME', rule='less'))

# optimizer
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=7e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=200, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        T_max=max_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=24)

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
    data_preprocessor=dict(
        type='ClipDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='REDNetResNet', depth=18),
    neck=dict(type='TemporalRecurrentNeck', in_channels=512, recurrent=False),
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
dataset_type = 'Face300WDataset'
data_mode = 'topdown'

# Boxes: the square round the keypoints, enlarged by 1.25; in training moved by
# up to a tenth of its side and scaled by 0.8 to 1.25, so that the boxes of a
# detector and those out of the landmarks of the frame before do as well.
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.1,
        shift_prob=1.0,
        scale_factor=(0.8, 1.25),
        scale_prob=1.0,
        rotate_factor=30.0,
        rotate_prob=0.8,
    ),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='YOLOXHSVRandomAug', hue_delta=8, saturation_delta=60),
    # Something in front of the face.
    dict(
        type='mmdet.CutOut',
        n_holes=(0, 2),
        cutout_ratio=[(0.1, 0.3), (0.2, 0.2), (0.3, 0.15), (0.3, 0.3)],
        fill_in=(114, 114, 114),
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

train_dataloader = dict(
    batch_size=24,
    num_workers=1,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CombinedStillDataset',
        datasets=[
            dict(
                type=dataset_type,
                data_root='data/300w/',
                ann_file='annotations/300w_train.json',
                data_prefix=dict(img=''),
            ),
            dict(
                type=dataset_type,
                data_root='data/ytfaces/',
                ann_file='annotations/csv_train.json',
                data_prefix=dict(img=''),
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

# following faces in videos: thresholds of the small model, whose response maps
# have this form (docs/tracking.md); these weights' own are not measured yet
tracker = dict(min_score=0.58, max_spread=4.0)
