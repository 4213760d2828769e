"""Recurrent states side by side, picked apart and piled up."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from rednet_mm.structures import RecurrentState


def state_of(*videos: float) -> RecurrentState:
    """K = 2 steps, C = 3; the value tells step, video and h from c."""
    hidden = torch.stack(
        [
            torch.stack([torch.full((3,), 10 * k + v) for v in videos])
            for k in range(2)
        ]
    )
    return RecurrentState(hidden, -hidden)


def test_memory_of_a_step():
    hidden, cell = state_of(1, 2).memory(1)
    # Step 1 of videos 1 and 2.
    assert hidden[:, 0].tolist() == [11, 12]
    assert cell[:, 0].tolist() == [-11, -12]


def test_select_keeps_order_and_repeats():
    chosen = state_of(1, 2, 3).select([2, 0, 2])
    assert chosen.hidden[0, :, 0].tolist() == [3, 1, 3]
    assert chosen.cell[1, :, 0].tolist() == [-13, -11, -13]
    assert chosen.hidden.shape == (2, 3, 3)


def test_join_undoes_select():
    state = state_of(1, 2, 3)
    parts = [state.select([video]) for video in range(3)]
    joined = RecurrentState.join(parts)
    assert torch.equal(joined.hidden, state.hidden)
    assert torch.equal(joined.cell, state.cell)


def test_stack_undoes_memory():
    state = state_of(1, 2)
    stacked = RecurrentState.stack([state.memory(0), state.memory(1)])
    assert torch.equal(stacked.hidden, state.hidden)
    assert torch.equal(stacked.cell, state.cell)


def test_none_joins_as_zeros():
    joined = RecurrentState.join([RecurrentState(), state_of(1, 2)])
    assert joined.hidden[0, :, 0].tolist() == [0, 1, 2]
    assert joined.cell[1, :, 0].tolist() == [0, -11, -12]
    zeros = RecurrentState(torch.zeros(2, 1, 3), torch.zeros(2, 1, 3))
    same = RecurrentState.join([zeros, state_of(1, 2)])
    assert torch.equal(joined.hidden, same.hidden)
    assert torch.equal(joined.cell, same.cell)


def test_keypoints_go_with_their_videos():
    places = torch.arange(12.0).view(3, 2, 2)
    state = RecurrentState(keypoints=places)
    parts = [state.select([video]) for video in (2, 0)]
    assert torch.equal(RecurrentState.join(parts).keypoints, places[[2, 0]])
    with pytest.raises(ValueError, match='one batch'):
        RecurrentState.join([RecurrentState(), parts[0]])


def test_none_stays_none():
    empty = RecurrentState()
    assert empty.memory(0) is None
    assert empty.select([0]).hidden is None
    assert RecurrentState.join([empty, empty]).hidden is None
    assert RecurrentState.stack([None, None]).hidden is None


def test_state_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        state_of(1).hidden = None
