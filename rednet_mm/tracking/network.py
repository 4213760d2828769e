"""The network of a tracker: crops of faces in, landmarks and states out."""

from collections.abc import Mapping, Sequence
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
        self, crops: np.ndarray, states: Sequence[Optional[S]]
    ) -> tuple[FaceResult, list[S]]:
        """The faces of one frame, as one batch.

        Args:
            crops (np.ndarray): Shape (F, H, W, 3), uint8, BGR.
            states (Sequence): Of each face what the last call returned for
                it, None for a face that is new. Not changed.

        Returns:
            tuple: The landmarks, and the state of each face; its size is
            always the same.
        """
