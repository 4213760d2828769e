# mypy: ignore-errors
"""The bundled network, and one regression step from the last keypoints."""

import numpy as np
import torch
from torch import nn

from rednet_mm.apis.network import TorchNetwork
from rednet_mm.models.layers import recurrent_step
from rednet_mm.shipped import shipped_model


class Net(nn.Module):
    def __init__(self, memory='none'):
        super().__init__()
        files = shipped_model()
        self.model = TorchNetwork(str(files.config), str(files.weights)).model
        self.model.eval()  # batch norm frozen
        self.memory = memory
        channels = dict(none=0, disc=0, vel=0, all=68, velall=68, two=7)[
            memory
        ]
        self.memory_unit = None
        if channels:
            torch.manual_seed(1)
            unit = self.model.backbone._units(1, channels, 32, 2)
            for norm in (unit[0].norm2, unit[0].downsample[1]):
                nn.init.constant_(norm.weight, 0.1)
            self.memory_unit = unit.eval().to(
                memory_format=torch.channels_last
            )
        for p in self.parameters():
            p.requires_grad_(True)

    def normalised(self, crops):
        """(N, H, W, 3), uint8, BGR."""
        pre = self.model.data_preprocessor
        x = crops.permute(0, 3, 1, 2).flip(1).float()
        return ((x - pre.mean) / pre.std).contiguous(
            memory_format=torch.channels_last
        )

    def prepare(self, frames):
        with recurrent_step(self.model._norms, 0):
            return self.model.backbone.prepare(frames)

    def step(self, prepared, z, k, extra=None):
        b = self.model.backbone
        if extra is not None:
            prepared = prepared + extra
        with recurrent_step(self.model._norms, k):
            code, skips = b.encode(prepared, z)
            code, _, _ = self.model.neck(code, None, 1)
            return self.model.head(b.decode(code, skips), k).float()

    def places(self, reg):
        """(N, 68, 2), pixels of the crop; differentiable."""
        with torch.autocast('cpu', enabled=False):
            return self.model.head.decoder.decode_maps(
                reg.float().contiguous(), 'reg'
            )[0]

    def recur(self, prepared, state, rng=None, dropout=0.0):
        """One regression step from keypoints [last, before] in this crop."""
        codec = self.model.head.decoder
        few = list(self.model.head.det_indices)
        if self.memory.startswith('vel'):
            state = [extrapolated(*state), state[1]]
        z = codec.draw_discs(state[0][:, few], soft=True).contiguous()
        extra = None
        if self.memory in ('all', 'velall'):
            extra = codec.draw_gaussians(state[0]).contiguous()
        elif self.memory == 'two':
            extra = codec.draw_discs(state[1][:, few], soft=True).contiguous()
        if rng is not None and dropout:
            z = z * dropped(rng, z, dropout)
            if extra is not None:
                extra = extra * dropped(rng, extra, dropout)
        if extra is not None:
            extra = self.memory_unit(extra)
        return self.step(prepared, z, 1, extra)


def extrapolated(last, before, damping=0.7):
    """Where keypoints (N, 68, 2) go on: the similarity between the two."""
    q, p = last.mean(1, keepdim=True), before.mean(1, keepdim=True)
    dq, dp = last - q, before - p
    energy = dp.square().sum((1, 2))
    a = (dp * dq).sum((1, 2)) / energy
    b = (dp[..., 0] * dq[..., 1] - dp[..., 1] * dq[..., 0]).sum(1) / energy
    a = (1 + damping * (a - 1)).clamp(0.8, 1.25)[:, None]
    b = (damping * b).clamp(-0.3, 0.3)[:, None]
    x = a * dq[..., 0] - b * dq[..., 1]
    y = b * dq[..., 0] + a * dq[..., 1]
    return torch.stack([x, y], -1) + q + damping * (q - p)


def dropped(rng, z, share):
    """Channels at that share, whole maps at a quarter of it."""
    n, c = z.shape[:2]
    keep = rng.uniform(size=(n, c)) >= share
    keep &= rng.uniform(size=(n, 1)) >= share / 4
    return torch.from_numpy(np.float32(keep))[..., None, None]
