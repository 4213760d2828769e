# mypy: ignore-errors
"""Closed-loop tracking of degraded clips: errors by kind of degradation.

python tools/memory/evaluate.py NAME ... [--clips 16 --frames 300]
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import clips as C
from network import Net
from train import between, moved

torch.set_num_threads(1)
KINDS = ('clean', *C.KINDS)


def load(name):
    """Net and its way of tracking: 'none' is two steps a frame."""
    if name == 'bundled':
        return Net('none')
    file = Path('work_dirs/memory') / name / 'last.pth'
    if not file.is_file():
        file = Path(name)
    saved = torch.load(file, weights_only=True)
    net = Net(saved['args']['memory'])
    net.load_state_dict(saved['net'])
    return net


@torch.inference_mode()
def track(net, clips, frames, bf16=True):
    """Predictions (B, T, 68, 2) in frame coordinates, scores (B, T)."""
    rng = np.random.RandomState(0)
    m = np.stack(
        [
            C.crop_matrix(
                c.truth(0), rng.normal(0, 0.04, 2), np.exp(rng.normal(0, 0.06))
            )
            for c in clips
        ]
    )
    before, state, found, scores = None, None, [], []
    new = np.ones(len(clips), bool)  # det -> reg, from the detector's bbox
    asked = 0
    for t in range(frames):
        crops = torch.from_numpy(
            np.stack([c.render(t, a) for c, a in zip(clips, m)])
        )
        with torch.autocast('cpu', torch.bfloat16, enabled=bf16):
            prepared = net.prepare(net.normalised(crops))
            reg = torch.empty(len(clips), 68, 64, 64)
            two = np.flatnonzero(new | (net.memory == 'none'))
            one = np.flatnonzero(~new & (net.memory != 'none'))
            if len(two):
                det = net.step(prepared[two], None, 0)
                z = net.model.head.feedback(det, 0)
                reg[two] = net.step(prepared[two], z, 1)
            if state is not None:
                a = between(m, before)
                state = [moved(a, s) for s in state]
            if len(one):
                reg[one] = net.recur(prepared[one], [s[one] for s in state])
        place = net.places(reg)
        scores.append(reg.amax((2, 3)).mean(1).numpy())
        again = torch.from_numpy(new)[:, None, None]
        last = place if state is None else torch.where(again, place, state[0])
        state = [place, last]
        k = [
            C.apply(C.invert(a), p) for a, p in zip(m, place.double().numpy())
        ]
        found.append(k)
        before = m
        m, new = [], np.zeros(len(clips), bool)
        for i, (clip, each) in enumerate(zip(clips, k)):
            # What a detector would say: the face is elsewhere.
            if overlap(each, clip.truth(t)) < 0.4:
                new[i], asked = True, asked + 1
                each = clip.truth(t)
            m.append(C.crop_matrix(each))
        m = np.stack(m)
    print('lost', asked, end=' ')
    return np.array(found).transpose(1, 0, 2, 3), np.array(scores).T


def overlap(one, other):
    """Intersection over union of two sets of keypoints' extents."""
    low = np.maximum(one.min(0), other.min(0))
    high = np.minimum(one.max(0), other.max(0))
    both = np.prod(np.maximum(high - low, 0))
    areas = [np.prod(k.max(0) - k.min(0)) for k in (one, other)]
    return both / (sum(areas) - both)


def metrics(pred, truth, kinds):
    """By kind: error %, p95, failures, motion, and lag of all."""
    norm = np.linalg.norm(truth[:, :, 36] - truth[:, :, 45], axis=-1)
    error = 100 * np.linalg.norm(pred - truth, axis=-1).mean(-1) / norm
    error = np.minimum(error, 100)
    d = pred - truth
    size = (truth.max(2) - truth.min(2)).prod(-1) ** 0.5
    motion = 100 * np.linalg.norm(np.diff(d, axis=1), axis=-1).mean(-1)
    motion = np.minimum(motion / size[:, :-1], 100)
    v = (truth[:, 2:] - truth[:, :-2]) / 2
    e = d[:, 1:-1]
    v, e = v - v.mean(1, keepdims=True), e - e.mean(1, keepdims=True)
    quiet = (kinds == 'clean')[:, 1:-1, None, None]
    lag = lambda w: float(-(w * e * v).sum() / (w * v * v).sum())  # noqa
    acc = np.linalg.norm(np.diff(pred, 2, axis=1), axis=-1).mean(-1)
    acc = 100 * acc / size[:, 1:-1]
    out = {}
    for kind in (*KINDS, 'degraded', 'all'):
        if kind == 'all':
            here = np.ones_like(kinds, bool)
        elif kind == 'degraded':
            here = kinds != 'clean'
        else:
            here = kinds == kind
        both = here[:, 1:] & here[:, :-1]
        out[kind] = dict(
            error=error[here].mean(),
            p95=np.percentile(error[here], 95),
            failures=100 * (error[here] > 10).mean(),
            motion=motion[both].mean(),
            acceleration=acc[here[:, 1:-1]].mean(),
        )
    out['lag'] = dict(clean=lag(quiet), all=lag(1.0))
    by_clip = dict(
        error=error.mean(1).tolist(),
        motion=motion.mean(1).tolist(),
        thirds=[
            error[:, s].mean().item()
            for s in np.array_split(np.arange(error.shape[1]), 3)
        ],
        bad=[
            float(
                (
                    100
                    * np.linalg.norm(d[:, i], axis=-1).mean(-1)
                    / norm[:, i]
                ).max()
            )
            for i in range(0, d.shape[1], 25)
        ],
    )
    return out, by_clip


def table(name, out):
    cells = []
    for kind in (*KINDS, 'degraded', 'all'):
        m = out[kind]
        cells.append(
            f'{m["error"]:.2f}/{m["p95"]:.1f}/{m["failures"]:.1f}/'
            f'{m["motion"]:.2f}'
        )
    lag = out['lag']
    return (
        f'| {name} | '
        + ' | '.join(cells)
        + f' | {lag["clean"]:.2f}/{lag["all"]:.2f} |'
    )


def main():
    p = argparse.ArgumentParser()
    p.add_argument('names', nargs='+')
    p.add_argument('--clips', type=int, default=8)
    p.add_argument('--frames', type=int, default=120)
    p.add_argument('--photos', default='p300w_val')
    args = p.parse_args()
    images, keypoints = C.load_photos('', '', f'data/{args.photos}.npz')
    others = C.load_photos('', '', 'data/p300w_val.npz')[0]

    def build():
        clips = []
        for i in range(args.clips):
            rng = np.random.RandomState(90_000 + i)
            j = rng.randint(len(images))
            clips.append(
                C.Clip(
                    images[j],
                    keypoints[j],
                    others,
                    rng,
                    args.frames,
                    C.hard_bursts(rng, args.frames),
                )
            )
        return clips

    clips = build()
    truth = np.array([[c.truth(t) for t in range(args.frames)] for c in clips])
    kinds = np.array([[c.kind(t) for t in range(args.frames)] for c in clips])
    print(
        '| model | '
        + ' | '.join((*KINDS, 'degraded', 'all'))
        + ' | lag clean/all |'
    )
    for name in args.names:
        t0 = time.time()
        pred, scores = track(load(name), clips, args.frames)
        out, by_clip = metrics(pred, truth, kinds)
        print(
            table(name, out),
            f'{time.time() - t0:.0f} s',
            'thirds',
            np.round(by_clip['thirds'], 2),
            'end',
            np.round(by_clip['bad'][-1], 1),
            flush=True,
        )
        Path('work_dirs/memory/eval').mkdir(parents=True, exist_ok=True)
        Path(
            f'work_dirs/memory/eval/{name.replace("/", "_")}.json'
        ).write_text(
            json.dumps(dict(out=out, by_clip=by_clip, args=vars(args)))
        )


if __name__ == '__main__':
    main()
