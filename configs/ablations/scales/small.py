"""Small: ResNet-18, 64x64, on real faces, a few epochs on a CPU.

Still images of 300-W's training part (AFW, Helen, LFPW) stand in for AFLW,
Helen and LFPW, YouTube Faces in 300-VW's layout for LFW and 300-VW. Neither
has yaw or category: common and challenging are told apart by the keypoints.

Data: python data_converters/convert_300w.py SRC data/300w
      python data_converters/convert_300vw.py SRC data/ytfaces --base 0 \
          --protocol csv --subjects SRC/subjects.csv
"""

depth = 18
pretrained = False
input_size = 64
num_workers = 1
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=50, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-5,
        T_max='max_epochs',
        end='max_epochs',
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
evaluator = dict(norm='outer_eyes', groups='turn')

stills = dict(data_root='data/300w/', data_prefix=dict(img=''))
videos = dict(
    type='VideoClipDataset',
    data_root='data/ytfaces/',
    data_prefix=dict(img=''),
    clips_per_video=1,
    reverse=False,
)
videos_train = dict(videos, ann_file='annotations/csv_train.json')
videos_val = dict(videos, ann_file='annotations/csv_val.json')
data = dict(
    images=dict(
        train=dict(
            stills,
            type='Still300WDataset',
            ann_file='annotations/300w_train.json',
        ),
        test=dict(
            stills,
            type='VideoClipDataset',
            ann_file='annotations/300w_val.json',
        ),
        max_epochs=3,
        batch_size=16,
    ),
    identities=dict(
        train=dict(videos_train, clip_length=1),
        test=videos_val,
        max_epochs=1,
        batch_size=16,
        num_subjects=247,
    ),
    frames=dict(
        train=dict(videos_train, clip_length=1),
        test=videos_val,
        max_epochs=1,
        batch_size=15,
        num_subjects=247,
    ),
    clips=dict(
        train=dict(videos_train, clip_length=3),
        test=videos_val,
        max_epochs=1,
        batch_size=5,
        num_subjects=247,
    ),
)
