"""The estimator: both recurrences, explicit state, gradients everywhere."""

import cv2
import numpy as np
import pytest
import torch
from builders import build_model, random_samples, tiny_model_cfg
from mmpose.structures.bbox import get_udp_warp_matrix

from rednet_mm.landmarks import SEVEN_OF_68
from rednet_mm.structures import RecurrentState

MEAN = [[0.2 + 0.1 * i, 0.5] for i in range(7)]
VARIANTS = [
    dict(),
    dict(init_from='mean', mean_shape=MEAN),
    dict(init_from='previous'),
    dict(cascade=True),
    dict(feedback='input'),
    dict(unpool='broadcast'),
    dict(recurrent=False),
    dict(depth=50),
    dict(steps=('det', 'det', 'reg')),
    dict(steps=('reg',), feedback=None),
]


def clips(batch=2, length=3, size=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, 3, size, size, generator=generator)


def moving_crops(batch, length, size=64):
    """Frame to crop (B, T, 2, 3): crops that move, grow and turn."""
    warps = [
        get_udp_warp_matrix(
            np.array([30.0 + 3 * t + b, 40.0 - 2 * t]),
            np.array([70.0 + 4 * t, 70.0 + 4 * t]),
            8.0 * t - 5 * b,
            (size, size),
        )
        for b in range(batch)
        for t in range(length)
    ]
    return torch.from_numpy(np.stack(warps)).unflatten(0, (batch, length))


def warmed(model):
    """A model whose running statistics are those of some data."""
    model.train()
    with torch.no_grad():
        for seed in range(2):
            model.unroll(clips(seed=seed))
    return model.eval()


def loop(model, frames):
    """Landmarks (B, T, C, 2) by one call of step a frame."""
    state, places = None, []
    for t in range(frames.shape[1]):
        result, state = model.step(frames[:, t], state)
        places.append(result.keypoints)
    return torch.stack(places, 1), state


@pytest.mark.parametrize('variant', VARIANTS, ids=str)
@torch.no_grad()
def test_clip_equals_frame_by_frame(variant):
    model = warmed(build_model(tiny_model_cfg(**variant)))
    frames, warps = clips(seed=7), moving_crops(2, 3)
    outputs, _, after = model.unroll(frames, warps=warps)
    state = None
    for t in range(frames.shape[1]):
        now = slice(t, t + 1)
        step_outputs, _, state = model.unroll(
            frames[:, now], state, warps[:, now]
        )
        for k in range(-len(step_outputs), 0):
            clip = outputs[k].unflatten(0, (2, -1))[:, t]
            torch.testing.assert_close(
                clip, step_outputs[k], rtol=0, atol=1e-5
            )
    if variant.get('init_from') == 'previous':
        torch.testing.assert_close(after.keypoints, state.keypoints)
    if after.hidden is None:
        assert state.hidden is None
    else:
        torch.testing.assert_close(after.hidden, state.hidden)
        torch.testing.assert_close(after.cell, state.cell)


@torch.no_grad()
def test_state_changes_what_follows():
    # Without this the tests above and below would pass with no recurrence.
    model = warmed(build_model(tiny_model_cfg()))
    frames = clips(length=2)
    _, _, state = model.unroll(frames[:, :1])
    with_past = model.unroll(frames[:, 1:], state)[0][-1]
    without = model.unroll(frames[:, 1:])[0][-1]
    assert (with_past - without).abs().max() > 1e-6


@torch.no_grad()
def test_two_interleaved_videos_do_not_touch():
    model = warmed(build_model(tiny_model_cfg()))
    one, two = clips(1, 4, seed=1), clips(1, 4, seed=2)
    alone = [loop(model, video)[0] for video in (one, two)]
    states, mixed = [None, None], [[], []]
    for t in range(4):
        for place, video in enumerate((one, two)):
            result, states[place] = model.step(video[:, t], states[place])
            mixed[place].append(result.keypoints)
    for place in range(2):
        torch.testing.assert_close(
            torch.stack(mixed[place], 1), alone[place], rtol=0, atol=0
        )


@torch.no_grad()
def test_side_by_side_is_the_same_as_alone():
    model = warmed(build_model(tiny_model_cfg()))
    both = clips(2, 3)
    together, state = loop(model, both)
    for place in range(2):
        alone, own = loop(model, both[place : place + 1])
        torch.testing.assert_close(
            together[place : place + 1], alone, rtol=0, atol=1e-3
        )
        torch.testing.assert_close(
            state.select([place]).hidden, own.hidden, rtol=0, atol=1e-5
        )


@torch.no_grad()
def test_no_state_is_a_state_of_zeros():
    model = warmed(build_model(tiny_model_cfg()))
    frames = clips(2, 1)
    zeros = torch.zeros(2, 2, 256)  # (K, B, C)
    nothing = model.unroll(frames, None)[0][-1]
    explicit = model.unroll(frames, RecurrentState(zeros, zeros))[0][-1]
    torch.testing.assert_close(nothing, explicit, rtol=0, atol=0)


@torch.no_grad()
def test_state_size_does_not_grow():
    model = warmed(build_model(tiny_model_cfg()))
    state = None
    for seed in range(5):
        _, state = model.step(clips(2, 1, seed=seed)[:, 0], state)
        # K = 2 steps, B = 2 videos, 256 units.
        assert state.hidden.shape == state.cell.shape == (2, 2, 256)


@pytest.mark.parametrize('variant', VARIANTS, ids=str)
def test_every_parameter_gets_a_gradient(variant):
    cfg = tiny_model_cfg(
        num_subjects=None if variant.get('recurrent') is False else 5,
        **variant,
    )
    torch.manual_seed(0)
    model = build_model(cfg).train()
    losses = model(clips(2, 2), random_samples(4, 64), mode='loss')
    sum(losses.values()).backward()
    missing = [
        name
        for name, value in model.named_parameters()
        if value.grad is None or not value.grad.abs().max() > 0
    ]
    assert missing == []


def test_losses_are_named_by_step_and_kind():
    model = build_model(
        tiny_model_cfg(steps=('det', 'det', 'reg'), num_subjects=3)
    )
    losses = model(clips(1, 2), random_samples(2, 64), mode='loss')
    assert set(losses) == {
        'loss_det_0',
        'loss_det_1',
        'loss_reg_2',
        'loss_identity',
        'acc_pose',
    }


@torch.no_grad()
def test_shapes_of_stills_and_clips():
    model = warmed(build_model(tiny_model_cfg()))
    # The response map is half the input: 32 of 64.
    assert model(clips(2, 1)[:, 0], None).shape == (2, 68, 32, 32)
    assert model(clips(2, 3), None).shape == (2, 3, 68, 32, 32)
    result, _ = model.step(clips(2, 1)[:, 0])
    assert result.keypoints.shape == (2, 68, 2)
    assert result.scores.shape == (2, 68)


@torch.no_grad()
def test_prediction_is_in_pixels_of_the_image():
    model = warmed(build_model(tiny_model_cfg()))
    frames = clips(1, 2)
    samples = random_samples(2, 64)
    for sample in samples:
        # A box of 128 pixels round (100, 50), seen as 64 input pixels.
        sample.set_metainfo(
            dict(
                input_size=(64, 64),
                input_center=np.array([100.0, 50.0]),
                input_scale=np.array([128.0, 128.0]),
            )
        )
    predicted = model(frames, samples, mode='predict')
    places, _ = loop(model, frames)
    for t in range(2):
        # Input pixel 0 lies on the box's edge at 36, pixel 63 on 164: UDP.
        expected = places[0, t].numpy() / 63 * 128 + [36.0, -14.0]
        found = predicted[t].pred_instances.keypoints[0]
        torch.testing.assert_close(
            torch.as_tensor(found, dtype=torch.float64),
            torch.as_tensor(expected, dtype=torch.float64),
            rtol=0,
            atol=1e-2,
        )


@torch.no_grad()
def test_first_clip_of_a_batch_ignores_the_second():
    model = warmed(build_model(tiny_model_cfg()))
    a, b = clips(2, 3, seed=1), clips(2, 3, seed=2)
    changed = torch.stack([a[0], b[1]])
    first = model(a, None)[0]
    torch.testing.assert_close(model(changed, None)[0], first)


@torch.no_grad()
def test_future_frames_do_not_change_the_past():
    model = warmed(build_model(tiny_model_cfg()))
    a = clips(1, 3, seed=1)
    b = a.clone()
    b[:, 2] = clips(1, 1, seed=5)[:, 0]
    torch.testing.assert_close(model(b, None)[:, :2], model(a, None)[:, :2])


def test_identity_head_wants_a_neck():
    cfg = tiny_model_cfg(num_subjects=3)
    cfg['neck'] = None
    with pytest.raises(ValueError, match='identity head needs'):
        build_model(cfg)


def test_bfloat16_stays_close():
    torch.manual_seed(0)
    model = build_model(tiny_model_cfg()).train()
    samples = random_samples(4, 64)
    full = model(clips(2, 2), samples, mode='loss')
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = model(clips(2, 2), samples, mode='loss')
    full.pop('acc_pose')  # a count
    for name, value in full.items():
        # bfloat16 has 8 bits of precision; two dozen layers add up.
        assert half[name].item() == pytest.approx(value.item(), rel=0.05)


@torch.no_grad()
def test_mean_shape_is_where_the_first_step_starts():
    model = build_model(tiny_model_cfg(init_from='mean', mean_shape=MEAN))
    start = model._start_response(2)
    assert start.shape == (2, 7, 32, 32)
    # The first disc is centred at 0.2 and 0.5 of 31 map pixels.
    ys, xs = torch.nonzero(start[1, 0], as_tuple=True)
    assert xs.float().mean().item() == pytest.approx(0.2 * 31, abs=0.5)
    assert ys.float().mean().item() == pytest.approx(0.5 * 31, abs=0.5)


def previous(**settings):
    return build_model(
        tiny_model_cfg(init_from='previous', recurrent=False, **settings)
    )


@torch.no_grad()
def test_next_frame_starts_from_the_last_keypoints_in_its_crop():
    model = warmed(previous())
    fed = []
    encode = model.backbone.encode

    def spy(prepared, response):
        fed.append(response)
        return encode(prepared, response)

    model.backbone.encode = spy
    frames, warps = clips(2, 2), moving_crops(2, 2)
    result, state = model.step(frames[:, 0], None, warps[:, 0])
    # With no LSTM the keypoints are all that is remembered.
    assert state.hidden is None
    # Detection from an empty map, then regression.
    assert [each is None for each in fed] == [True, False]
    # As OpenCV would take them to the frame and into the next crop.
    expected = []
    for b in range(2):
        back = cv2.invertAffineTransform(warps[b, 0].double().numpy())
        points = result.keypoints[b].double().numpy()[None]
        place = cv2.transform(points, back)
        torch.testing.assert_close(
            state.keypoints[b].double(),
            torch.from_numpy(place[0]),
            rtol=0,
            atol=1e-3,
        )
        now = warps[b, 1].double().numpy()
        expected.append(cv2.transform(place, now)[0][list(SEVEN_OF_68)])
    del fed[:]
    _, after = model.step(frames[:, 1], state, warps[:, 1])
    # Regression alone.
    assert len(fed) == 1
    assert after.keypoints.shape == (2, 68, 2)
    discs = model.head.decoder.draw_discs(
        torch.from_numpy(np.stack(expected)).float(), soft=True
    )
    torch.testing.assert_close(fed[0], discs, rtol=0, atol=1e-3)
    assert discs.sum() > 0


@torch.no_grad()
def test_crops_that_do_not_move_need_no_warps():
    model = warmed(previous())
    frames = clips(1, 3)
    still = torch.eye(3)[None, None, :2].expand(1, 3, 2, 3)
    with_warps, _, _ = model.unroll(frames, warps=still)
    torch.testing.assert_close(
        model.unroll(frames)[0][-1], with_warps[-1], rtol=0, atol=1e-5
    )
    # The last keypoints make a difference.
    _, _, state = model.unroll(frames[:, :2])
    alone = model.unroll(frames[:, 2:])[0][-1]
    later = model.unroll(frames[:, 2:], state)[0][-1]
    assert (alone - later).abs().max() > 1e-6


@torch.no_grad()
def test_clips_say_where_their_crops_are():
    model = warmed(previous())
    frames, warps = clips(1, 2), moving_crops(1, 2)
    samples = random_samples(2, 64)
    for t, sample in enumerate(samples):
        side = 70.0 + 4 * t
        sample.set_metainfo(
            dict(
                input_size=(64, 64),
                input_center=np.array([30.0 + 3 * t, 40.0 - 2 * t]),
                input_scale=np.array([side, side]),
                bbox_rotation=np.array([8.0 * t]),
            )
        )
    _, state = model.predict_clip(frames, samples)
    expected = model.unroll(frames, warps=warps)[2]
    torch.testing.assert_close(state.keypoints, expected.keypoints)
    lost = random_samples(2, 64)
    for sample in lost:
        del sample.input_center
    with pytest.raises(ValueError, match='input_center'):
        model.predict_clip(frames, lost)


def test_feedback_is_worse_in_training_alone():
    model = previous(feedback_noise=dict(dropout=0.5, disturb=0.5))
    places = torch.rand(64, 68, 2) * 40 + 12
    few = list(SEVEN_OF_68)
    clean = model.head.decoder.draw_discs(places[:, few], soft=True)
    assert torch.equal(model.eval()._discs(places), clean)
    torch.manual_seed(0)
    worse = model.train()._discs(places)
    # Half of the 64 * 7 channels and an eighth of the rest are empty, half
    # of those that are not are elsewhere.
    empty = (worse.sum((2, 3)) == 0).float().mean()
    assert 0.45 < empty < 0.7
    same = (worse == clean).all(3).all(2).float().mean()
    assert 0.1 < same < 0.35


def test_loss_of_a_clip_counts_every_frame_once():
    model = previous().eval()
    frames, samples = clips(2, 3), random_samples(6, 64)
    found = model.loss(frames, samples)
    outputs, _, _ = model.unroll(frames, warps=model._warps(samples, frames))
    assert [len(output) for output in outputs] == [2, 6]
    firsts = [samples[0], samples[3]]
    det = model.head.loss_by_output(
        outputs[:1], firsts, dict(compute_acc=False)
    )['loss_det_0']
    # Detection runs in two of six frames.
    torch.testing.assert_close(found['loss_det_0'], det / 3)
    regs = [
        model.head.loss_by_output(
            [outputs[0][:1], outputs[1][[n]]], [samples[n]]
        )
        for n in range(6)
    ]
    mean = torch.stack([each['loss_reg_1'] for each in regs]).mean()
    torch.testing.assert_close(found['loss_reg_1'], mean)


def test_cascade_has_a_network_a_step():
    def count(modules):
        return sum(p.numel() for m in modules for p in m.parameters())

    shared = build_model(tiny_model_cfg(feedback='input'))
    cascade = build_model(tiny_model_cfg(feedback='input', cascade=True))
    one = count([shared.backbone, shared.neck])
    both = count(
        [
            cascade.backbone,
            cascade.neck,
            *cascade.later_backbones,
            *cascade.later_necks,
        ]
    )
    assert both == 2 * one


@pytest.mark.parametrize(
    'settings',
    [
        dict(init_from='ones'),
        dict(init_from='mean'),
        dict(init_from='mean', mean_shape=MEAN[:3]),
    ],
)
def test_starts_that_make_no_sense(settings):
    with pytest.raises(ValueError, match='init_from'):
        build_model(tiny_model_cfg(**settings))


@pytest.mark.parametrize('part', ['backbone', 'neck'])
def test_steps_are_counted_by_the_head(part):
    cfg = tiny_model_cfg(steps=('det', 'det', 'reg'))
    for each in ('backbone', 'neck'):
        cfg[each].pop('num_steps')
    # Left out, the number is the head's: statistics for three steps.
    assert build_model(cfg).backbone.layer2[0].bn1.num_steps == 3
    cfg[part]['num_steps'] = 2
    with pytest.raises(ValueError, match=f'{part}.num_steps'):
        build_model(cfg)


def test_several_steps_need_feedback():
    with pytest.raises(ValueError, match='without feedback'):
        build_model(tiny_model_cfg(feedback=None))


@pytest.mark.parametrize('steps', [('det', 'reg'), ('reg', 'reg')])
def test_what_is_fed_back_is_not_channels_last(steps):
    # See REDNetHead.feedback: with it, training at 256x256 could crash.
    head = build_model(tiny_model_cfg(steps=steps)).head
    output = torch.randn(2, 7 if steps[0] == 'det' else 68, 8, 8)
    output = output.to(memory_format=torch.channels_last)
    assert head.feedback(output, 0).is_contiguous()


def test_one_shot_models_have_no_way_in_for_a_map():
    model = build_model(tiny_model_cfg(steps=('reg',), feedback='stem'))
    assert not hasattr(model.backbone, 'feedback_unit')
    # One that starts from a map has.
    start = dict(init_from='mean', mean_shape=MEAN)
    model = build_model(tiny_model_cfg(steps=('reg',), **start))
    assert hasattr(model.backbone, 'feedback_unit')


def test_detection_begins_at_the_share_of_the_discs():
    model = build_model(tiny_model_cfg(steps=('det', 'det')))
    # Radius 1.5 on 32 x 32: 7.07 of 1024 pixels, each of weight 10. The
    # odds are 10 * 0.0069 / 0.9931 = 0.0695.
    bias = model.head.final['det'].bias
    assert bias.exp().tolist() == pytest.approx([0.0695] * 7, rel=1e-3)


@pytest.mark.slow
def test_channels_of_a_detection_come_apart():
    # A few steps on one batch: each map must find its own landmark. From
    # responses of one half all maps stay alike for hundreds of steps.
    model = build_model(tiny_model_cfg(steps=('det',))).train()
    frames, samples = clips(2, 2), random_samples(4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(25):
        loss = model(frames, samples, mode='loss')['loss_det_0']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        places = model.head.locate(model.unroll(frames)[0][-1])[0]
    truth = torch.cat([s.gt_instance_labels.keypoint_labels for s in samples])[
        :, list(model.head.det_indices)
    ]
    assert (places - truth).norm(dim=-1).median() < 4
