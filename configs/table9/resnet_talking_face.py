"""Table 9: ResNet-152 of the third stage, tested on Talking Face.

As released its keypoints are in FGNET's order, and seven of them have a
counterpart among the 68. Of 68 measured are those seven.

    python tools/test.py configs/table9/resnet_talking_face.py CHECKPOINT \
        --boxes tracking

Data: python data_converters/convert_frames.py SRC data/talking_face \
          --protocol talking_face --fps 25
Paper: section 5.6.
"""

_base_ = ['../rednet_resnet_300vw.py']

# The seven landmarks among iBUG's 68.
seven_to_68 = dict(
    type='FaceKeypointConverter',
    num_source_keypoints=7,
    num_keypoints=68,
    mapping=[
        (0, 36),
        (1, 39),
        (2, 42),
        (3, 45),
        (4, 30),
        (5, 48),
        (6, 54),
    ],
)

test_dataloader = dict(
    dataset=dict(
        data_root='data/talking_face/',
        ann_file='annotations/talking_face_all.json',
        pipeline=[seven_to_68, *_base_.val_pipeline],
    ),
)
test_evaluator = dict(points=(36, 39, 42, 45, 30, 48, 54))
