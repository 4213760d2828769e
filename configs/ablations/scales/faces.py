"""Faces:

A ResNet-18 of quarter width, 64x64, still images and clips of real faces.

Trained on 300-W's training part and YouTube Faces together (4,871 faces, 247
known subjects), tested on the parts of both that are left out (147 images,
428 frames of 194 videos). Clips are made of images by a camera that moves
(ClipFromImage): something always moves in front of the face, and what moves
fast is blurred; keypoints are exact in every frame. Training videos differ
from each other, the videos of the test are the same for every row and seed;
real clips of 3 frames are tested beside them.

Minutes of one core for one training and its test, by estimate: time of an
iteration (loading and step, a core of two, the other one trains too) times
iterations, and half a minute for starting, validation and test:

    one-shot det, one-shot reg                                    2.5 each
    det+det, det+reg (= recurrent, ResNet), cascade, norm shared,
        start from the mean shape, VGG, feedback to the input     4.5 each
    identities (two: with and without the classifier)             1 each
    clips: with and without recurrence, without identity,
        broadcast                                                 3.5 each
    clips: start from the previous frame                          6.5

About 60 in all, 180 for three seeds: an hour and a half of 2 cores with
``--jobs 2``. Disk: about 2 GB of checkpoints.

Data: python data_converters/convert_300w.py SRC data/300w
      python data_converters/convert_300vw.py SRC data/ytfaces --base 0 \
          --protocol csv --subjects SRC/subjects.csv
"""

depth = 18
base_channels = dict(REDNetResNet=16, REDNetVGG=8)
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

photos = dict(data_root='data/300w/', data_prefix=dict(img=''))
videos = dict(data_root='data/ytfaces/', data_prefix=dict(img=''))
train = [
    dict(photos, ann_file='annotations/300w_train.json'),
    dict(videos, ann_file='annotations/csv_train.json'),
]
test = [
    dict(
        photos, type='VideoClipDataset', ann_file='annotations/300w_val.json'
    ),
    dict(videos, type='VideoClipDataset', ann_file='annotations/csv_val.json'),
]


def train_clips(clip_length, frames_of_still):
    """Clips of images, those of videos' frames too."""
    kind = dict(
        type='VideoClipDataset',
        clip_length=clip_length,
        clips_per_video=1,
        reverse=False,
        frames_of_still=frames_of_still,
        stills_of_videos=True,
    )
    parts = [dict(each, **kind) for each in train]
    return dict(type='CombinedClipDataset', datasets=parts)


frames_of_clip = 8
test_images = dict(type='CombinedClipDataset', datasets=test)
# The frames of the videos are real clips already.
recorded = [dict(test[0], frames_of_still=frames_of_clip), test[1]]
videos = dict(
    test=dict(type='CombinedClipDataset', datasets=recorded),
    video=dict(
        shift=0.1, scale=0.15, rotate=15.0, occluder_prob=1.0, blur=0.5
    ),
    max_epochs=3,
    max_batches=150,
    num_subjects=247,
)
data = dict(
    images=dict(
        train=dict(
            type='CombinedStillDataset',
            datasets=[dict(each, type='Face300WDataset') for each in train],
        ),
        test=test_images,
        max_epochs=4,
        batch_size=24,
    ),
    identities=dict(
        train=train_clips(1, 1),
        test=test_images,
        max_epochs=1,
        max_batches=150,
        batch_size=24,
        num_subjects=247,
    ),
    # As many frames in a batch as the clips have.
    frames=dict(videos, train=train_clips(1, frames_of_clip), batch_size=32),
    clips=dict(
        videos, train=train_clips(frames_of_clip, frames_of_clip), batch_size=4
    ),
)
