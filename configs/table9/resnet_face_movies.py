"""Table 9: ResNet-152 of the third stage, tested on Face Movies.

    python tools/test.py configs/table9/resnet_face_movies.py CHECKPOINT \
        --boxes tracking

Data: python data_converters/convert_frames.py SRC data/face_movies \
          --protocol face_movies --subjects people.csv
Paper: section 5.6.
"""

_base_ = ['../rednet_resnet_300vw.py']

test_dataloader = dict(
    dataset=dict(
        data_root='data/face_movies/',
        ann_file='annotations/face_movies_all.json',
    ),
)
