"""Draws a tiny synthetic data set in the folder layout of 300-VW.

Every video shows a 3D head (x right, y down, z to the camera, in half face
widths) bent by subject and mood; the image follows its projected keypoints.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from tqdm import tqdm

if __name__ == '__main__':
    # Python's path has the script's folder, not the one above it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_converters.errors import DataError, main_guard
from data_converters.pts import write_pts

Array: TypeAlias = np.ndarray
TITLE = 'SYNTHETIC drawings in the layout of 300-VW'
README = """{}
Not photographs and not 300-VW: a program drew every frame and every mark. Good
only for checking that the software runs; its scores say nothing of real faces.

command: python data_converters/make_tiny_300vw.py DST {}
"""
OPTIONS = {'videos': (12, range(1, 1000)), 'frames': (40, range(1, 10**6))}
OPTIONS |= {'size': (192, range(64, 1025, 2)), 'seed': (0, range(2**32))}
PIVOT = np.array([0.0, 0.4, -0.45])  # the head turns about this point
# The head: keypoints 0-67, then what is painted but not marked.
HAIRLINE, EARS = slice(68, 77), (slice(77, 82), slice(82, 87))
WINGS, NECK = ([31, 87, 88], [35, 90, 91]), [89, 92]
EYES = (slice(36, 42), slice(42, 48))
# The half at the image left with the middle, its mirror, its x y z (in 0.01).
HALF = [*range(9), *range(17, 22), *range(27, 34), *range(36, 42)]
HALF += [*range(48, 52), 57, 58, 59, 60, 61, 62, 66, 67]
HALF += [*range(68, 73), *range(77, 82), 87, 88, 89]
MIRROR = [*range(16, 7, -1), *range(26, 21, -1), 27, 28, 29, 30, 35, 34, 33]
MIRROR += [45, 44, 43, 42, 47, 46, 54, 53, 52, 51, 57, 56, 55, 64, 63, 62]
MIRROR += [66, 65, *range(76, 71, -1), *range(82, 87), 90, 91, 92]
XYZ = """-100 2 -44 -98 28 -44 -95 54 -43 -88 80 -40 -76 104 -33 -60 125 -22
-42 141 -9 -21 152 4 0 155 10 -79 -27 -18 -66 -38 -6 -49 -41 4 -32 -38 11 -16
-31 14 0 -5 16 0 14 29 0 33 43 0 52 54 -20 63 22 -10 68 31 0 71 35 -62 3 -12
-51 -6 -3 -36 -7 0 -24 4 -1 -36 9 0 -50 9 -3 -38 100 7 -23 94 21 -9 90 29 0 92
30 0 120 26 -11 118 25 -24 112 19 -33 101 9 -12 99 24 0 100 26 0 103 25 -12 103
23 -99 -22 -42 -94 -46 -36 -80 -70 -24 -45 -88 -10 0 -92 -5 -97 -12 -62 -108
-18 -80 -113 3 -86 -109 26 -80 -97 44 -62 -22 57 24 -15 47 32 -55 95 -75"""
# How persons differ: points, axis (2 is depth) and largest relative change.
BENDS = [(np.r_[17:27, 36:48], 0, 0.07), (np.r_[36:48], 1, 0.2)]
BENDS += [(np.r_[27:36], 1, 0.09), (np.r_[27:36], 2, 0.15)]
BENDS += [(np.r_[31:36], 0, 0.18), (np.r_[48:68], 0, 0.14)]
BENDS += [(np.r_[17:27], 1, 0.13), (np.r_[68:77], 1, 0.09)]
BENDS += [(np.r_[:93], 0, 0.07), (np.r_[:93], 1, 0.07), (np.r_[:93], 2, 0.1)]
SKINS = np.array([[48, 70, 112], [170, 195, 232]])  # BGR and all between
GREYER = np.full((3, 3), 0.25) + np.eye(3) * 0.25  # mixes colours
HAIRS = [[25, 28, 32], [35, 50, 75], [90, 140, 185], [40, 70, 140], [145] * 3]
# Things that cross a face: strokes from x, y to x, y and their width.
HAND: list[Any] = [(k * 0.12, 0, k * 0.15, -0.9, 0.22) for k in (-3, -1, 1, 3)]
HAND += [(0, 0.1, 0, 0.3, 0.95), (0, 0.3, 0, 4, 0.6), (0.2, 0.4, 0.7, 0, 0.2)]
COVERS: Any = [[], [], [], HAND, [(0, 0, 0, 0, 1.3)], [(0, -1, 0.3, 4, 0.6)]]
CIRCLE = np.array([(math.cos(k / 4), math.sin(k / 4)) for k in range(25)])


def mean_head() -> Array:
    """Returns all points of the mean head at rest, (93, 3)."""
    head, half = np.zeros((93, 3)), np.array(XYZ.split(), float) / 100
    head[HALF] = half.reshape(-1, 3)
    head[MIRROR] = head[HALF] * (-1, 1, 1)
    return head


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Returns a 3x3 rotation from degrees: nose right, down, clockwise."""
    angles = np.radians([(0, 0, roll), (-pitch, 0, 0), (0, yaw, 0)])
    tilt, nod, turn = (cv2.Rodrigues(angle)[0] for angle in angles)
    return tilt @ nod @ turn


def project(points: Any, turn: Array, scale: float, centre: Any) -> Array:
    """Projects head-space points to pixels (weak perspective)."""
    return (points - PIVOT) @ turn[:2].T * scale + np.asarray(centre)


def express(head: Array, *mood: float) -> Array:
    """Moves a head by mouth open, smile, brows up and blink, each 0 to 1."""
    mouth, smile, brow, blink = mood
    out, drop, wide = head.copy(), np.zeros(len(head)), np.zeros(len(head))
    drop[3:14] = np.sin(np.linspace(0.25, math.pi - 0.25, 11)) ** 0.7
    drop[[55, 56, 57, 58, 59, 65, 66, 67]] = 1.0
    drop[[48, 54, 60, 64]], wide[[48, 54, 60, 64]] = 0.42, 1.0
    drop[[50, 51, 52, 61, 62, 63]], wide[[49, 53, 55, 59]] = -0.1, 0.5
    out[:, 0] += wide * np.sign(head[:, 0]) * (0.10 * smile - 0.05 * mouth)
    out[:, 1] += 0.27 * mouth * drop - 0.09 * smile * wide
    out[:, 2] -= 0.08 * mouth * drop + 0.05 * smile * wide
    out[17:27, 1] -= brow * 0.14
    gap = out[[41, 40, 47, 46]] - out[[37, 38, 43, 44]]
    out[[37, 38, 43, 44]] += gap * 0.82 * blink
    out[[41, 40, 47, 46]] -= gap * 0.10 * blink
    return out


def _noise(rng: Generator, size: int, cells: tuple, channels: int) -> Array:
    """Returns smooth noise in about -1 to 1, (size, size, channels)."""
    total = np.zeros((size, size, channels))
    for level, n in enumerate(cells):
        dots = rng.uniform(-1, 1, (n, n, channels)) * 0.6**level
        blur = cv2.resize(dots, (size, size), interpolation=cv2.INTER_CUBIC)
        total += blur.reshape(total.shape)
    return total


def _bytes(image: Array) -> Array:
    return np.clip(image, 0, 255).astype(np.uint8)


def _tone(colour: Any, factor: float = 1.0) -> tuple:
    return tuple(float(np.clip(c * factor, 0, 255)) for c in colour)


def make_subject(seed: int, number: int) -> SimpleNamespace:
    """Draws the looks of one person: head, colours and textures."""
    rng = np.random.default_rng([seed, 1, number])
    who = SimpleNamespace(head=mean_head())
    for part, axis, most in BENDS:
        who.head[part, axis] *= 1 + rng.uniform(-most, most)
    low = np.clip((who.head[:17, 1] - 0.3) / 1.2, 0, 1)  # the jaw
    who.head[:17, 0] *= 1 + rng.uniform(-0.31, 0.31) * low * (1.3 - low)
    who.skin = _tone(SKINS[0] + (SKINS[1] - SKINS[0]) * rng.random())
    who.hair = _tone(HAIRS[number % 5], rng.uniform(0.8, 1.2))
    who.iris = rng.uniform((30, 60, 60), (150, 100, 75))
    lips = np.multiply(who.skin, (0.66, 0.62, 0.9)) + rng.uniform(-12, 12, 3)
    who.lips, who.brow = _tone(lips), rng.uniform(0.04, 0.08)
    who.beard = max(rng.uniform(-0.8, 0.8), 0)
    # Textures of the plane of the face, 80 pixels a unit.
    skin = 1 + 0.035 * _noise(rng, 256, (6, 24, 128), 1)
    who.skin_map = _bytes(skin * who.skin)
    for at in rng.integers((80, 60), (176, 220), (rng.integers(1, 5), 2)):
        cv2.circle(who.skin_map, at.tolist(), 2, _tone(who.skin, 0.5), -1)
    hair = cv2.resize(rng.uniform(-1, 1, (12, 90)), (256, 256))[..., None]
    who.hair_map = _bytes(who.hair * (1 + 0.3 * hair) + 10 * (hair + 1))
    return who


def _motion(rng: Generator, frames: int) -> dict[str, Array]:
    """Draws smooth paths of pose and expression, one value a frame."""
    swing, size = rng.uniform(18, 35), rng.uniform(0.45, 0.54)
    ends = {'yaw': (-swing, swing), 'pitch': (-13, 13), 'roll': (-13, 13)}
    ends |= {'x': (0.43, 0.57), 'y': (0.45, 0.53), 'size': (size, size + 0.06)}
    ends |= {'mouth': (-0.5, 1), 'smile': (-0.3, 1), 'brow': (-0.5, 1)}
    ends |= {'look_x': (-1, 1), 'look_y': (-1, 1), 'light': (-1, 1)}
    path, time = {}, np.arange(frames)
    for key, (low, high) in ends.items():
        pace, phase = rng.uniform((0.1, 0.2), (0.2, 0.4)), rng.uniform(0, 7, 2)
        wave = np.sin(np.outer(time, pace) + phase) @ (0.72, 0.28)
        path[key] = low + (high - low) * (wave + 1) / 2
    tide = np.sin(time * rng.uniform(0.17, 0.35) + rng.uniform(0, 7))
    path['blink'] = tide.clip(0) ** 14
    return path


def _fix(points: Any) -> Any:
    return [np.round(np.asarray(points) * 16).astype(np.int32)]


def _fill(img: Any, points: Any, colour: Any) -> None:
    cv2.fillPoly(img, _fix(points), colour, cv2.LINE_AA, 4)


def _line(img: Any, points: Any, colour: Any, width: float) -> None:
    w = max(1, round(width))
    cv2.polylines(img, _fix(points), False, colour, w, cv2.LINE_AA, 4)


def _stencil(img: Any, layer: Any, *outlines: Any) -> None:
    mask: Any = np.zeros(img.shape[:2], np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, _fix(outline), (255,), cv2.LINE_8, 4)
    cv2.copyTo(layer, mask, img)


def _curve(points: Array, steps: int = 5) -> Array:
    """Returns a smooth open curve through the points (Catmull-Rom)."""
    p = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    cubic = 2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)
    out = b + 0.5 * t * (c - a + t * cubic)
    return np.concatenate([*out.swapaxes(0, 1), points[-1:]])


class Painter:
    """Paints one video of one subject at twice the final size."""

    def __init__(self, seed: int, video: int, who: Any, *sizes: int) -> None:
        self.rng = rng = np.random.default_rng([seed, 0, video])
        (frames, size), self.who = sizes, who
        self.size, self.path = size, _motion(rng, frames)
        ground = _noise(rng, 2 * size + 96, (3, 9, 40), 3) @ GREYER * 50
        self.ground = _bytes(ground + 120 + rng.uniform(-90, 90, 3) @ GREYER)
        self.light = np.array([rng.uniform(-0.5, 0.5), -0.21, 0.46])
        self.flicker, self.grain = rng.choice([0, 0.2]), rng.uniform(1, 4)
        self.shirt, paint = rng.uniform(20, 230, (2, 3))
        self.cover = COVERS[rng.integers(6)]
        self.paint_of = who.skin if self.cover is HAND else paint
        side, self.pace = rng.choice([-1, 1]), math.pi / rng.uniform(24, 40)
        self.start = np.array([1 - 1.4 * side, rng.uniform(0.8, 1.3)]) * size
        self.reach = rng.uniform((0.9, -0.3), (1.6, 0.3)) * (side * size, size)

    def place(self, i: int) -> Array:
        """Sets the pose of frame i; returns the keypoints, (68, 2) pixels."""
        self.at = {key: float(value[i]) for key, value in self.path.items()}
        moods = (self.at[k] for k in ('mouth', 'smile', 'brow', 'blink'))
        self.turn = rotation(*(self.at[k] for k in ('yaw', 'pitch', 'roll')))
        scale, edge = self.at['size'] * self.size / 2, 0.03 * self.size
        centre = np.array([self.at['x'], self.at['y']]) * self.size
        head = express(self.who.head, *(max(mood, 0) for mood in moods))
        points = project(head, self.turn, scale, centre)
        low, high = points[:68].min(0), points[:68].max(0)
        push = (edge - low).clip(0) - (high - self.size + 1 + edge).clip(0)
        # Centres of pixels and lengths at twice the size.
        self.unit, self.down = 2 * scale, 2 * scale * self.turn[:2, 1]
        self.centre, self.p = (2 * (q + push) + 0.5 for q in (centre, points))
        return points[:68] + push

    def paint(self, i: int) -> Array:
        """Paints the frame set by `place`, (size, size, 3) uint8."""
        size, u = self.size, 0.32 * self.size
        x, y = (48 + 40 * np.sin((i / 25, i / 32))).astype(int)
        img = self.ground[y:, x:][: 2 * size, : 2 * size].copy()
        for paint in (self._body, self._skin, self._mouth, self._eyes):
            paint(img)
        at = self.start + self.reach * math.sin(self.pace * (i + 0.5)) ** 2
        for wider, tone in ((0.05, 0.6), (0.0, 1.0)):
            for *ends, width in self.cover:
                stroke = at + np.reshape(ends, (2, 2)) * u
                colour = _tone(self.paint_of, tone)
                _line(img, stroke, colour, (width + wider) * u)
        img = cv2.resize(img, (size, size), interpolation=cv2.INTER_AREA)
        noise = self.rng.standard_normal(img.shape, np.float32) * self.grain
        return _bytes(img * (1 + self.flicker * self.at['light']) + noise)

    def _spot(self, *point: float) -> Array:
        return project(np.array(point), self.turn, self.unit, self.centre)

    def _ring(self, at: Array, wide: float, high: float) -> Array:
        return at + CIRCLE * (wide, high) @ self.turn[:2, :2].T * self.unit

    def _warp(self, texture: Array) -> Any:
        plane = [self.turn[:2, :2] * self.unit / 80, self._spot(-1.6, -1.2, 0)]
        matrix, side = np.column_stack(plane), (2 * self.size,) * 2
        return cv2.warpAffine(texture, matrix, side, None, 0, 2)  # mirrored

    def _body(self, img: Array) -> None:
        u, neck = self.unit, _tone(self.who.skin, 0.62)
        chest = self.centre * (0.6, 1) + (0.4 * self.size, 2.75 * u)
        base = chest + np.array([(0.6, -1), (-0.6, -1)]) * u
        _fill(img, [*self.p[NECK], *base], neck)
        _fill(img, chest + CIRCLE * (2.1 * u, 1.3 * u), _tone(self.shirt))
        _fill(img, chest + (CIRCLE * (0.5, 0.3) - (0, 1.22)) * u, neck)
        # The hair: the outline of a turned ellipsoid.
        radii = self.turn[:2] * (1.07 * u, 1.12 * u, 1.08 * u)
        skull = CIRCLE @ np.linalg.cholesky(radii @ radii.T).T
        skull += self._spot(0, -0.12, -0.62)
        _stencil(img, self._warp(self.who.hair_map), skull)

    def _shade(self) -> Array:
        """Returns the light on the face, 128 is neutral, at full size."""
        n, p, u = self.size // 2, (self.p + 0.5) / 4 - 0.5, self.unit / 4
        middle = (p[8] + p[72])[::-1, None, None] / 2
        y, x = (np.mgrid[:n, :n] - middle) / u / [[[1.5]], [[1.25]]]
        ball = np.stack([x, y, np.sqrt(np.maximum(1 - x * x - y * y, 0))], 2)
        facing = (0.65 * ball + 0.35 * self.turn[:, 2]) @ self.light
        relief: Any = np.full((n, n), 128, np.uint8)
        for eye in EYES:
            _fill(relief, p[eye].mean(0) + CIRCLE * 0.22 * u, 104)
        _fill(relief, p[[27, 30, 31 if self.light[0] > 0 else 35]], 96)
        _fill(relief, p[[31, 32, 33, 34, 35, 33]] + (0, 0.06 * u), 90)
        _line(relief, p[27:31], 170, 0.06 * u)
        relief = cv2.GaussianBlur(relief, (0, 0), 0.05 * u)
        light = _bytes((0.47 + facing.clip(0)) * relief)
        return cv2.resize(light, (2 * self.size,) * 2)

    def _skin(self, img: Array) -> None:
        p, u, who, jaw = self.p, self.unit, self.who, _curve(self.p[:17])
        light = cv2.cvtColor(self._shade(), cv2.COLOR_GRAY2BGR)
        skin = cv2.multiply(self._warp(who.skin_map), light, scale=1 / 128)
        sides = [[*p[:5], *p[EARS[0]]], [*p[12:17], *p[EARS[1]]]]
        hulls = [cv2.convexHull(_fix(s)[0]) / 16 for s in sides]
        _stencil(img, cv2.convertScaleAbs(skin, alpha=0.8), *hulls)
        if who.beard:
            mask: Any = np.zeros(img.shape[:2], np.float32)
            _fill(mask, [*jaw[10:-10], *p[[54, 35, 33, 31, 48]]], who.beard)
            mask = cv2.GaussianBlur(mask, (0, 0), 0.05 * u)
            hair = self._warp(who.hair_map)
            skin = cv2.blendLinear(hair, skin, mask, 1 - mask)
        _stencil(img, skin, [*jaw, *_curve(p[HAIRLINE])[::-1]])
        _line(img, jaw, _tone(who.skin, 0.5), 0.025 * u)
        for wing, a, b in zip(WINGS, (31, 35), (32, 34)):
            _line(img, _curve(p[wing]), _tone(who.skin, 0.62), 0.03 * u)
            hole = 0.35 * p[a] + 0.65 * p[b] - 0.035 * self.down
            _fill(img, self._ring(hole, 0.06, 0.032), _tone(who.skin, 0.25))
        _line(img, _curve(p[31:36]), _tone(who.skin, 0.5), 0.035 * u)

    def _mouth(self, img: Array) -> None:
        p, u, lips = self.p, self.unit, self.who.lips
        top, low = _curve(p[48:55]), _curve(p[[54, 55, 56, 57, 58, 59, 48]])
        inner, floor = _curve(p[60:65]), _curve(p[[64, 65, 66, 67, 60]])
        _fill(img, [*top, *low], lips)
        _fill(img, [*top, *inner[::-1]], _tone(lips, 0.82))
        layer = img.copy()
        _fill(layer, [*inner, *floor], (38, 22, 60))
        teeth = [*inner, *inner[::-1] + 0.09 * self.down]
        _fill(layer, teeth, (225, 232, 236))
        _line(layer, floor, (85, 75, 165), 0.12 * u)
        _stencil(img, layer, [*inner, *floor])
        _line(img, inner, _tone(lips, 0.45), 0.022 * u)

    def _eyes(self, img: Array) -> None:
        p, u, who, dark = self.p, self.unit, self.who, (26, 22, 24)
        look = self.at['look_x'] * 0.06, self.at['look_y'] * 0.02
        iris = [(0.115, _tone(who.iris, 0.6)), (0.095, who.iris), (0.05, dark)]
        for eye in (p[part] for part in EYES):
            top, low = _curve(eye[:4]), _curve(eye[[3, 4, 5, 0]])
            middle = (eye[0] + eye[3]) / 2 + self.turn[:2, :2] @ look * u
            layer = img.copy()
            _fill(layer, [*top, *low], (222, 226, 230))
            for radius, colour in iris:
                _fill(layer, self._ring(middle, radius, radius), colour)
            _line(layer, [middle - 0.035 * u] * 2, (255,) * 3, 0.045 * u)
            _stencil(img, layer, [*top, *low])
            _line(img, low, _tone(who.skin, 0.55), 0.02 * u)
            _line(img, top, dark, 0.045 * u)
        for line in (_curve(p[17:22]), _curve(p[26:21:-1])):
            half = np.interp(range(21), (0, 6, 20), (0.25, 1, 0.85)) * who.brow
            width = half[:, None] * self.down
            _fill(img, [*line - width, *(line + width)[::-1]], who.hair)


def plan(videos: int) -> list[tuple[str, str, str]]:
    """Returns (video, subject, split) rows; a subject has one split."""
    held = 0 if videos < 2 else max(1, videos // 4)
    train, people = videos - held, math.ceil(2 * (videos - held) / 3)
    who = [k % people for k in range(train)]
    who += [people + k % math.ceil(2 * held / 3) for k in range(held)]
    rows = zip(range(1, videos + 1), who, ['train'] * train + ['val'] * held)
    return [(f'{k:03d}', f's{n + 1:02d}', split) for k, n, split in rows]


def _readme(wish: dict[str, int]) -> str:
    options = (f'--{key} {value}' for key, value in wish.items())
    return README.format(TITLE, ' '.join(options))


def is_complete(dst: Path, wish: dict[str, int]) -> bool:
    """Tells whether dst holds the whole set of these options."""
    note, n = dst / 'README.txt', wish['videos']
    if not note.is_file() or note.read_text('utf-8') != _readme(wish):
        return False
    files = [*dst.glob('*/vid.avi'), *dst.glob('subjects.csv')]
    marks = list(dst.glob('*/annot/*.pts'))
    return len(files) == n + 1 and len(marks) == n * wish['frames']


def make(
    dst: Path, *, videos: int, frames: int, size: int, seed: int
) -> list[Path]:
    """Draws the set,

    Complete or not at all; returns the folders of its videos.

    Args:
        dst: Folder to make; a complete set of the same options is kept.
        videos: Number of videos.
        frames: Frames in each video.
        size: Side of the square frames in pixels.
        seed: Same seed, same drawings.

    Raises:
        DataError: An option is out of range or `dst` holds something else.
    """
    wish = {'videos': videos, 'frames': frames, 'size': size, 'seed': seed}
    dst, rows = Path(dst).resolve(), plan(videos)
    if not is_complete(dst, wish):
        part = _fresh_part(dst, wish)
        try:
            (part / 'README.txt').write_text(_readme(wish), 'utf-8')
            _draw(part, rows, frames, size, seed)
            if dst.exists():
                dst.rmdir()  # empty
            part.rename(dst)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return [dst / name for name, _, _ in rows]


def _fresh_part(dst: Path, wish: dict[str, int]) -> Path:
    for key, (_, limits) in OPTIONS.items():
        if wish[key] not in limits:
            raise DataError(f'--{key} {wish[key]}: is not in {limits}')
    if dst.exists() and (not dst.is_dir() or any(dst.iterdir())):
        raise DataError(f'{dst}: holds something else; choose another folder')
    part = dst.with_name(dst.name + '.part')
    note = part / 'README.txt'
    if note.is_file() and note.read_text('utf-8').startswith(TITLE):
        shutil.rmtree(part)  # left by a killed run
    part.mkdir(parents=True)
    return part


def _draw(part: Path, rows: list, frames: int, size: int, seed: int) -> None:
    for name, subject, _ in tqdm(rows, desc='drawing', unit='video'):
        who, folder = make_subject(seed, int(subject[1:])), part / name
        painter = Painter(seed, int(name), who, frames, size)
        (folder / 'annot').mkdir(parents=True)
        video, code = str(folder / 'vid.avi'), cv2.VideoWriter.fourcc(*'MJPG')
        writer = cv2.VideoWriter(video, code, 25.0, (size, size))
        if not writer.isOpened():
            raise DataError(f'{video}: cannot be written; has OpenCV MJPG?')
        for i in range(frames):
            marks = painter.place(i)
            writer.write(painter.paint(i))
            write_pts(folder / 'annot' / f'{i + 1:06d}.pts', marks)
        writer.release()
    table = [','.join(row) for row in [('video', 'subject', 'split'), *rows]]
    (part / 'subjects.csv').write_text('\n'.join([*table, '']), 'utf-8')


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('dst', type=Path, metavar='DST', help='folder to make')
    for name, (value, _) in OPTIONS.items():
        parser.add_argument(f'--{name}', type=int, default=value)
    wish = vars(parser.parse_args(argv))
    dst = wish.pop('dst')
    state = 'already there' if is_complete(dst, wish) else 'drawn'
    print(f'{state}: {len(make(dst, **wish))} synthetic videos in {dst}')


if __name__ == '__main__':
    main_guard(main)
