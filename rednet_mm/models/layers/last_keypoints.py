"""The last frame's keypoints as what the next frame starts from.

Letters: B videos, C keypoints. A warp (B, 2, 3) leads from pixels of the
video's frame to pixels of the crop, as ``cv2.warpAffine`` takes it.
"""

import math
from typing import Optional

import torch
from torch import Tensor, nn


def to_crop(keypoints: Tensor, warps: Optional[Tensor]) -> Tensor:
    """Keypoints (B, C, 2) of frames in pixels of their crops.

    Args:
        keypoints (Tensor): Shape (B, C, 2), pixels of the frame.
        warps (Tensor, optional): Shape (B, 2, 3). None: the crop is the
            frame.
    """
    if warps is None:
        return keypoints
    # Broadcast products, not matmul: exact in any precision of the network.
    x, y = keypoints[..., None, :1], keypoints[..., None, 1:]
    moved = x * warps[:, None, :, :1] + y * warps[:, None, :, 1:2]
    return (moved + warps[:, None, :, 2:])[..., 0]


def to_frame(keypoints: Tensor, warps: Optional[Tensor]) -> Tensor:
    """Keypoints (B, C, 2) of crops in pixels of the frame; see to_crop."""
    if warps is None:
        return keypoints
    a, b, c, d = warps[:, :, :2].flatten(1).unbind(1)
    scale = 1 / (a * d - b * c)
    back = torch.stack([d, -b, -c, a], 1) * scale[:, None]
    back = back.unflatten(1, (2, 2))  # (B, 2, 2)
    shifted = keypoints - warps[:, None, :, 2]
    x, y = shifted[..., None, :1], shifted[..., None, 1:]
    return (x * back[:, None, :, :1] + y * back[:, None, :, 1:])[..., 0]


class FeedbackNoise(nn.Module):
    """Make what is fed back worse in training, as it is in hard videos.

    A network that is only ever fed keypoints that are nearly right copies
    them; one that is fed none ignores them.

    Args:
        dropout (float): Share of the channels, and a quarter of it the share
            of the whole maps, that are emptied. Defaults to 0.1.
        disturb (float): Share of the faces whose keypoints are moved by a
            random similarity and noise. Defaults to 0.1.
        shift (float): Standard deviation of its translation, a share of the
            crop's side. Defaults to 0.04.
        rotate (float): Of its rotation, degrees. Defaults to 6.
        scale (float): Of the logarithm of its scale. Defaults to 0.07.
        noise (float): Of each coordinate, a share of the crop's side.
            Defaults to 0.012.
    """

    def __init__(
        self,
        dropout: float = 0.1,
        disturb: float = 0.1,
        shift: float = 0.04,
        rotate: float = 6.0,
        scale: float = 0.07,
        noise: float = 0.012,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.disturb = disturb
        self.shift = shift
        self.rotate = rotate
        self.scale = scale
        self.noise = noise

    def moved(self, keypoints: Tensor, side: float) -> Tensor:
        """Keypoints (B, C, 2) of crops of this side, some of them moved."""
        if not self.training:
            return keypoints
        faces = len(keypoints)

        def drawn(std: float, *shape: int) -> Tensor:
            return std * torch.randn(faces, *shape, device=keypoints.device)

        angle = drawn(math.radians(self.rotate), 1, 1)
        size = drawn(self.scale, 1, 1).exp()
        centre = keypoints.mean(1, keepdim=True)
        x, y = (keypoints - centre).split(1, -1)
        turned = torch.cat(
            [
                angle.cos() * x - angle.sin() * y,
                angle.sin() * x + angle.cos() * y,
            ],
            -1,
        )
        other = size * turned + centre + drawn(self.shift * side, 1, 2)
        other = other + drawn(self.noise * side, keypoints.shape[1], 2)
        hit = torch.rand(faces, 1, 1, device=keypoints.device) < self.disturb
        return torch.where(hit, other, keypoints)

    def dropped(self, maps: Tensor) -> Tensor:
        """Maps (B, C, h, w), some channels and some faces' emptied."""
        if not self.training:
            return maps
        faces, channels = maps.shape[:2]
        kept = torch.rand(faces, channels, device=maps.device) >= self.dropout
        whole = torch.rand(faces, 1, device=maps.device) >= self.dropout / 4
        return maps * (kept & whole)[..., None, None].to(maps.dtype)
