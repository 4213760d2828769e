"""The network of a tracker: crops of faces in, landmarks and states out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Protocol, TypeVar

import numpy as np

S = TypeVar('S')


@dataclass(frozen=True)
class FaceResult:
    """Landmarks of F faces of one frame.

    Args:
        keypoints (np.ndarray): Shape (F, K, 2), float32, x and y in pixels
            of the crop, 0 being the centre of its first pixel.
        scores (np.ndarray): Shape (F, K), the maximum of each heatmap in
            [0, 1].
        spreads (np.ndarray): Shape (F, K), how widely each response is
            spread about its landmark: pixels of the map, see
            ``ResponseMap.spread``.
        maps (np.ndarray, optional): The responses, (F, K, h, w), where they
            were asked for.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    spreads: np.ndarray
    maps: Optional[np.ndarray] = None


class FaceNetwork(Protocol[S]):
    """What a tracker needs of a network; S is what it remembers of a face.

    Attributes:
        input_size (tuple[int, int]): (W, H) of a crop.
        num_keypoints (int): K.
        padding (float): How much larger than the box of a face its crop is.
    """

    input_size: tuple[int, int]
    num_keypoints: int
    padding: float

    @property
    def settings(self) -> Mapping[str, Any]:
        """The ``tracker`` section of its config.

        Thresholds that belong to the weights: numbers, words, truth values.
        """

    def run(
        self,
        crops: np.ndarray,
        states: Sequence[Optional[S]],
        warps: Optional[np.ndarray] = None,
    ) -> tuple[FaceResult, list[S]]:
        """The faces of one frame, as one batch.

        Args:
            crops (np.ndarray): Shape (F, H, W, 3), uint8, BGR.
            states (Sequence): Of each face what the last call returned for
                it, None for a face that is new. Not changed.
            warps (np.ndarray, optional): Shape (F, 2, 3), float32, pixels of
                the frame to pixels of each crop, as ``cv2.warpAffine`` takes
                it. None: the crops are where they were.

        Returns:
            tuple: The landmarks, and the state of each face; its size is
            always the same.
        """


def by_past(
    run: Callable[..., tuple[FaceResult, list[S]]],
    crops: np.ndarray,
    states: Sequence[Optional[S]],
    warps: Optional[np.ndarray],
) -> tuple[FaceResult, list[S]]:
    """New faces as one batch and those that go on as another.

    They take different recurrent steps.

    Args:
        run (Callable): :meth:`FaceNetwork.run` of one of the two kinds.
        crops (np.ndarray): As for it, and so are states and warps.
    """
    new = np.array([state is None for state in states], bool)
    if new.all() or not new.any():
        return run(crops, states, warps)
    results: list[FaceResult] = []
    after: dict[int, S] = {}
    groups = [np.flatnonzero(new), np.flatnonzero(~new)]
    for faces in groups:
        result, now = run(
            crops[faces],
            [states[face] for face in faces],
            None if warps is None else warps[faces],
        )
        results.append(result)
        after.update(zip(faces.tolist(), now))
    order = np.argsort(np.concatenate(groups))
    parts = {
        name: np.concatenate([getattr(each, name) for each in results])[order]
        for name in ('keypoints', 'scores', 'spreads', 'maps')
        if getattr(results[0], name) is not None
    }
    return FaceResult(**parts), [after[face] for face in range(len(crops))]
