"""The flip test: a frame and its mirror image, averaged."""

import pytest
import torch
from builders import build_model, random_samples, tiny_model_cfg
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.landmarks import SEVEN_OF_68
from rednet_mm.structures import RecurrentState

FLIP = parse_pose_metainfo(FACE_68)['flip_indices']
ON = dict(flip_test=True, output_heatmaps=True)


def samples(number, flip_indices=FLIP):
    made = random_samples(number, 64)
    for sample in made:
        sample.set_metainfo(dict(flip_indices=flip_indices))
    return made


def clips(batch=2, length=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, 3, 64, 64, generator=generator)


def flipping(test_cfg=ON, **variant):
    """A model that has seen data, with clear maxima in its maps."""
    model = build_model(tiny_model_cfg(test_cfg=test_cfg, **variant)).train()
    with torch.no_grad():
        model.unroll(clips(seed=1))
        for last in model.head.final.values():
            last.weight.normal_(std=0.1)
        if 'reg' in model.head.final:
            # A map without a positive response has no maximum to find.
            model.head.final['reg'].bias.fill_(5)
    return model.eval()


def predicted(model, frames, state=None):
    """Landmarks (B, T, C, 2), maps (B, T, C, h, w) and the state."""
    number = frames.shape[:2]
    found, state = model.predict_clip(frames, samples(number.numel()), state)
    places = [torch.as_tensor(f.pred_instances.keypoints[0]) for f in found]
    maps = [f.pred_fields.heatmaps for f in found]
    return (
        torch.stack(places).unflatten(0, number),
        torch.stack(maps).unflatten(0, number),
        state,
    )


def small_head(steps, flip_indices=(2, 1, 0), **kwargs):
    """Left eye, nose, right eye on maps of 33 pixels: input pixels / 2."""
    head = MODELS.build(
        dict(
            type='REDNetHead',
            in_channels=4,
            decoder=dict(
                type='ResponseMap',
                input_size=(65, 65),
                response_size=(33, 33),
                radius=2.0,
                sigma=2.0,
            ),
            steps=steps,
            num_keypoints=3,
            **{'det_indices': (0, 2), **kwargs},
        )
    )
    sample = PoseDataSample()
    if flip_indices is not None:
        sample.set_metainfo(dict(flip_indices=list(flip_indices)))
    return head, [sample]


def drawn(draw, *faces):
    """Maps of landmarks that are given in pixels of the map."""
    return draw(2 * torch.tensor(faces, dtype=torch.float32))


# What a network says of a frame: left eye at 10, nose at 16, right eye at 22.
# Of its mirror image it says left 8, nose 14, right 20: seen from the frame,
# where x is 32 - x and left is right, left 12, nose 18, right 24.
OWN = [[10, 8], [16, 16], [22, 8]]
MIRRORED = [[8, 8], [14, 16], [20, 8]]
SEEN = [[12, 8], [18, 16], [24, 8]]
# Two like Gaussians two pixels apart have their maximum in the middle.
MEAN = [[11, 8], [17, 16], [23, 8]]


def test_regression_by_hand():
    head, sample = small_head(('reg',))
    draw = head.decoder.draw_gaussians
    maps = drawn(draw, OWN, MIRRORED)
    (found,), (field,) = head.predict_by_output([maps], sample, ON)
    places = torch.as_tensor(found.keypoints[0])
    # Map pixels times 2 are input pixels; MMPose's UDP: 64 of them are 65.
    expected = torch.tensor(MEAN) * 2 / 64 * 65
    torch.testing.assert_close(places, expected, rtol=0, atol=1e-3)
    # One pixel from either centre, sigma 2: exp(-1 / 8).
    assert found.keypoint_scores[0] == pytest.approx([0.8825] * 3, abs=1e-4)
    torch.testing.assert_close(
        field.heatmaps, drawn(draw, OWN, SEEN).mean(0), rtol=0, atol=1e-6
    )


def test_detection_by_hand():
    # The channels are 0 and 2: partners of each other, at places 0 and 1.
    head, sample = small_head(('reg', 'det'))
    draw = head.decoder.draw_discs
    logits = 40 * drawn(draw, OWN[::2], MIRRORED[::2]) - 20
    (found,), (field,) = head.predict_by_output([None, logits], sample, ON)
    both = drawn(draw, OWN[::2], SEEN[::2]).mean(0)
    torch.testing.assert_close(field.heatmaps, both, rtol=0, atol=1e-6)
    # Both discs are at the threshold: their centroid is in the middle.
    expected = torch.tensor(MEAN[::2]) * 2 / 64 * 65
    torch.testing.assert_close(
        torch.as_tensor(found.keypoints[0]), expected, rtol=0, atol=1e-3
    )


def test_off_is_as_before():
    head, sample = small_head(('reg',), flip_indices=None)
    maps = drawn(head.decoder.draw_gaussians, OWN)
    for settings in (None, dict(), dict(flip_test=False)):
        (found,) = head.predict_by_output([maps], sample, settings)
        torch.testing.assert_close(
            torch.as_tensor(found.keypoints[0]),
            torch.tensor(OWN) * 2 / 64 * 65,
            rtol=0,
            atol=1e-3,
        )


@pytest.mark.parametrize(
    'variant',
    [
        dict(init_from='previous'),
        dict(recurrent=False),
        dict(steps=('det', 'det')),
    ],
    ids=str,
)
@torch.no_grad()
def test_mirrored_input_gives_mirrored_prediction(variant):
    model = flipping(**variant)
    frames = clips()
    places, maps, _ = predicted(model, frames)
    mirrored, mirrored_maps, _ = predicted(model, frames.flip(-1))
    partners = FLIP
    if model.head.steps[-1] == 'det':
        partners = [SEVEN_OF_68.index(FLIP[i]) for i in SEVEN_OF_68]
    torch.testing.assert_close(
        mirrored_maps, maps.flip(-1)[:, :, partners], rtol=0, atol=1e-5
    )
    expected = places[:, :, partners]
    expected[..., 0] = 63 - expected[..., 0]
    torch.testing.assert_close(mirrored, expected, rtol=0, atol=1e-2)
    # Without the flip test they are not the same.
    model.test_cfg = dict(output_heatmaps=True)
    alone = predicted(model, frames)[1]
    other = predicted(model, frames.flip(-1))[1]
    assert (other - alone.flip(-1)[:, :, partners]).abs().max() > 1e-3


@pytest.mark.parametrize('init_from', ['zeros', 'previous'])
@torch.no_grad()
def test_state_is_carried_from_clip_to_clip(init_from):
    model = flipping(init_from=init_from)
    frames = clips(length=3)
    _, whole, _ = predicted(model, frames)
    _, first, state = predicted(model, frames[:, :2])
    _, second, _ = predicted(model, frames[:, 2:], state)
    torch.testing.assert_close(
        torch.cat([first, second], 1), whole, rtol=0, atol=1e-5
    )
    # Else the state could be anything.
    forgotten = predicted(model, frames[:, 2:])[1]
    assert (forgotten - second).abs().max() > 1e-4


@torch.no_grad()
def test_state_is_that_of_the_videos():
    model = flipping(init_from='previous')
    frames = clips(length=3)
    state = None
    for t in range(3):
        _, together, state = predicted(model, frames[:, t : t + 1], state)
        # K = 2, B = 2; 64 units and 68 keypoints, each twice.
        assert state.hidden.shape == state.cell.shape == (2, 2, 128)
        assert state.keypoints.shape == (2, 136, 2)
    _, _, past = predicted(model, frames[:, :2])
    # Videos can be taken out and put together, as without the flip test.
    swapped = RecurrentState.join([past.select([1]), past.select([0])])
    _, apart, _ = predicted(model, frames[[1, 0], 2:], swapped)
    torch.testing.assert_close(apart[[1, 0]], together, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_still():
    model = flipping(recurrent=False)
    frames = clips(length=1)
    found = model(frames[:, 0], samples(2), mode='predict')
    expected = predicted(model, frames)[0]
    for sample, places in zip(found, expected[:, 0]):
        assert sample.pred_instances.keypoints.shape == (1, 68, 2)
        torch.testing.assert_close(
            torch.as_tensor(sample.pred_instances.keypoints[0]), places
        )


@pytest.mark.parametrize('indices', [None, (1, 0)])
def test_needs_the_partners_of_all_landmarks(indices):
    head, sample = small_head(('reg',), indices)
    maps = torch.zeros(2, 3, 33, 33)
    with pytest.raises(ValueError, match='PackPoseInputs'):
        head.predict_by_output([maps], sample, ON)


def test_detected_landmarks_need_their_partners():
    head, sample = small_head(('det',), det_indices=(0, 1))
    maps = torch.zeros(2, 2, 33, 33)
    with pytest.raises(ValueError, match=r'\[0\].*det_indices'):
        head.predict_by_output([maps], sample, ON)
