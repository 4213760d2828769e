"""Frozen states: they go into a call and come out of it, nobody keeps them."""

from dataclasses import dataclass
from typing import Optional, Sequence

import torch
from torch import Tensor


@dataclass(frozen=True)
class RecurrentState:
    """What the network remembers of B videos between two frames.

    None stands for zeros: the state of a video that has not begun. The size
    does not depend on how long a video is.

    Args:
        hidden (Tensor, optional): LSTM output h of each recurrent step, shape
            (K, B, C).
        cell (Tensor, optional): LSTM cell c of each recurrent step, shape
            (K, B, C).
        keypoints (Tensor, optional): Those of the last frame, shape
            (B, C, 2), float32, pixels of the video's frame; only kept by a
            network that starts from them.
    """

    hidden: Optional[Tensor] = None
    cell: Optional[Tensor] = None
    keypoints: Optional[Tensor] = None

    def memory(self, step: int) -> Optional[tuple[Tensor, Tensor]]:
        """(h, c) of recurrent step ``step``, each (B, C); None for zeros."""
        if self.hidden is None or self.cell is None:
            return None
        return self.hidden[step], self.cell[step]

    def select(self, videos: Sequence[int]) -> 'RecurrentState':
        """The state of the videos at these places of the batch."""
        places = list(videos)
        return RecurrentState(
            hidden=None if self.hidden is None else self.hidden[:, places],
            cell=None if self.cell is None else self.cell[:, places],
            keypoints=None
            if self.keypoints is None
            else self.keypoints[places],
        )

    @staticmethod
    def stack(
        memories: Sequence[Optional[tuple[Tensor, Tensor]]],
        keypoints: Optional[Tensor] = None,
    ) -> 'RecurrentState':
        """Join the (h, c) of K recurrent steps; None for all gives zeros."""
        kept = [memory for memory in memories if memory is not None]
        if not kept:
            return RecurrentState(keypoints=keypoints)
        return RecurrentState(
            hidden=torch.stack([h for h, _ in kept]),
            cell=torch.stack([c for _, c in kept]),
            keypoints=keypoints,
        )

    @staticmethod
    def join(states: Sequence['RecurrentState']) -> 'RecurrentState':
        """Put the videos of several states side by side in one batch.

        An LSTM state that is None in one and known in another counts as one
        video's zeros. Keypoints have no such value.

        Raises:
            ValueError: if some videos have keypoints of a last frame and
                others have not.
        """
        if len({state.keypoints is None for state in states}) > 1:
            raise ValueError(
                'videos that begin and videos that go on take different '
                'steps, so they cannot be in one batch'
            )
        return RecurrentState(
            hidden=_join([state.hidden for state in states], 1),
            cell=_join([state.cell for state in states], 1),
            keypoints=_join([state.keypoints for state in states], 0),
        )


def _join(parts: Sequence[Optional[Tensor]], axis: int) -> Optional[Tensor]:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    zeros = torch.zeros_like(known[0].narrow(axis, 0, 1))
    return torch.cat([zeros if p is None else p for p in parts], axis)


@dataclass(frozen=True)
class StepResult:
    """Landmarks of one frame of B videos.

    Args:
        keypoints (Tensor): Shape (B, C, 2), x and y in pixels of the
            network's input, 0 being the centre of the first pixel.
        scores (Tensor): Shape (B, C), the height of each response in [0, 1].
        spreads (Tensor): Shape (B, C), how widely each response is spread
            about its landmark: pixels of the map, see
            ``ResponseMap.spread``.
        maps (Tensor, optional): The responses, (B, C, h, w), float32, where
            they were asked for.
    """

    keypoints: Tensor
    scores: Tensor
    spreads: Tensor
    maps: Optional[Tensor] = None
