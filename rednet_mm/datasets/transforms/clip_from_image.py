"""Clips with exact truth out of photos: a camera that moves."""

from typing import Any, Optional

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

# Waves of a motion, and the cycles in 10 frames that they may have.
_WAVES = 3
_CYCLES = (0.1, 1.0)

# Frames after which the errors of a crop that follows repeat.
_FRAMES_OFF = 64

# What stands in front of a face reaches so far: shares of the box's side.
_OCCLUDER = (0.1, 0.3)


class _Motion:
    """A smooth random path in C dimensions: a sum of slow waves.

    Args:
        rng (np.random.RandomState): Drawn from now; the path is fixed then.
        reach (Sequence[float]): Where the path goes at most in each
            dimension, to either side.
    """

    def __init__(self, rng: Any, *reach: float) -> None:
        shape = (_WAVES, len(reach))
        parts = rng.uniform(0, 1, shape)
        self.heights = parts / parts.sum(0) * reach
        self.speeds = 2 * np.pi * rng.uniform(*_CYCLES, shape) / 10
        self.phases = rng.uniform(0, 2 * np.pi, shape)

    def __call__(self, frame: float) -> np.ndarray:
        """Where it is in a frame, (C,)."""
        angles = self.speeds * frame + self.phases
        return (self.heights * np.sin(angles)).sum(0)


@TRANSFORMS.register_module()
class ClipFromImage(BaseTransform):
    """A frame of a clip that a moving camera would take of a photo.

    With ``VideoClipDataset(frames_of_still=T)`` a photo is a track of T
    frames, and this transform, put between ``GetBBoxCenterScale`` and
    ``TopdownAffine``, makes them differ: the crop moves, grows and turns
    along smooth paths, something of one colour moves in front of the face,
    and what moves fast is blurred along its way. Texture is that of the
    photo and marks are exact in every frame, so it also serves to measure
    jitter and lag.

    What is drawn does not depend on the frame: all frames of a clip, to
    which :class:`VideoClipDataset` gives the same draws, are on one path.

    With ``follow=True`` it is the face that moves, in a frame that stands
    still, and the crop follows it as in tracking: a frame's crop lies where
    the face was in the frame before, a little off. A network that is told
    where its crops lie (``init_from='previous'``) has to be trained so: of a
    photo that a crop moves across, the last keypoints would be right in
    every frame.

    Args:
        shift (float): How far the crop moves to either side, as a share of
            its own side. Defaults to 0.1.
        scale (float): How much it grows or shrinks: up to ``1 + scale``
            times, or divided by that. Defaults to 0.15.
        rotate (float): How far it turns to either side, degrees. Defaults
            to 20.
        occluder_prob (float): Share of clips in which something stands in
            front of the face. Defaults to 0.5.
        blur (float): Time for which the shutter is open, as a share of the
            time between two frames. Defaults to 0.5; 0 for none.
        follow (bool): Whether the crop follows the face. Defaults to False.
        off (tuple[float, float]): How far the crop then is from the face of
            the frame before, standard deviations: shift as a share of its
            side, and logarithm of the scale. The first frame's, a
            detector's, is five times as far. Defaults to (0.01, 0.02).
        seed (int, optional): For tests: the paths of a photo are always the
            same. None, for training: they come from NumPy's global
            generator, as in MMPose's transforms.
    """

    def __init__(
        self,
        shift: float = 0.1,
        scale: float = 0.15,
        rotate: float = 20.0,
        occluder_prob: float = 0.5,
        blur: float = 0.5,
        follow: bool = False,
        off: tuple[float, float] = (0.01, 0.02),
        seed: Optional[int] = None,
    ) -> None:
        self.shift = shift
        self.scale = scale
        self.rotate = rotate
        self.occluder_prob = occluder_prob
        self.blur = blur
        self.follow = follow
        self.off = off
        self.seed = seed

    def transform(self, results: dict) -> dict:
        """Move the crop; draw and blur upon the photo.

        Args:
            results (dict): With ``img`` (H, W, 3), ``bbox_center`` (1, 2),
                ``bbox_scale`` (1, 2), ``frame_id`` and ``still_id``; a frame
                of a real video, which has no ``still_id``, stays as it is.

        Returns:
            dict: The same, the crop moved; with ``follow`` also
            ``crop_in_frame``, x y of its centre and its width and height in
            the frame in which the face moves.
        """
        if 'still_id' not in results:
            return results
        rng: Any = np.random
        if self.seed is not None:
            rng = np.random.RandomState(
                np.random.SeedSequence(
                    [self.seed, results['still_id']]
                ).generate_state(4)
            )
        # All draws come first, and always the same number of them.
        camera = _Motion(rng, self.shift, self.shift, 1, 1)
        occluder = _Occluder(rng)
        occluded = rng.uniform() < self.occluder_prob
        # Drawn last: a clip that is not followed stays what it was.
        errors = rng.normal(0, 1, (_FRAMES_OFF if self.follow else 0, 3))

        frame = results['frame_id']
        side = results['bbox_scale'][0].astype(float)
        middle = results['bbox_center'][0].astype(float)
        at = camera(frame)
        center = middle + at[:2] * side
        # The shutter closes when the frame is taken.
        way = (at - camera(frame - self.blur))[:2] * side

        image = results['img']
        if occluded:
            image = occluder.draw(image, frame, middle, side)
        results['img'] = _blurred(image, way, middle, side)
        if self.follow:
            before = camera(max(frame - 1, 0))
            error = errors[frame % _FRAMES_OFF] * (1 if frame else 5)
            self._follow(results, at, before, error)
            return results
        results['bbox_center'] = center.astype(np.float32)[None]
        results['bbox_scale'] = (side * (1 + self.scale) ** at[2]).astype(
            np.float32
        )[None]
        results['bbox_rotation'] = np.array([self.rotate * at[3]], np.float32)
        return results

    def _follow(
        self,
        results: dict,
        at: np.ndarray,
        before: np.ndarray,
        error: np.ndarray,
    ) -> None:
        """Let the crop lie where the face was in the frame before.

        Args:
            results (dict): As for :meth:`transform`.
            at (np.ndarray): Where the face is, (4,): shift, scale, angle.
            before (np.ndarray): And where it was.
            error (np.ndarray): Of the crop, (3,), standard normal.
        """
        side = results['bbox_scale'][0].astype(float)
        middle = results['bbox_center'][0].astype(float)
        sizes = [(1 + self.scale) ** each[2] for each in (at, before)]
        # In the frame: the photo turned and scaled about the face's middle,
        # then shifted.
        size = side * sizes[1] * np.exp(self.off[1] * error[2])
        center = middle + before[:2] * side + self.off[0] * error[:2] * size
        angle = np.deg2rad(self.rotate * at[3])
        back = np.array(
            [
                [np.cos(angle), np.sin(angle)],
                [-np.sin(angle), np.cos(angle)],
            ]
        )
        # The same place in the photo.
        way = back @ (center - middle - at[:2] * side) / sizes[0]
        results['crop_in_frame'] = np.concatenate([center, size])
        results['bbox_center'] = (middle + way).astype(np.float32)[None]
        results['bbox_scale'] = (size / sizes[0]).astype(np.float32)[None]
        results['bbox_rotation'] = np.array([self.rotate * at[3]], np.float32)


class _Occluder:
    """An ellipse of one colour that moves in front of the face."""

    def __init__(self, rng: Any) -> None:
        self.motion = _Motion(rng, 0.5, 0.5)
        self.axes = rng.uniform(*_OCCLUDER, 2)
        self.angle = rng.uniform(0, 180)
        self.colour = rng.uniform(0, 256, 3).astype(int).tolist()

    def draw(
        self,
        image: np.ndarray,
        frame: float,
        middle: np.ndarray,
        side: np.ndarray,
    ) -> np.ndarray:
        """A copy of the image (H, W, 3) with the ellipse upon it."""
        x, y = np.round(middle + self.motion(frame) * side).astype(int)
        axes = np.round(self.axes * side / 2).astype(int)
        return cv2.ellipse(
            image.copy(),
            (int(x), int(y)),
            (int(axes[0]), int(axes[1])),
            self.angle,
            0,
            360,
            self.colour,
            -1,
            cv2.LINE_AA,
        )


def _blurred(
    image: np.ndarray, way: np.ndarray, middle: np.ndarray, side: np.ndarray
) -> np.ndarray:
    """The image, smeared round the face along a way (2,) in pixels."""
    length = int(np.ceil(np.abs(way).max()))
    if length < 1:
        return image
    kernel = np.zeros((2 * length + 1,) * 2, np.float32)
    # Sub-pixel ends, in 1/16 of a pixel.
    start, end = (
        np.round((length + share * way) * 16).astype(int).tolist()
        for share in (-0.5, 0.5)
    )
    cv2.line(kernel, start, end, [1.0], 1, cv2.LINE_AA, 4)
    kernel /= kernel.sum()
    # Only what may be seen: the crop, wherever it is.
    low = np.maximum(np.floor(middle - side), 0).astype(int)
    high = np.ceil(middle + side).astype(int)
    seen = (slice(low[1], high[1]), slice(low[0], high[0]))
    image = image.copy()
    if image[seen].size:
        image[seen] = cv2.filter2D(image[seen], -1, kernel)
    return image
