"""Degradation of video in time: bursts of what makes faces hard to follow.

A plan says what happens in each frame; it depends on the numbers drawn and
on the frame's number alone, so it can be made anew in any process. Lengths
are shares of the face crop's side (the square round the keypoints, enlarged
by 1.25).
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Optional

import cv2
import numpy as np

from rednet_mm.errors import UserError

from .occluders import SHAPES, PhotoPatches, paste, sprite

# Frames of a burst, and of the rest between two of them.
BURST = REST = (5, 30)

# Share of bursts in which two kinds come together.
PAIRED = 0.3

# Points of the camera's path while the shutter is open; the middle one is
# the time of the frame.
_EXPOSURE = 9

Plan = list[dict[str, Any]]


def degradation_plan(
    n_frames: int,
    rng: np.random.Generator,
    kinds: Optional[Sequence[str]] = None,
    burst: tuple[int, int] = BURST,
    rest: tuple[int, int] = REST,
    paired: float = PAIRED,
    strength: float = 1.0,
) -> Plan:
    """What happens in each frame of a video.

    The plan of a longer video begins with that of a shorter one.

    Args:
        n_frames (int): Frames.
        rng (np.random.Generator): Where the numbers come from.
        kinds (Sequence[str], optional): Of ``KINDS``. Defaults to all.
        burst (tuple[int, int]): Fewest and most frames of a burst. Defaults
            to 5 to 30.
        rest (tuple[int, int]): Of a rest; the first one may be shorter.
            Defaults to 5 to 30.
        paired (float): Share of bursts of two kinds. Defaults to 0.3.
        strength (float): Of all kinds, about 1. Defaults to 1.0.

    Returns:
        list[dict]: For each frame the parameters of each kind that is on,
        as :func:`degrade` takes them; empty in a rest.

    Raises:
        UserError: for a kind that does not exist, or lengths below one.
    """
    kinds = tuple(KINDS if kinds is None else kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(
                f'there is no degradation {kind!r}; there are '
                + ', '.join(KINDS)
            )
    if not kinds or min(*burst, paired) < 0 or burst[0] < 1 or rest[0] < 0:
        raise UserError(
            'degradation in time needs at least one kind, bursts of at '
            'least 1 frame and rests of at least 0'
        )
    frames = _frames(rng, kinds, burst, rest, paired, strength)
    return list(islice(frames, n_frames))


def _frames(
    rng: Any,
    kinds: tuple[str, ...],
    burst: tuple[int, int],
    rest: tuple[int, int],
    paired: float,
    strength: float,
) -> Iterator[dict[str, Any]]:
    pause = int(rng.integers(0, rest[1] + 1))
    while True:
        yield from ({} for _ in range(pause))
        length = int(rng.integers(burst[0], burst[1] + 1))
        number = 1 + int(len(kinds) > 1 and rng.uniform() < paired)
        chosen = rng.choice(len(kinds), number, replace=False)
        parts = {
            kinds[place]: KINDS[kinds[place]](length, rng, strength)
            for place in sorted(chosen)
        }
        for frame in range(length):
            yield {kind: part[frame] for kind, part in parts.items()}
        pause = int(rng.integers(rest[0], rest[1] + 1))


def _occluder(length: int, rng: Any, strength: float) -> Plan:
    """Something comes from a side, stays before the face and leaves."""
    constant = dict(
        shape=SHAPES[int(rng.integers(len(SHAPES)))],
        seed=int(rng.integers(2**31)),
        size=rng.uniform(0.35, 0.65) * strength,
    )
    from_, to = rng.uniform(0, 2 * np.pi, 2)
    far = [1.0 * np.array([np.cos(a), np.sin(a)]) for a in (from_, to)]
    place = rng.uniform(-0.25, 0.25, (2, 2))
    turn, spin = rng.uniform(-60, 60), rng.uniform(-30, 30)
    knots = np.array([far[0], place[0], place[1], far[1]])
    # It is there for most of the burst.
    times = np.array([-0.15, 0.15, 0.85, 1.15]) * max(length - 1, 1)
    found = []
    for frame in range(length):
        at = [np.interp(frame, times, knots[:, axis]) for axis in (0, 1)]
        angle = turn + spin * frame / length
        found.append(dict(constant, position=np.array(at), angle=angle))
    return found


def _shake(length: int, rng: Any, strength: float) -> Plan:
    """The camera trembles: the picture moves, and is blurred on its way."""
    reach = rng.uniform(0.04, 0.14) * strength
    # Cycles a frame: 2 to 9 Hz at 25 frames a second.
    speeds = 2 * np.pi * rng.uniform(0.08, 0.36, (3, 2))
    phases = rng.uniform(0, 2 * np.pi, (3, 2))
    shares = rng.uniform(0.3, 1, (3, 2))
    shares *= reach / shares.sum(0)
    exposure = rng.uniform(0.4, 1.0)
    offsets = exposure * np.linspace(-0.5, 0.5, _EXPOSURE)

    def path(times: np.ndarray) -> np.ndarray:
        """Where the picture is, (N, 2); it starts and ends at rest."""
        waves = np.sin(times[:, None, None] * speeds + phases)
        ramp = np.clip(np.minimum(times + 1, length - times) / 3, 0, 1)
        return (shares * waves).sum(1) * ramp[:, None]

    return [dict(path=path(frame + offsets)) for frame in range(length)]


def _dark(length: int, rng: Any, strength: float) -> Plan:
    """Little light, and the noise of a sensor that is turned up."""
    gain = rng.uniform(0.08, 0.35) ** strength
    shot, read = rng.uniform(0.3, 1.2), rng.uniform(1, 6)
    ramp = int(rng.integers(1, 4))
    found = []
    for frame in range(length):
        share = min(1.0, (frame + 1) / ramp, (length - frame) / ramp)
        found.append(
            dict(
                gain=gain**share,
                shot=shot * strength,
                read=read * strength,
                seed=int(rng.integers(2**31)),
            )
        )
    return found


def _compression(length: int, rng: Any, strength: float) -> Plan:
    quality = rng.uniform(5, 20) / strength
    wobble = rng.uniform(-2, 2, length)
    return [
        dict(quality=int(np.clip(quality + each, 1, 95))) for each in wobble
    ]


def _low_resolution(length: int, rng: Any, strength: float) -> Plan:
    """Pixels that are left along the crop's side."""
    return [dict(pixels=float(rng.uniform(18, 40) / strength))] * length


def _flicker(length: int, rng: Any, strength: float) -> Plan:
    """Lamps that flicker: brightness and tint jump from frame to frame."""
    speed, phase = rng.uniform(0.2, 0.5), rng.uniform(0, 1)
    depth = rng.uniform(0.15, 0.45) * strength
    found = []
    for frame in range(length):
        wave = np.sin(2 * np.pi * (speed * frame + phase))
        gain = np.exp(depth * (wave + rng.normal(0, 0.4)))
        tint = np.exp(rng.normal(0, 0.06 * strength, 3))
        found.append(dict(gain=gain * tint))
    return found


# By name: what makes the frames of a burst. In the order of the light's way
# from the scene through the lens to the sensor and the file.
KINDS = {
    'occluder': _occluder,
    'shake': _shake,
    'flicker': _flicker,
    'dark': _dark,
    'low_resolution': _low_resolution,
    'compression': _compression,
}


def degrade(
    image: np.ndarray,
    params: dict[str, Any],
    center: Optional[np.ndarray] = None,
    side: Optional[float] = None,
    patches: Optional[PhotoPatches] = None,
) -> np.ndarray:
    """An image as it would look in a degraded video.

    Under camera shake the picture moves: see :func:`displacement`.

    Args:
        image (np.ndarray): (H, W, 3), BGR, uint8; it stays as it is.
        params (dict): Of a frame, from :func:`degradation_plan`.
        center (np.ndarray, optional): Of the face's crop, (2,), pixels.
            Defaults to None: the image is the crop.
        side (float, optional): Of the face's crop, pixels. Defaults to
            None, likewise.
        patches (PhotoPatches, optional): Textures of occluders.

    Returns:
        np.ndarray: (H, W, 3), BGR, uint8.
    """
    height, width = image.shape[:2]
    if center is None:
        center = np.array([width - 1, height - 1]) / 2
    if side is None:
        side = float(max(width, height))
    if 'occluder' in params:
        part = params['occluder']
        image = paste(
            image,
            _drawn(part['shape'], part['seed'], patches),
            center + part['position'] * side,
            part['size'] * side,
            part['angle'],
        )
    if 'shake' in params:
        image = _smeared(image, params['shake']['path'] * side)
    if 'flicker' in params:
        gain = params['flicker']['gain']
        image = _rounded(image * gain.astype(np.float32))
    if 'dark' in params:
        image = _darkened(image, **params['dark'])
    if 'low_resolution' in params:
        share = min(1.0, params['low_resolution']['pixels'] / side)
        size = (max(2, round(width * share)), max(2, round(height * share)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = cv2.resize(
            small, (width, height), interpolation=cv2.INTER_LINEAR
        )
    if 'compression' in params:
        quality = params['compression']['quality']
        _, file = cv2.imencode(
            '.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality]
        )
        image = cv2.imdecode(file, cv2.IMREAD_COLOR)
    return image


def displacement(params: dict[str, Any], side: float) -> np.ndarray:
    """How far the picture, and keypoints with it, moves in a frame.

    Keypoints are those at the middle of the exposure, so blur itself moves
    none.

    Args:
        params (dict): Of a frame, from :func:`degradation_plan`.
        side (float): Of the face's crop, pixels.

    Returns:
        np.ndarray: (2,), pixels; zeros but under camera shake.
    """
    if 'shake' not in params:
        return np.zeros(2)
    return params['shake']['path'][_EXPOSURE // 2] * side


@lru_cache(16)
def _drawn(
    shape: str, seed: int, patches: Optional[PhotoPatches]
) -> np.ndarray:
    return sprite(shape, seed, patches)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _smeared(image: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Move an image along a path (N, 2) in pixels while it is exposed."""
    middle = path[len(path) // 2]
    matrix = np.array([[1, 0, middle[0]], [0, 1, middle[1]]])
    if np.abs(middle).max() > 1e-6:
        image = cv2.warpAffine(
            image,
            matrix,
            image.shape[1::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    way = path - middle
    reach = int(np.ceil(np.abs(way).max())) + 1
    # filter2D correlates: a point that goes right is seen to the right.
    ends = reach - way
    kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
    for start, end in zip(ends, ends[1:]):
        for share in np.linspace(0, 1, 8, endpoint=False):
            x, y = start + share * (end - start)
            _splat(kernel, x, y)
    return cv2.filter2D(
        image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE
    )


def _splat(kernel: np.ndarray, x: float, y: float) -> None:
    """Add one at a sub-pixel place, shared out among four pixels."""
    left, top = int(x), int(y)
    dx, dy = x - left, y - top
    kernel[top : top + 2, left : left + 2] += np.outer(
        [1 - dy, dy], [1 - dx, dx]
    )


def _darkened(
    image: np.ndarray, gain: float, shot: float, read: float, seed: int
) -> np.ndarray:
    """Less light, shot noise (grows with its root) and read noise."""
    light = image.astype(np.float32) * np.float32(gain)
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(image.shape, np.float32)
    return _rounded(light + noise * np.sqrt(shot**2 * light + read**2))
