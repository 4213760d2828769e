# mypy: ignore-errors
"""Train on degraded clips, with and without memory; resumable.

python tools/memory/train.py NAME --memory disc --iters 1000
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent))
import clips as C
from network import Net

torch.set_num_threads(1)


def batch(args, data, it):
    """Clips of one iteration: crops (T, B, ...), keypoints, matrices."""
    rng = np.random.RandomState(args.seed * 1_000_003 + it)
    clips = []
    for _ in range(args.clips):
        images, keypoints = data[0] if rng.uniform() < 0.6 else data[1]
        j = rng.randint(len(images))
        clips.append(
            C.Clip(images[j], keypoints[j], data[0][0], rng, args.frames)
        )
    if args.memory != 'none' and not args.open:
        return clips, None, None, rng
    crops, labels, matrices = [], [], []
    for t in range(args.frames):
        for clip in clips:
            seen = clip.truth(max(t - 1, 0))
            big = t == 0 or rng.uniform() < 0.1
            shift = rng.normal(0, 0.05 if big else 0.012, 2)
            scale = np.exp(rng.normal(0, 0.1 if big else 0.02))
            m = C.crop_matrix(seen, shift, scale)
            matrices.append(m)
            crops.append(clip.render(t, m))
            labels.append(C.apply(m, clip.truth(t)))
    shape = (args.frames, args.clips)
    crops = torch.from_numpy(np.stack(crops).reshape(*shape, 128, 128, 3))
    labels = torch.from_numpy(np.float32(labels)).view(*shape, 68, 2)
    matrices = np.stack(matrices).reshape(*shape, 2, 3)
    return crops, labels, matrices, rng


def cut(clips, t, seen, rng):
    """Crops of frame t, from keypoints of the last one (frame pixels)."""
    crops, labels, matrices = [], [], []
    for clip, k in zip(clips, seen):
        m = clip.truth(t)
        low, high = m.min(0), m.max(0)
        lost = (
            np.abs((k.min(0) + k.max(0) - low - high) / 2) > (high - low) / 2
        ).any() or not 0.5 < (k.max(0) - k.min(0)).max() / (
            high - low
        ).max() < 2
        if lost:
            k = clip.truth(t - 1)
        big = t == 0 or rng.uniform() < 0.07
        shift = rng.normal(0, 0.05 if big else 0.004, 2)
        scale = np.exp(rng.normal(0, 0.1 if big else 0.005))
        m = C.crop_matrix(k, shift, scale)
        crops.append(clip.render(t, m))
        labels.append(C.apply(m, clip.truth(t)))
        matrices.append(m)
    return (
        torch.from_numpy(np.stack(crops)),
        torch.from_numpy(np.float32(labels)),
        np.stack(matrices),
    )


def between(now, before):
    """Crop before -> this crop, (B, 2, 3), from frame -> crop matrices."""
    return torch.from_numpy(
        np.float32([C.compose(a, C.invert(b)) for a, b in zip(now, before)])
    )


def moved(matrix, points):
    return points @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]


def disturbed(points, rng, share):
    """Some clips' points by a random similarity and noise."""
    n = len(points)
    hit = torch.from_numpy(np.float32(rng.uniform(size=n) < share))
    a, s = rng.normal(0, 0.1, n), np.exp(rng.normal(0, 0.07, n))
    m = np.float32(
        [[s * np.cos(a), -s * np.sin(a)], [s * np.sin(a), s * np.cos(a)]]
    ).transpose(2, 0, 1)
    way = np.float32(rng.normal(0, 5, (n, 1, 2)))
    noise = np.float32(rng.normal(0, 1.5, points.shape))
    centre = points.mean(1, keepdim=True)
    other = (
        (points - centre) @ torch.from_numpy(m).transpose(1, 2)
        + centre
        + torch.from_numpy(way)
        + torch.from_numpy(noise)
    )
    return torch.where(hit[:, None, None] > 0, other, points)


class WeightedSquares(torch.autograd.Function):
    """ResponseMapL2Loss in few passes over memory."""

    @staticmethod
    def forward(ctx, output, target, weight):
        d = output.sub(target)
        g = target.gt_(0.1).mul_(9).add_(1).mul_(d)
        scale = weight / (weight.sum().clamp(min=1) * d[0, 0].numel())
        loss = (d.mul_(g).sum((2, 3)) * scale).sum()
        ctx.save_for_backward(g, scale)
        return loss

    @staticmethod
    def backward(ctx, grad):
        g, scale = ctx.saved_tensors
        return g.mul_(2 * grad * scale[..., None, None]), None, None


class Losses:
    def __init__(self, net, args):
        self.head, self.args = net.model.head, args
        self.few = list(self.head.det_indices)

    def det(self, output, labels):
        k = labels[:, self.few]
        return self.head.losses['det'](
            output, self.head.decoder.draw_discs(k), inside(k)
        )

    def reg(self, output, labels):
        with torch.no_grad():
            target = self.head.decoder.draw_gaussians(labels)
        return 10 * WeightedSquares.apply(output, target, inside(labels))


def inside(labels):
    return ((labels > -0.5) & (labels < 127.5)).all(-1).float()


def forward(net, losses, args, crops, labels, matrices, rng):
    """The losses of a batch of clips: dict of scalars."""
    out = {}
    places = []
    if args.memory == 'none':
        T, B = labels.shape[:2]
        prepared = net.prepare(net.normalised(crops.flatten(0, 1)))
        flat = labels.flatten(0, 1)
        det = net.step(prepared, None, 0)
        reg = net.step(prepared, net.model.head.feedback(det, 0), 1)
        out['det'] = losses.det(det, flat)
        out['reg'] = losses.reg(reg, flat)
        if args.motion or args.place:
            places = list(net.places(reg).unflatten(0, (T, B)))
    else:
        clips, T = crops, args.frames
        seen = [clip.truth(0) for clip in clips]
        labels, state, before = [], None, None
        for t in range(T):
            crop, label, m = cut(clips, t, seen, rng)
            labels.append(label)
            prepared = net.prepare(net.normalised(crop))
            if t == 0:
                det = net.step(prepared, None, 0)
                out['det'] = losses.det(det, label) / T
                reg = net.step(prepared, net.model.head.feedback(det, 0), 1)
                regs = [losses.reg(reg, label)]
            else:
                a = between(m, before)
                state = [moved(a, s) for s in state]
                state[0] = disturbed(state[0], rng, args.disturb)
                reg = net.recur(prepared, state, rng, args.dropout)
                regs.append(losses.reg(reg, label))
            place = net.places(reg)
            if args.motion or args.place:
                places.append(place)
            place = place.detach()
            state = [place, place if state is None else state[0]]
            before = m
            seen = [
                C.apply(C.invert(a), p)
                for a, p in zip(m, place.double().numpy())
            ]
        out['reg'] = sum(regs) / T
    if args.motion or args.place:
        errors = [p - g for p, g in zip(places, labels)]
        seen = [inside(g) for g in labels]
        if args.place:
            e = torch.stack(errors) * torch.stack(seen)[..., None]
            out['place'] = args.place * F.smooth_l1_loss(
                e, torch.zeros_like(e)
            )
        if args.motion:
            terms = []
            for t in range(1, T):
                both = (seen[t] * seen[t - 1])[..., None]
                e = (errors[t] - errors[t - 1]) * both
                terms.append(F.smooth_l1_loss(e, torch.zeros_like(e)))
            out['motion'] = args.motion * sum(terms) / (T - 1)
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument('name')
    p.add_argument(
        '--memory',
        default='none',
        choices=['none', 'disc', 'vel', 'all', 'velall', 'two'],
    )
    p.add_argument('--iters', type=int, default=1000)
    p.add_argument('--clips', type=int, default=4)
    p.add_argument('--frames', type=int, default=8)
    p.add_argument('--lr', type=float, default=4e-4)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--motion', type=float, default=0)
    p.add_argument('--place', type=float, default=0)
    p.add_argument('--disturb', type=float, default=0.1)
    p.add_argument('--dropout', type=float, default=0.1)
    p.add_argument('--open', action='store_true')
    p.add_argument('--start', help='checkpoint to start from')
    p.add_argument('--stop', type=int, help='iteration to stop at')
    args = p.parse_args()
    folder = Path('work_dirs/memory') / args.name
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    data = [
        C.load_photos('', '', f'data/{name}.npz')
        for name in ('p300w_train', 'pyt_train')
    ]
    net = Net(args.memory)
    new = [q for n, q in net.named_parameters() if 'memory_unit' in n]
    old = [q for n, q in net.named_parameters() if 'memory_unit' not in n]
    if args.start:
        net.load_state_dict(
            torch.load(args.start, weights_only=True)['net'], strict=False
        )
    optim = torch.optim.AdamW(
        [dict(params=old, by=1.0), dict(params=new, by=5.0)],
        lr=args.lr,
        weight_decay=0.01,
    )
    it, spent = 0, 0.0
    last = folder / 'last.pth'
    if last.is_file():
        saved = torch.load(last, weights_only=True)
        net.load_state_dict(saved['net'])
        optim.load_state_dict(saved['optim'])
        it, spent = saved['it'], saved['spent']
    (folder / 'args.json').write_text(json.dumps(vars(args)))
    losses = Losses(net, args)
    log = (folder / 'log.txt').open('a')
    since, sums = time.time(), {}
    while it < (args.stop or args.iters):
        share = it / args.iters
        lr = (
            args.lr
            * min(1, (it + 1) / 40)
            * (0.01 + 0.99 * (1 + np.cos(np.pi * share)) / 2)
        )
        for group in optim.param_groups:
            group['lr'] = lr * group['by']
        crops, labels, matrices, rng = batch(args, data, it)
        with torch.autocast('cpu', torch.bfloat16):
            out = forward(net, losses, args, crops, labels, matrices, rng)
        loss = sum(out.values())
        optim.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        if torch.isfinite(norm):
            optim.step()
        it += 1
        for name, value in out.items():
            sums[name] = sums.get(name, 0) + float(value.detach())
        if it % 20 == 0:
            spent += time.time() - since
            since = time.time()
            text = ' '.join(f'{n} {v / 20:.4f}' for n, v in sums.items())
            print(
                f'{it} {text} norm {float(norm):.2f} {spent / 60:.1f} min',
                file=log,
                flush=True,
            )
            sums = {}
        if it % 100 == 0 or it == args.iters:
            part = folder / 'part.pth'
            torch.save(
                dict(
                    net=net.state_dict(),
                    optim=optim.state_dict(),
                    it=it,
                    spent=spent,
                    args=vars(args),
                ),
                part,
            )
            part.rename(last)


if __name__ == '__main__':
    main()
