"""Degradation of clips: bursts of occlusion, shake, darkness and so on."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from rednet_mm.datasets.degradation import (
    BURST,
    KINDS,
    PAIRED,
    REST,
    degradation_plan,
    degrade,
    displacement,
)
from rednet_mm.datasets.occluders import PhotoPatches


@TRANSFORMS.register_module()
class DegradeClip(BaseTransform):
    """Make the frames of a clip hard to read, in bursts of some frames.

    To be put behind ``TopdownAffine``. What happens in a frame depends on a
    number drawn for the clip and on the frame's number: all frames of a clip
    of :class:`VideoClipDataset`, whose transforms draw the same numbers, are
    on one time line, also where it runs backwards.

    Keypoints stay those of the clean frame, except that under camera shake
    the picture moves, and they with it: they are exact at the middle of the
    exposure.

    Required Keys:

        - img (H, W, 3), the crop
        - frame_id
        - track (with a seed)
        - keypoints and transformed_keypoints (1, K, 2) (under shake)

    Modified Keys:

        - img
        - keypoints, transformed_keypoints
        - degradation (list[str]): the kinds that are on, added

    Args:
        kinds (Sequence[str], optional): Of ``degradation.KINDS``. Defaults
            to all.
        prob (float): Share of clips that are degraded. Defaults to 1.0.
        strength (float): About 1; twice as much is a lot. Defaults to 1.0.
        burst (tuple[int, int]): Fewest and most frames of a burst. Defaults
            to 5 to 30.
        rest (tuple[int, int]): Of the rest between them. Defaults to 5 to
            30.
        paired (float): Share of bursts of two kinds. Defaults to 0.3.
        patches (dict, optional): ``ann_file`` and ``data_root`` of a
            converted data set whose photos give the textures of occluders.
            Defaults to None: drawn textures.
        seed (int, optional): For tests: the time line of a track is always
            the same. None, for training: it comes from NumPy's global
            generator, as in MMPose's transforms.

    Raises:
        FileNotFoundError: if there is no annotation file of ``patches``.
        UserError: for a kind that does not exist.
    """

    def __init__(
        self,
        kinds: Optional[Sequence[str]] = None,
        prob: float = 1.0,
        strength: float = 1.0,
        burst: tuple[int, int] = BURST,
        rest: tuple[int, int] = REST,
        paired: float = PAIRED,
        patches: Optional[dict[str, str]] = None,
        seed: Optional[int] = None,
    ) -> None:
        self.settings: dict[str, Any] = dict(
            kinds=tuple(KINDS if kinds is None else kinds),
            burst=tuple(burst),
            rest=tuple(rest),
            paired=paired,
            strength=strength,
        )
        # A wrong name fails now, not in a worker.
        degradation_plan(0, np.random.default_rng(0), **self.settings)
        self.prob = prob
        self.seed = seed
        self.patches = None if patches is None else photo_patches(**patches)

    def transform(self, results: dict) -> dict:
        """Degrade the crop of a frame."""
        if self.seed is None:
            number = int(np.random.randint(2**31))
            chosen = np.random.uniform() < self.prob
        else:
            # Tracks of stills have negative numbers.
            track = [int(part) % 2**32 for part in results['track']]
            state = np.random.SeedSequence([self.seed, *track])
            number = int(state.generate_state(1)[0])
            chosen = np.random.default_rng(number).uniform() < self.prob
        params = self._params(number, results['frame_id']) if chosen else {}
        results['degradation'] = list(params)
        if not params:
            return results
        image = results['img']
        way = displacement(params, float(max(image.shape[:2])))
        if way.any():
            _move(results, way)
        results['img'] = degrade(image, params, patches=self.patches)
        return results

    def _params(self, number: int, frame: int) -> dict[str, Any]:
        settings = tuple(self.settings.items())
        # Of a length that serves neighbouring frames as well.
        return _plan(number, (frame // 64 + 1) * 64, settings)[frame]


@lru_cache(8)
def _plan(
    number: int, n_frames: int, settings: tuple[tuple[str, Any], ...]
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(number)
    return degradation_plan(n_frames, rng, **dict(settings))


def _move(results: dict, way: np.ndarray) -> None:
    """Move the keypoints of a crop by (2,) pixels, and in the image too."""
    inside = results['transformed_keypoints'][0]
    there = np.column_stack([inside, np.ones(len(inside))])
    # From the crop to the image, as the crop was cut.
    affine = np.linalg.lstsq(there, results['keypoints'][0], rcond=None)[0]
    results['transformed_keypoints'] = (
        results['transformed_keypoints'] + way
    ).astype(np.float32)
    results['keypoints'] = (results['keypoints'] + way @ affine[:2]).astype(
        np.float32
    )


def photo_patches(ann_file: str, data_root: str = '') -> PhotoPatches:
    """Pieces of the photos of a converted data set.

    Args:
        ann_file (str): JSON of a converter.
        data_root (str): Where its file names start. Defaults to the folder
            above that of the file.

    Raises:
        FileNotFoundError: if the file does not exist.
    """
    path = Path(ann_file)
    root = Path(data_root) if data_root else path.parents[1]
    content = json.loads(path.read_text(encoding='utf-8'))
    names = {image['id']: image['file_name'] for image in content['images']}
    return PhotoPatches(
        [
            (str(root / names[face['image_id']]), face['bbox'])
            for face in content['annotations']
            if '#' not in names[face['image_id']]
        ]
    )
