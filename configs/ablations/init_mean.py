"""The first step starts from discs at the mean shape (section 3.2)."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/ablation_images.py',
]

model = dict(
    init_from='mean',
    # Of 300-W's training part, printed by tools/dataset/mean_shape.py; other
    # sets' lie within two hundredths of the input of it.
    mean_shape=[
        [0.2659, 0.2713],
        [0.3981, 0.2781],
        [0.5977, 0.2745],
        [0.7290, 0.2638],
        [0.5028, 0.4563],
        [0.3577, 0.6276],
        [0.6506, 0.6220],
    ],
)
