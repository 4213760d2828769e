"""Response maps of landmarks: drawn on the device, decoded to pixels."""

import math
from typing import Optional

import numpy as np
import torch
import torch.nn.functional as F
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from rednet_mm.errors import UserError

# Beyond so many standard deviations from the maximum, at least one less from
# the window's centre, a Gaussian is below 4e-6.
REACH = 6


@KEYPOINT_CODECS.register_module()
class ResponseMap(BaseKeypointCodec):
    """Binary discs for detection, Gaussians for regression (section 4.2).

    Coordinates follow MMPose's UDP codecs: the centres of the corner pixels
    of the map lie on the centres of the corner pixels of the input, so a
    flipped map is the map of the flipped input. Use it with
    ``TopdownAffine(use_udp=True)``.

    Letters: N frames, K landmarks, w x h response map, W x H input.

    A data pipeline calls :meth:`encode`, which ships coordinates alone
    (``keypoint_labels`` (1, K, 2) in input pixels, ``keypoint_weights``
    (1, K)); the maps are drawn by the head, on its device, with
    :meth:`draw_discs` and :meth:`draw_gaussians`.

    Args:
        input_size (tuple[int]): (W, H) of the network's input.
        response_size (tuple[int]): (w, h) of the response map.
        radius (float): Radius of a disc, in pixels of the response map.
            Defaults to 5.
        sigma (float): Standard deviation of a Gaussian, in pixels of the
            response map. Defaults to 5.
    """

    label_mapping_table = dict(
        keypoint_labels='keypoint_labels', keypoint_weights='keypoint_weights'
    )

    def __init__(
        self,
        input_size: tuple[int, int],
        response_size: tuple[int, int],
        radius: float = 5.0,
        sigma: float = 5.0,
    ) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        self.response_size = tuple(response_size)
        self.radius = radius
        self.sigma = sigma
        # Input pixels per pixel of the map, x and y.
        self.stride = tuple(
            (big - 1) / (small - 1)
            for big, small in zip(self.input_size, self.response_size)
        )

    def encode(
        self,
        keypoints: np.ndarray,
        keypoints_visible: Optional[np.ndarray] = None,
    ) -> dict:
        """Coordinates and weights for the head.

        A landmark that is not annotated (visibility 0), not finite or outside
        the input gets weight 0: it is not supervised.

        Args:
            keypoints (np.ndarray): Shape (1, K, 2), input pixels.
            keypoints_visible (np.ndarray, optional): Shape (1, K).

        Returns:
            dict: ``keypoint_labels`` (1, K, 2) and ``keypoint_weights``
            (1, K), both float32.

        Raises:
            UserError: for several faces.
        """
        if len(keypoints) != 1:
            raise UserError(
                f'ResponseMap encodes one face at a time, not {len(keypoints)}'
            )
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:2], np.float32)
        limit = np.array(self.input_size) - 0.5
        with np.errstate(invalid='ignore'):
            inside = ((keypoints >= -0.5) & (keypoints < limit)).all(-1)
        weights = (inside & (keypoints_visible > 0)).astype(np.float32)
        labels = np.where(inside[..., None], keypoints, 0).astype(np.float32)
        return dict(keypoint_labels=labels, keypoint_weights=weights)

    def _offsets(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Distance in x (N, K, 1, w) and y (N, K, h, 1), map pixels."""
        w, h = self.response_size
        centre = keypoints / keypoints.new_tensor(self.stride)
        xs = torch.arange(w, dtype=centre.dtype, device=centre.device)
        ys = torch.arange(h, dtype=centre.dtype, device=centre.device)
        dx = xs - centre[..., 0, None]
        dy = ys - centre[..., 1, None]
        return dx[..., None, :], dy[..., :, None]

    def draw_discs(self, keypoints: Tensor, soft: bool = False) -> Tensor:
        """Discs of ones round landmarks (N, K, 2) -> (N, K, h, w).

        Args:
            keypoints (Tensor): Shape (N, K, 2), input pixels.
            soft (bool): Whether the edge falls from 1 to 0 within a pixel,
                so that the disc moves with its landmark by less than whole
                pixels. Defaults to False.
        """
        dx, dy = map(_channels_behind, self._offsets(keypoints))
        squares = dx.square() + dy.square()
        if soft:
            discs = (self.radius + 0.5 - squares.sqrt()).clamp(0, 1)
        else:
            discs = (squares <= self.radius**2).to(keypoints.dtype)
        # Not -1, which torch's exporter to ONNX would write as it is.
        return discs.movedim(3, 1)

    def draw_gaussians(self, keypoints: Tensor) -> Tensor:
        """Gaussians of height 1 at landmarks (N, K, 2) -> (N, K, h, w)."""
        dx, dy = map(_channels_behind, self._offsets(keypoints))
        scale = -0.5 / self.sigma**2
        maps = (scale * dy.square()).exp() * (scale * dx.square()).exp()
        return maps.movedim(3, 1)

    def decode_discs(
        self, maps: Tensor, threshold: float = 0.5
    ) -> tuple[Tensor, Tensor]:
        """Centroid of the thresholded disc round the strongest response.

        Args:
            maps (Tensor): Probabilities, shape (N, K, h, w).
            threshold (float): Above it a pixel belongs to the disc. Where no
                pixel does, half of the map's maximum is the threshold.

        Returns:
            tuple: Coordinates (N, K, 2) in pixels of the map, and the
            maximum of each map (N, K).
        """
        size = 2 * round(self.radius) + 1
        blurred = F.avg_pool2d(maps, size, 1, size // 2)
        peak = self._peak(blurred)[0]
        scores = maps.flatten(2).amax(2)
        limit = scores.mul(0.5).clamp(max=threshold)[..., None, None]
        near = self._window(peak, 2 * self.radius)
        disc = (maps >= limit).to(maps.dtype) * near
        xs, ys = (
            torch.arange(side, dtype=maps.dtype, device=maps.device)
            for side in self.response_size
        )
        place = self._centroid(disc.sum(-2), disc.sum(-1), peak, xs, ys)
        return place, scores

    def decode_gaussians(
        self, maps: Tensor, iterations: int = 3
    ) -> tuple[Tensor, Tensor]:
        """Sub-pixel place of the maximum.

        The map times a Gaussian window of the same sigma at x is, where the
        map is a Gaussian at m, a Gaussian at (x + m) / 2; so twice the way to
        its centroid leads to m. Near a border both are cut off, so the way
        is measured from the centroid of the window's own square, and in units
        of its variance (sigma^2 / 2 where nothing is cut off): a Newton step,
        and a few of them are exact at the border too. All pixels of the
        response take part, which makes the place less noisy than the
        neighbours of the maximum alone; those where the window is next to
        nothing (:data:`REACH`) are not looked at.

        Args:
            maps (Tensor): Response maps, shape (N, K, h, w).
            iterations (int): Steps from the maximum. Defaults to 3.

        Returns:
            tuple: Coordinates (N, K, 2) in pixels of the map, and the
            maximum of each map (N, K).
        """
        maps = maps.clamp(min=0)
        start, scores = self._peak(maps)
        near, xs, ys = self._around(maps, start, REACH * self.sigma)
        w, h = self.response_size
        limit = maps.new_tensor([w - 1, h - 1])
        scale = -0.5 / self.sigma**2
        place = start
        for _ in range(iterations):
            # The window is separable: two products with a vector a map.
            gx = (scale * (xs - place[..., :1]).square()).exp()  # (N, K, r)
            gy = (scale * (ys - place[..., 1:]).square()).exp()  # (N, K, s)
            rows = (near @ gx[..., None])[..., 0] * gy
            columns = (gy[..., None, :] @ near)[..., 0, :] * gx
            own, variance = self._moments(gx.square(), gy.square(), xs, ys)
            centroid = self._centroid(columns, rows, own, xs, ys)
            place = place + self.sigma**2 * (centroid - own) / variance
            # The maximum is close; noise must not lead far away from it.
            place = torch.maximum(place, start - self.sigma)
            place = torch.minimum(place, start + self.sigma)
            place = torch.minimum(place.clamp(min=0), limit)
        return place, scores

    def peaks(self, maps: Tensor) -> Tensor:
        """Pixels of the maxima of maps (N, K, h, w): (N, K, 2), input pixels.

        Without the sub-pixel part of :meth:`decode_maps`.
        """
        place = self._peak(maps)[0]
        return place * place.new_tensor(self.stride)

    def _peak(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Place (N, K, 2) and height (N, K) of the maximum of each map."""
        # The row first, then the place in it: half the time of looking for
        # an index among all pixels. Of equal ones the first is found.
        scores, y = maps.amax(-1).max(-1)
        at = y[..., None, None].expand(*y.shape, 1, maps.shape[-1])
        x = maps.gather(2, at)[..., 0, :].argmax(-1)
        return torch.stack([x, y], -1).to(maps.dtype), scores

    def _window(self, centre: Tensor, radius: float) -> Tensor:
        """Ones within ``radius`` map pixels of ``centre`` (N, K, 2)."""
        dx, dy = self._offsets(centre * centre.new_tensor(self.stride))
        return (dx.square() + dy.square() <= radius**2).to(centre.dtype)

    def _around(
        self, maps: Tensor, centre: Tensor, reach: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same square cut out of each map, all inside it.

        Args:
            maps (Tensor): Shape (N, K, h, w).
            centre (Tensor): Shape (N, K, 2), whole map pixels.
            reach (float): From the centre to each side, map pixels; a map
                that is smaller is taken whole.

        Returns:
            tuple: The squares (N, K, s, r), and the x (N, K, r) and y
            (N, K, s) of their pixels in the map.
        """
        places, size = [], 2 * math.ceil(reach) + 1
        for axis, full in enumerate(self.response_size):
            length = min(size, full)
            first = (centre[..., axis] - length // 2).clamp(0, full - length)
            steps = torch.arange(length, device=maps.device)
            places.append(first.long()[..., None] + steps)
        xs, ys = places
        index = ys[..., :, None] * maps.shape[-1] + xs[..., None, :]
        near = maps.flatten(2).gather(2, index.flatten(2)).view(index.shape)
        return near, xs.to(maps.dtype), ys.to(maps.dtype)

    @staticmethod
    def _centroid(
        columns: Tensor, rows: Tensor, fallback: Tensor, xs: Tensor, ys: Tensor
    ) -> Tensor:
        """Centre of mass (N, K, 2) from sums by column and by row.

        ``fallback`` (N, K, 2) stands in where there is no mass; ``xs`` and
        ``ys`` are the places of the columns and rows.
        """
        moment = torch.stack([(columns * xs).sum(-1), (rows * ys).sum(-1)], -1)
        mass = columns.sum(-1)[..., None]
        return torch.where(
            mass > 1e-12, moment / mass.clamp(min=1e-12), fallback
        )

    @staticmethod
    def _moments(
        gx: Tensor, gy: Tensor, xs: Tensor, ys: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and variance (N, K, 2) of weights at the places xs and ys."""
        means, variances = [], []
        for weight, at in ((gx, xs), (gy, ys)):
            weight = weight / weight.sum(-1, keepdim=True)
            mean = (weight * at).sum(-1)
            spread = (at - mean[..., None]).square()
            means.append(mean)
            variances.append((weight * spread).sum(-1))
        variance = torch.stack(variances, -1).clamp(min=1e-6)
        return torch.stack(means, -1), variance

    def decode_maps(self, maps: Tensor, kind: str) -> tuple[Tensor, Tensor]:
        """Landmarks in input pixels.

        Args:
            maps (Tensor): Shape (N, K, h, w): probabilities for ``'det'``,
                response maps for ``'reg'``.
            kind (str): ``'det'`` or ``'reg'``.

        Returns:
            tuple: Coordinates (N, K, 2) in input pixels and scores (N, K),
            clipped to [0, 1].
        """
        decode = self.decode_discs if kind == 'det' else self.decode_gaussians
        place, scores = decode(maps.float())
        return place * place.new_tensor(self.stride), scores.clamp(0, 1)

    def spread(self, maps: Tensor, keypoints: Tensor) -> Tensor:
        """How widely the responses lie about the landmarks.

        The standard deviation, in x and y together, of the fourth power of
        a map about its landmark, times two; what is below zero counts as
        nothing. A Gaussian of standard deviation s gives s where nothing of
        it is cut off, a disc of radius r about r, and a map without any
        response what an even one would. The plain map would not do: of a
        small Gaussian on a large map, the noise all around is most of the
        mass.

        Args:
            maps (Tensor): Shape (N, K, h, w), as for :meth:`decode_maps`.
            keypoints (Tensor): Shape (N, K, 2), input pixels.

        Returns:
            Tensor: Shape (N, K), pixels of the map.
        """
        # So little everywhere that a response outweighs it.
        maps = maps.float().clamp(min=1e-6).square().square()
        dx, dy = self._offsets(keypoints)
        columns, rows = maps.sum(-2), maps.sum(-1)  # (N, K, w), (N, K, h)
        moment = (columns * dx[..., 0, :].square()).sum(-1)
        moment = moment + (rows * dy[..., 0].square()).sum(-1)
        return 2 * (0.5 * moment / columns.sum(-1)).sqrt()

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """MMPose's decoding of one frame's regression maps (K, h, w).

        Returns:
            tuple: Coordinates (1, K, 2) and scores (1, K). Coordinates are
            in MMPose's units for UDP: a share of the box times the size of
            the input, which the pose estimator takes back to the image.
        """
        places, scores = self.decode_maps(
            torch.from_numpy(encoded)[None], 'reg'
        )
        return self.to_mmpose(places).numpy(), scores.numpy()

    def to_mmpose(self, keypoints: Tensor) -> Tensor:
        """Input pixels [0, W - 1] to the units of MMPose's UDP codecs."""
        size = keypoints.new_tensor(self.input_size)
        return keypoints / (size - 1) * size


def _channels_behind(factor: Tensor) -> Tensor:
    """(N, K, ...) -> (N, ..., K), laid out so.

    Maps made of such factors lie in memory as the network's output does
    (channels last). Where they do not, neither does the gradient of the
    loss, and a CPU takes several times as long for the last layers.
    """
    return factor.movedim(1, -1).contiguous()
