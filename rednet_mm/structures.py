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
    """

    hidden: Optional[Tensor] = None
    cell: Optional[Tensor] = None

    def memory(self, step: int) -> Optional[tuple[Tensor, Tensor]]:
        """(h, c) of recurrent step ``step``, each (B, C); None for zeros."""
        if self.hidden is None or self.cell is None:
            return None
        return self.hidden[step], self.cell[step]

    def select(self, videos: Sequence[int]) -> 'RecurrentState':
        """The state of the videos at these places of the batch."""
        if self.hidden is None or self.cell is None:
            return self
        index = torch.as_tensor(
            videos, dtype=torch.long, device=self.hidden.device
        )
        return RecurrentState(self.hidden[:, index], self.cell[:, index])

    @staticmethod
    def stack(
        memories: Sequence[Optional[tuple[Tensor, Tensor]]],
    ) -> 'RecurrentState':
        """Join the (h, c) of K recurrent steps; all None gives zeros."""
        kept = [memory for memory in memories if memory is not None]
        if not kept:
            return RecurrentState()
        return RecurrentState(
            hidden=torch.stack([h for h, _ in kept]),
            cell=torch.stack([c for _, c in kept]),
        )

    @staticmethod
    def join(states: Sequence['RecurrentState']) -> 'RecurrentState':
        """Put the videos of several states side by side in one batch.

        States that are None are filled with zeros where another is not.
        """
        known = [state for state in states if state.hidden is not None]
        if not known:
            return RecurrentState()
        first = known[0].hidden
        assert first is not None
        zeros = first.new_zeros(first.shape[0], 1, first.shape[2])
        return RecurrentState(
            hidden=torch.cat(
                [zeros if s.hidden is None else s.hidden for s in states], 1
            ),
            cell=torch.cat(
                [zeros if s.cell is None else s.cell for s in states], 1
            ),
        )


@dataclass(frozen=True)
class StepResult:
    """Landmarks of one frame of B videos.

    Args:
        keypoints (Tensor): Shape (B, C, 2), x and y in pixels of the
            network's input, 0 being the centre of the first pixel.
        scores (Tensor): Shape (B, C), the height of each response in [0, 1].
    """

    keypoints: Tensor
    scores: Tensor
