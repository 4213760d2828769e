"""Faces: a ResNet-18 of half width, 64x64, stills and clips of real faces.

Trained on 300-W's training part and YouTube Faces together (4,871 faces, 247
known subjects), tested on the parts of both that are left out (147 photos,
428 frames of 194 videos). Clips are made of photos by a camera that moves
(ClipFromImage): something always moves in front of the face, and what moves
fast is blurred; marks are exact in every frame. Training films differ from
each other, the films of the test are the same for every row and seed; real
clips of 3 frames are tested beside them.

Data: python data_converters/convert_300w.py SRC data/300w
      python data_converters/convert_300vw.py SRC data/ytfaces --base 0 \
          --protocol csv --subjects SRC/subjects.csv
"""

depth = 18
base_channels = dict(REDNetResNet=32, REDNetVGG=16)
pretrained = False
input_size = 64
num_workers = 0
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
# The points that a row predicts: 68, or 7 where it detects alone.
evaluator = dict(norm='outer_eyes', groups='turn', points=None)
# VGG on clips would take as long as all others on clips together.
left_out = ['table5_vgg_300vw']

frames_of_clip = 8
photos = dict(data_root='data/300w/', data_prefix=dict(img=''))
videos = dict(data_root='data/ytfaces/', data_prefix=dict(img=''))
photos_train = dict(photos, ann_file='annotations/300w_train.json')
photos_val = dict(photos, ann_file='annotations/300w_val.json')
videos_train = dict(videos, ann_file='annotations/csv_train.json')
videos_val = dict(videos, ann_file='annotations/csv_val.json')

clips = dict(
    type='VideoClipDataset',
    clip_length=frames_of_clip,
    clips_per_video=1,
    reverse=False,
    frames_of_still=frames_of_clip,
    stills_of_videos=True,
)
frames = dict(clips, clip_length=1)
single = dict(frames, frames_of_still=1)
stills_test = dict(
    type='CombinedClipDataset',
    datasets=[
        dict(photos_val, type='VideoClipDataset'),
        dict(videos_val, type='VideoClipDataset'),
    ],
)
clips_test = dict(
    type='CombinedClipDataset',
    datasets=[
        dict(
            photos_val,
            type='VideoClipDataset',
            frames_of_still=frames_of_clip,
        ),
        dict(videos_val, type='VideoClipDataset'),
    ],
)
film = dict(shift=0.1, scale=0.15, rotate=15.0, occluder_prob=1.0, blur=0.5)
data = dict(
    images=dict(
        train=dict(
            type='CombinedStillDataset',
            datasets=[
                dict(photos_train, type='Face300WDataset'),
                dict(videos_train, type='Face300WDataset'),
            ],
        ),
        test=stills_test,
        max_epochs=4,
        batch_size=24,
    ),
    identities=dict(
        train=dict(
            type='CombinedClipDataset',
            datasets=[
                dict(photos_train, **single),
                dict(videos_train, **single),
            ],
        ),
        test=stills_test,
        max_epochs=1,
        batch_size=24,
        max_batches=200,
        num_subjects=247,
    ),
    frames=dict(
        train=dict(
            type='CombinedClipDataset',
            datasets=[
                dict(photos_train, **frames),
                dict(videos_train, **frames),
            ],
        ),
        test=clips_test,
        film=film,
        max_epochs=3,
        batch_size=32,
        max_batches=200,
        num_subjects=247,
    ),
    clips=dict(
        train=dict(
            type='CombinedClipDataset',
            datasets=[
                dict(photos_train, **clips),
                dict(videos_train, **clips),
            ],
        ),
        test=clips_test,
        film=film,
        max_epochs=3,
        batch_size=4,
        max_batches=200,
        num_subjects=247,
    ),
)
