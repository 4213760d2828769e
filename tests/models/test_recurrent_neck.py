"""The recurrent neck on codes made by hand."""

import pytest
import torch

from rednet_mm.models import IdentityHead, TemporalRecurrentNeck
from rednet_mm.utils.errors import UserError


def neck(**settings):
    torch.manual_seed(0)
    return TemporalRecurrentNeck(in_channels=4, hidden_channels=2, **settings)


def code():
    """(1, 4, 2, 2): channels 0, 1 identity; 2, 3 pose."""
    maps = torch.zeros(1, 4, 2, 2)
    maps[0, 0] = 7
    maps[0, 2, 0, 1] = 5  # channel 2 has its maximum top right
    maps[0, 3, 1, 0] = 3  # channel 3 bottom left
    return maps


@torch.no_grad()
def test_index_puts_the_result_at_each_maximum():
    module = neck()
    out, identity, (hidden, _) = module(code())
    change = out - code()
    expected = torch.zeros(1, 4, 2, 2)
    expected[0, 2, 0, 1] = hidden[0, 0]
    expected[0, 3, 1, 0] = hidden[0, 1]
    torch.testing.assert_close(change, expected)
    assert hidden.abs().min() > 0
    torch.testing.assert_close(identity, code()[:, :2])


@torch.no_grad()
def test_broadcast_adds_it_everywhere():
    out, _, (hidden, _) = neck(unpool='broadcast')(code())
    change = (out - code())[0, 2:]
    torch.testing.assert_close(
        change, hidden[0][:, None, None].expand(2, 2, 2)
    )


@torch.no_grad()
def test_the_lstm_sees_the_average_of_the_pose_code():
    module = neck()
    _, _, (hidden, cell) = module(code())
    # Averages over four pixels: 5 / 4 and 3 / 4.
    _, (h, c) = module.lstm(torch.tensor([[[1.25, 0.75]]]))
    torch.testing.assert_close(hidden, h[0])
    torch.testing.assert_close(cell, c[0])


@torch.no_grad()
def test_off_leaves_the_code_as_it_is():
    out, _, memory = neck(recurrent=False)(code())
    torch.testing.assert_close(out, code())
    assert memory is None


@pytest.mark.parametrize(
    'settings', [dict(in_channels=5), dict(in_channels=4, unpool='max')]
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ValueError):
        TemporalRecurrentNeck(**settings)


class Sample:
    def __init__(self, label):
        self.metainfo = dict(subject_label=label, img_path='a.jpg')


def test_identity_loss_by_hand():
    head = IdentityHead(2, num_subjects=4, embed_channels=2, dropout=0.0)
    torch.nn.init.zeros_(head.classify.weight)
    torch.nn.init.zeros_(head.classify.bias)
    # Equal logits: each of 4 subjects has probability 1/4, -log is 1.38629.
    codes = [torch.ones(3, 2, 1, 1)] * 2
    samples = [Sample(0), Sample(3), Sample(None)]
    loss = head.loss(codes, samples)['loss_identity']
    assert loss.item() == pytest.approx(1.38629, abs=1e-5)


def test_identity_loss_without_a_known_subject_is_zero():
    head = IdentityHead(2, num_subjects=4, embed_channels=2)
    loss = head.loss([torch.ones(1, 2, 1, 1)], [Sample(None)])
    loss['loss_identity'].backward()
    assert loss['loss_identity'].item() == 0
    assert head.classify.weight.grad.abs().max() == 0


def test_unknown_subject_number_is_named():
    head = IdentityHead(2, num_subjects=4, embed_channels=2)
    with pytest.raises(ValueError, match='a.jpg.*num_subjects'):
        head.loss([torch.ones(1, 2, 1, 1)], [Sample(4)])


@torch.no_grad()
def test_a_channel_without_a_maximum_receives_nothing():
    flat = code()
    flat[0, 2] = 0
    out, _, (hidden, _) = neck()(flat)
    assert hidden.abs().min() > 0
    assert not out[0, 2].any()
    assert out[0, 3, 1, 0] == 3 + hidden[0, 1]


@pytest.mark.parametrize(
    'settings, hidden, pair',
    [
        # The code is as wide as the pose half, at most 256.
        (dict(in_channels=128), 64, False),
        (dict(in_channels=512), 256, False),
        (dict(in_channels=1024), 256, True),
        (dict(in_channels=128, hidden_channels=32), 32, True),
        # No recurrence, no detour, unless it is asked for.
        (dict(in_channels=1024, recurrent=False), None, False),
        (
            dict(in_channels=128, recurrent=False, hidden_channels=256),
            None,
            True,
        ),
    ],
)
def test_width_of_the_code(settings, hidden, pair):
    module = TemporalRecurrentNeck(**settings)
    assert (module.lstm and module.lstm.hidden_size) == hidden
    assert isinstance(module.reduce, torch.nn.Identity) is not pair
    assert isinstance(module.expand, torch.nn.Identity) is not pair


def test_a_file_of_another_width_names_the_setting():
    wide = TemporalRecurrentNeck(128, hidden_channels=256).state_dict()
    for settings in (dict(), dict(recurrent=False), dict(hidden_channels=32)):
        with pytest.raises(UserError, match='neck.hidden_channels=256'):
            TemporalRecurrentNeck(128, **settings).check_weights(wide, 'a.pth')
    for settings in (dict(), dict(recurrent=False)):
        same = TemporalRecurrentNeck(128, hidden_channels=256, **settings)
        same.check_weights(wide, 'a.pth')
