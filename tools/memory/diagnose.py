# mypy: ignore-errors
"""What one step makes of what it is fed, on clean frames of photos.

python tools/memory/diagnose.py NAME ...
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import clips as C
from evaluate import load

FRAMES = 120


def frames():
    """Crops, keypoints, and those of the frame before, in the crop."""
    images, keypoints = C.load_photos('', '', 'data/p300w_val.npz')
    crops, now, last = [], [], []
    for i in range(FRAMES):
        rng = np.random.RandomState(5000 + i)
        clip = C.Clip(images[i], keypoints[i], images, rng, 8, [])
        matrix = C.crop_matrix(clip.truth(3))
        crops.append(clip.render(4, matrix))
        now.append(C.apply(matrix, clip.truth(4)))
        last.append(C.apply(matrix, clip.truth(3)))
    arrays = np.stack(crops), np.float32(now), np.float32(last)
    return map(torch.from_numpy, arrays)


@torch.inference_mode()
def report(name, crops, now, last):
    net = load(name)
    with torch.autocast('cpu', torch.bfloat16):
        prepared = net.prepare(net.normalised(crops))
        z = net.model.head.feedback(net.step(prepared, None, 0), 0)
        found = {'nothing: two steps': net.places(net.step(prepared, z, 1))}
        for text, fed in (
            ('true keypoints of this frame', now),
            ('true keypoints of the last frame', last),
            ('the same, 4 pixels to the right', last + torch.tensor([4.0, 0])),
        ):
            found[text] = net.places(net.recur(prepared, [fed, fed]))
    eyes = (now[:, 36] - now[:, 45]).norm(dim=-1)
    way = now - last
    for text, place in found.items():
        error = 100 * (place - now).norm(dim=-1).mean(1) / eyes
        lag = -((place - now) * way).sum() / way.square().sum()
        print(f'| {name} | {text} | {error.mean():.2f} | {lag:.2f} |')


if __name__ == '__main__':
    torch.set_num_threads(1)
    given = tuple(frames())
    for each in sys.argv[1:]:
        report(each, *given)
