# mypy: ignore-errors
"""A checkpoint on a real video, by PyTorch and by ONNX Runtime.

python tools/memory/video.py CONFIG CHECKPOINT VIDEO
"""

import sys
import time

import cv2
import numpy as np
import torch

from rednet_mm.apis import (
    LandmarkTracker,
    OnnxNetwork,
    TorchNetwork,
    build_detector,
)
from rednet_mm.apis.onnx_export import export_onnx
from rednet_mm.shipped import shipped_model


class Recorded:
    """A network that keeps what it was given and found."""

    def __init__(self, network):
        self.network, self.log = network, []
        for name in ('input_size', 'padding', 'settings', 'num_keypoints'):
            setattr(self, name, getattr(network, name))

    def run(self, crops, states, warps):
        result, after = self.network.run(crops, states, warps)
        self.log.append((crops, states[0] is None, warps, result.keypoints))
        return result, after


def main():
    torch.set_num_threads(1)
    config, checkpoint, video = sys.argv[1:]
    capture, frames = cv2.VideoCapture(video), []
    while len(frames) < 110:
        there, frame = capture.read()
        if not there:
            break
        frames.append(frame)
    detector = build_detector('cascade')
    box = detector(frames[0])[:1]
    network = TorchNetwork(config, checkpoint)
    files = shipped_model()
    bundled = TorchNetwork(str(files.config), str(files.weights))
    export_onnx(network, '/tmp/memory.onnx', 'memory')
    onnx = OnnxNetwork('/tmp/memory.onnx', 1)
    recorded = Recorded(network)
    for name, each in (
        ('memory, PyTorch', recorded),
        ('memory, ONNX Runtime', onnx),
        ('bundled, PyTorch', bundled),
    ):
        tracker = LandmarkTracker(
            each, detector, min_score=0.2, max_spread=None, redetect_every=0
        )
        start = time.process_time()
        found = list(tracker.track(frames, box))
        spent = 1000 * (time.process_time() - start) / len(frames)
        seen = [faces[0].keypoints for faces in found if faces]
        second = np.linalg.norm(np.diff(seen, 2, axis=0), axis=-1).mean()
        print(
            f'{name}: {len(seen)} of {len(frames)} frames, acceleration '
            f'{second:.3f} px, {spent:.1f} ms of processor time a frame'
        )
    states, apart = [None], []
    for crops, new, warps, keypoints in recorded.log:
        result, states = onnx.run(crops, [None] if new else states, warps)
        apart.append(np.abs(result.keypoints - keypoints).max())
    print(f'same crops, own states: at most {max(apart):.2g} px apart')


if __name__ == '__main__':
    main()
