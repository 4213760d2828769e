# mypy: ignore-errors
"""Clips with exact keypoints out of photos, degraded in bursts.

A clip is a function of time: keypoints in frame coordinates, and the pixels
of any crop of any frame, so that a tracker can be run on it in closed loop.
"""

import json
from pathlib import Path

import cv2
import numpy as np

cv2.setNumThreads(1)

SIDE = 120  # pixels of a face in the cache of photos
SIZE = 128  # pixels of a crop
PADDING = 1.25
KINDS = ('patch', 'shake', 'dark', 'lowres', 'jpeg')
FLIP = np.array(
    [16 - i for i in range(17)]
    + [26 - i for i in range(10)]
    + [27, 28, 29, 30, 35, 34, 33, 32, 31]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54 - i for i in range(7)]
    + [59, 58, 57, 56, 55]
    + [64, 63, 62, 61, 60, 67, 66, 65]
)


def load_photos(root, annotation, cache):
    """[(image (2S, 2S, 3), keypoints (68, 2))] of a converted data set."""
    cache = Path(cache)
    if cache.is_file():
        data = np.load(cache)
        return data['images'], data['keypoints']
    root = Path(root)
    content = json.loads((root / annotation).read_text())
    files = {image['id']: image['file_name'] for image in content['images']}
    images, keypoints = [], []
    for each in content['annotations']:
        k = np.array(each['keypoints'], float).reshape(-1, 3)[:, :2]
        image = cv2.imread(str(root / files[each['image_id']]))
        low, high = k.min(0), k.max(0)
        scale = SIDE / (high - low).max()
        centre = (low + high) / 2
        m = np.array([[scale, 0, 0], [0, scale, 0]])
        m[:, 2] = SIDE - 0.5 - scale * centre
        images.append(
            cv2.warpAffine(
                image,
                m,
                (2 * SIDE, 2 * SIDE),
                flags=cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
        )
        keypoints.append(k @ m[:, :2].T + m[:, 2])
    images, keypoints = np.stack(images), np.stack(keypoints)
    np.savez(cache, images=images, keypoints=keypoints)
    return images, keypoints


def crop_matrix(keypoints, shift=(0.0, 0.0), scale=1.0):
    """Frame -> crop (2, 3): the square round keypoints, padded."""
    low, high = keypoints.min(0), keypoints.max(0)
    side = max((high - low).max(), 8.0) * PADDING * scale
    centre = (low + high) / 2 + np.asarray(shift) * side
    m = np.zeros((2, 3))
    m[0, 0] = m[1, 1] = (SIZE - 1) / side
    m[:, 2] = (SIZE - 1) / 2 - m[0, 0] * centre
    return m


def apply(m, points):
    return points @ m[:, :2].T + m[:, 2]


def compose(a, b):
    """a after b, (2, 3) each."""
    return np.vstack([a, [0, 0, 1]])[:2] @ np.vstack([b, [0, 0, 1]])


def invert(m):
    return np.linalg.inv(np.vstack([m, [0, 0, 1]]))[:2]


class Waves:
    """A smooth random path: a sum of slow waves."""

    def __init__(self, rng, *reach, fastest=1.0):
        shape = (3, len(reach))
        parts = rng.uniform(0, 1, shape)
        self.heights = parts / parts.sum(0) * np.array(reach)
        self.speeds = 2 * np.pi * rng.uniform(0.05, fastest, shape) / 10
        self.phases = rng.uniform(0, 2 * np.pi, shape)

    def __call__(self, t):
        return (self.heights * np.sin(self.speeds * t + self.phases)).sum(0)


class Clip:
    """T frames of a moved, bent and degraded photo.

    Frame coordinates are those of the cached photo, moved.

    Args:
        photo, keypoints: From ``load_photos``.
        others: Photos that occluders are cut from.
        rng: np.random.RandomState.
        frames: T.
        bursts: [(kind, first, last)], or None to draw for training.
    """

    def __init__(
        self, photo, keypoints, others, rng, frames, bursts=None, still=0.1
    ):
        self.seed = rng.randint(2**31)
        self.image, k = photo, keypoints
        if rng.uniform() < 0.5:
            self.image = self.image[:, ::-1]
            k = k[FLIP] * [-1, 1] + [2 * SIDE - 1, 0]
        self.image = np.ascontiguousarray(self.image)
        self.k = k
        self.frames = frames
        speed = np.exp(rng.uniform(np.log(0.1), 0))
        if rng.uniform() < still:
            speed = 0.02
        self.path = Waves(
            rng, *(np.array([0.25, 0.25, 0.2, 0.35]) * speed), fastest=0.7
        )
        self.angle = rng.uniform(-0.4, 0.4)
        # Bends: bumps at keypoints that swell and shrink.
        n = 6
        self.bend_at = k[rng.randint(0, 68, n)]
        self.bend_width = rng.uniform(0.1, 0.3, n) * SIDE
        reach = (
            self.bend_width
            * 0.3
            * rng.uniform(0.2, 1, n)
            * (0 if rng.uniform() < 0.15 else 1)
        )
        self.bend = Waves(rng, *np.repeat(reach, 2), fastest=0.7)
        self.border = (
            cv2.BORDER_CONSTANT if rng.uniform() < 0.3 else cv2.BORDER_REFLECT
        )
        # Pixels of the whole clip.
        self.gain = np.exp(rng.uniform(-0.5, 0.4))
        self.tint = np.exp(rng.normal(0, 0.06, 3)) * self.gain
        self.gray = rng.uniform() < 0.1
        self.noise = rng.uniform(0, 4) if rng.uniform() < 0.7 else 0.0
        self.flicker = rng.uniform(0, 0.25) if rng.uniform() < 0.2 else 0.0
        self.soft = rng.uniform(40, 128) if rng.uniform() < 0.4 else None
        self.bursts = self._drawn(rng) if bursts is None else bursts
        self._occluders(rng, others)
        self.strength = rng.uniform(0, 1, max(len(self.bursts), 1))
        self.jitter = rng.normal(0, 1, (frames + 2, 4))
        grid = np.stack(
            np.meshgrid(
                np.linspace(0, SIZE - 1, 17), np.linspace(0, SIZE - 1, 17)
            ),
            -1,
        )
        self.grid = grid.reshape(-1, 2)

    def _drawn(self, rng):
        bursts = []
        for _ in range(rng.choice([0, 1, 2], p=[0.25, 0.5, 0.25])):
            length = rng.randint(2, 9)
            first = rng.randint(-2, max(self.frames - 2, 1))
            bursts.append(
                (
                    KINDS[rng.choice(5, p=[0.35, 0.25, 0.2, 0.1, 0.1])],
                    first,
                    first + length,
                )
            )
        return bursts

    def _occluders(self, rng, others):
        self.patches = {}
        for number, (kind, _, _) in enumerate(self.bursts):
            if kind != 'patch':
                continue
            size = int(SIDE * rng.uniform(0.25, 0.65))
            source = others[rng.randint(len(others))]
            y, x = rng.randint(0, 2 * SIDE - size, 2)
            texture = source[y : y + size, x : x + size]
            if rng.uniform() < 0.3:
                texture = np.broadcast_to(
                    rng.randint(0, 256, 3).astype(np.uint8), texture.shape
                )
            mask = np.zeros((size, size), np.uint8)
            if rng.uniform() < 0.4:
                cv2.ellipse(
                    mask,
                    (size // 2,) * 2,
                    (size // 2, int(size * rng.uniform(0.25, 0.5))),
                    rng.uniform(0, 180),
                    0,
                    360,
                    255,
                    -1,
                )
            else:
                angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
                radius = size / 2 * rng.uniform(0.5, 1, 7)
                points = (
                    size / 2
                    + np.stack([np.cos(angles), np.sin(angles)], 1)
                    * radius[:, None]
                )
                cv2.fillPoly(mask, [points.astype(np.int32)], 255)
            way = Waves(rng, 0.3 * SIDE, 0.3 * SIDE, 0.8, fastest=0.6)
            start = self.k[rng.randint(0, 68)]
            self.patches[number] = (
                np.ascontiguousarray(texture),
                mask,
                way,
                start,
            )

    def _active(self, t):
        return [
            (n, kind)
            for n, (kind, first, last) in enumerate(self.bursts)
            if first <= t < last
        ]

    def kind(self, t):
        """The kind of degradation of a frame, 'clean', or 'several'."""
        kinds = {kind for _, kind in self._active(t)}
        return (
            'clean'
            if not kinds
            else (kinds.pop() if len(kinds) == 1 else 'several')
        )

    def _camera(self, t):
        """Photo -> frame (2, 3)."""
        x, y, size, angle = self.path(t)
        for n, kind in self._active(t):
            if kind == 'shake':
                j = self.jitter[t] * (0.3 + self.strength[n])
                x, y = x + 0.035 * j[0], y + 0.035 * j[1]
                angle, size = angle + 0.02 * j[2], size + 0.01 * j[3]
        angle, size = angle + self.angle, np.exp(size)
        c, s = size * np.cos(angle), size * np.sin(angle)
        m = np.array([[c, -s, 0], [s, c, 0]])
        m[:, 2] = SIDE + np.array([x, y]) * SIDE - m[:, :2] @ [SIDE, SIDE]
        return m

    def _bent(self, points, t):
        """Backward displacement at photo places (N, 2)."""
        way = self.bend(t).reshape(-1, 2)
        d = points[:, None] - self.bend_at
        near = np.exp(-0.5 * (d**2).sum(-1) / self.bend_width**2)
        return near @ way

    def truth(self, t):
        """Keypoints (68, 2), frame coordinates."""
        q = self.k.copy()
        for _ in range(6):
            q = self.k - self._bent(q, t)
        return apply(self._camera(t), q)

    def render(self, t, crop):
        """A crop (128, 128, 3), uint8, of frame t; crop: frame -> crop."""
        rng = np.random.RandomState((self.seed + 7919 * t) % 2**31)
        back = invert(compose(crop, self._camera(t)))
        grid = apply(back, self.grid)
        grid = grid + self._bent(grid, t)
        maps = _upsampled(grid)
        image = cv2.remap(
            self.image, maps, None, cv2.INTER_LINEAR, borderMode=self.border
        )
        active = self._active(t)
        for n, kind in active:
            if kind == 'patch':
                image = self._patched(image, n, t, crop)
        # Motion blur of the path, shake's on top.
        way = (self.path(t + 0.25) - self.path(t - 0.25))[:2] * SIDE
        way = way * crop[0, 0]
        for n, kind in active:
            if kind == 'shake':
                length = 3 + 11 * self.strength[n] * rng.uniform(0.4, 1)
                a = rng.uniform(0, np.pi)
                way = way + length * np.array([np.cos(a), np.sin(a)])
        image = _blurred(image, way)
        image = self._light(image, active, rng)
        return self._coded(image, active, rng)

    def _patched(self, image, n, t, crop):
        texture, mask, way, start = self.patches[n]
        x, y, angle = way(t)
        size = len(mask)
        c, s = np.cos(angle), np.sin(angle)
        m = np.array([[c, -s, 0], [s, c, 0]])
        m[:, 2] = start + [x, y] - m[:, :2] @ [size / 2, size / 2]
        m = compose(crop, m)
        cover = cv2.warpAffine(mask, m, (SIZE, SIZE))[..., None] / 255
        patch = cv2.warpAffine(
            texture, m, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE
        )
        return (image * (1 - cover) + patch * cover).astype(np.uint8)

    def _light(self, image, active, rng):
        gain, noise = self.tint, self.noise
        if self.flicker:
            gain = gain * np.exp(rng.uniform(-self.flicker, self.flicker))
        for n, kind in active:
            if kind == 'dark':
                s = self.strength[n]
                gain = gain / self.gain * np.exp(-1 - 1.4 * s)
                noise = 4 + 10 * rng.uniform(0.7, 1) * s
        image = image * gain.astype(np.float32)
        if self.gray:
            image = np.repeat(image.mean(-1, keepdims=True), 3, -1)
        if noise:
            values = np.empty(image.shape, np.float32)
            cv2.setRNGSeed(int(rng.randint(2**31)))
            cv2.randn(values, 0, noise)
            image = image + values
        return np.clip(image, 0, 255).astype(np.uint8)

    def _coded(self, image, active, rng):
        small = self.soft
        quality = None
        for n, kind in active:
            if kind == 'lowres':
                small = 20 + 20 * (1 - self.strength[n])
            if kind == 'jpeg':
                quality = int(4 + 14 * (1 - self.strength[n]))
        if small is not None:
            side = int(small)
            image = cv2.resize(
                cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA),
                (SIZE, SIZE),
                interpolation=cv2.INTER_LINEAR,
            )
        if quality is not None:
            _, code = cv2.imencode(
                '.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality]
            )
            image = cv2.imdecode(code, cv2.IMREAD_COLOR)
        return image


def _weights():
    at = np.linspace(0, 16, SIZE)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(17)))


_W = _weights().astype(np.float32)


def _upsampled(grid):
    """(289, 2) at a 17 x 17 grid over the corners -> (128, 128, 2)."""
    g = grid.reshape(17, 17, 2).astype(np.float32)
    x = _W @ g[..., 0] @ _W.T
    y = _W @ g[..., 1] @ _W.T
    return np.stack([x, y], -1)


def _blurred(image, way):
    length = float(np.hypot(*way))
    if length < 1:
        return image
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1,) * 2, np.float32)
    ends = [
        np.round((half + s * way) * 16).astype(int).tolist()
        for s in (-0.5, 0.5)
    ]
    cv2.line(kernel, ends[0], ends[1], [1.0], 1, cv2.LINE_AA, 4)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def hard_bursts(rng, frames):
    """Bursts of 5 to 30 frames with rest of 8 to 20 between them."""
    bursts, t = [], rng.randint(8, 20)
    order = []
    while t < frames - 5:
        if not order:
            order = list(rng.permutation(KINDS))
        length = rng.randint(5, 31)
        bursts.append((order.pop(), t, t + length))
        t += length + rng.randint(8, 21)
    return bursts
