"""Response maps: what is drawn, what is read back, in which units."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmpose.codecs import UDPHeatmap

from rednet_mm.codecs import ResponseMap, response_map

# Input (W, H), response map (w, h), radius and sigma in map pixels.
SHAPES = [
    ((64, 64), (32, 32), 1.5),
    ((128, 96), (64, 48), 2.5),
    ((256, 256), (128, 128), 5.0),
]


def codec_of(shape) -> ResponseMap:
    input_size, response_size, spread = shape
    return ResponseMap(input_size, response_size, spread, spread)


def spread_places(codec: ResponseMap, count: int = 1500) -> torch.Tensor:
    """Random places (1, count, 2) anywhere on the map, map pixels."""
    generator = torch.Generator().manual_seed(0)
    limit = torch.tensor(codec.response_size) - 1.0
    return torch.rand(1, count, 2, generator=generator) * limit


def margin(places: torch.Tensor, codec: ResponseMap) -> torch.Tensor:
    """Map pixels from each place to the nearest border."""
    limit = torch.tensor(codec.response_size) - 1.0
    return torch.minimum(places, limit - places).amin(-1)


def input_pixels(places: torch.Tensor, codec: ResponseMap) -> torch.Tensor:
    return places * torch.tensor(codec.stride)


def test_stride_joins_the_corner_pixels():
    # 63 input pixels between the corners of 64, 31 between those of 32.
    codec = codec_of(SHAPES[0])
    assert codec.stride == (63 / 31, 63 / 31)
    codec = codec_of(SHAPES[1])
    assert codec.stride == (127 / 63, 95 / 47)


@pytest.mark.parametrize('shape', SHAPES)
def test_gaussian_round_trip(shape):
    codec = codec_of(shape)
    places = spread_places(codec)
    # Some on the border itself, where half of the response is cut off.
    places[:, :50, 0] = 0
    places[:, 50:99, 1] = codec.response_size[1] - 1
    maps = codec.draw_gaussians(input_pixels(places, codec))
    found, scores = codec.decode_gaussians(maps)
    assert (found - places).abs().max() <= 0.02
    # Half a pixel off in x and y is as far as the nearest pixel can be.
    lowest = math.exp(-0.5 * 2 * 0.5**2 / codec.sigma**2)
    assert scores.min() >= lowest - 1e-5
    assert scores.max() <= 1


@pytest.mark.parametrize('shape', SHAPES)
def test_disc_round_trip(shape):
    codec = codec_of(shape)
    places = spread_places(codec, 400)
    discs = codec.draw_discs(input_pixels(places, codec))
    found, scores = codec.decode_discs(discs)
    error = (found - places).abs().amax(-1)
    whole = margin(places, codec) >= codec.radius
    assert whole.sum() > 50
    assert error[whole].max() < 0.5
    # Of a disc whose centre is on the border a half is left; its centre of
    # mass is 4 r / (3 pi) = 0.42 r further in.
    assert error.max() < 0.5 + 4 * codec.radius / (3 * math.pi)
    assert (scores == 1).all()


def test_disc_of_radius_5_has_its_area_on_average():
    codec = codec_of(SHAPES[2])
    places = spread_places(codec, 400)
    whole = margin(places, codec) >= codec.radius
    discs = codec.draw_discs(input_pixels(places, codec))
    assert set(discs.unique().tolist()) == {0.0, 1.0}
    area = discs.sum((2, 3))[whole]
    assert area.mean().item() == pytest.approx(math.pi * 25, rel=0.01)
    # No single disc is off by more than its rim, a pixel wide, might be.
    assert (area - math.pi * 25).abs().max() < 2 * math.pi * 5 / 2


def test_disc_by_hand():
    # radius 1.5 round (10, 7): all of the 3 x 3 pixels are within
    # sqrt(2) = 1.41, the next at a distance of 2.
    codec = codec_of(SHAPES[0])
    disc = codec.draw_discs(input_pixels(torch.tensor([[[10.0, 7]]]), codec))
    expected = torch.zeros(32, 32)
    expected[6:9, 9:12] = 1
    assert torch.equal(disc[0, 0], expected)


def test_gaussian_by_hand():
    codec = ResponseMap((64, 64), (32, 32), radius=2, sigma=2)
    place = torch.tensor([[[10.0, 7.0], [10.5, 7.0]]])
    maps = codec.draw_gaussians(input_pixels(place, codec))[0]
    # exp(-(dx^2 + dy^2) / (2 * 4)) at row y, column x.
    for column, row, value in [
        (10, 7, 1.0),
        (12, 7, math.exp(-4 / 8)),  # one sigma away: 0.6065
        (10, 11, math.exp(-16 / 8)),  # two: 0.1353
        (13, 3, math.exp(-25 / 8)),  # 3 right, 4 up: 0.0439
    ]:
        assert maps[0, row, column].item() == pytest.approx(value, abs=1e-6)
    # Half a pixel to either neighbour: exp(-0.25 / 8).
    assert maps[1, 7, 10].item() == pytest.approx(0.96923, abs=1e-5)
    assert maps[1, 7, 11].item() == pytest.approx(0.96923, abs=1e-5)


@pytest.mark.parametrize('shape', SHAPES)
def test_flipped_marks_draw_the_flipped_map(shape):
    codec = codec_of(shape)
    marks = input_pixels(spread_places(codec, 68), codec)
    mirrored = marks.clone()
    mirrored[..., 0] = codec.input_size[0] - 1 - marks[..., 0]
    torch.testing.assert_close(
        codec.draw_gaussians(mirrored),
        codec.draw_gaussians(marks).flip(-1),
        rtol=0,
        atol=1e-5,
    )
    assert torch.equal(
        codec.draw_discs(mirrored), codec.draw_discs(marks).flip(-1)
    )


def test_encode_masks_what_cannot_be_supervised():
    codec = ResponseMap((64, 48), (32, 24))
    marks = [
        ([10, 20], 1, 1),  # plain
        ([10, 20], 0, 0),  # not annotated
        ([-0.5, 47.4], 1, 1),  # on the rim of the corner pixel
        ([-0.6, 20], 1, 0),  # left of the input
        ([63.5, 20], 1, 0),  # its right rim belongs to the next pixel
        ([10, 47.5], 1, 0),  # below
        ([np.nan, 20], 1, 0),
        ([10, np.inf], 1, 0),
    ]
    points, visible, expected = zip(*marks)
    encoded = codec.encode(
        np.array([points], np.float64), np.array([visible], np.float32)
    )
    weights, labels = encoded['keypoint_weights'], encoded['keypoint_labels']
    assert weights.dtype == labels.dtype == np.float32
    assert weights.shape == (1, 8)
    assert labels.shape == (1, 8, 2)
    np.testing.assert_array_equal(weights[0], expected)
    assert np.isfinite(labels).all()
    np.testing.assert_allclose(labels[0, 0], [10, 20])
    drawn = codec.draw_gaussians(torch.from_numpy(labels))
    assert drawn.isfinite().all()


def test_encode_without_visibility_supervises_all_inside():
    encoded = ResponseMap((64, 64), (32, 32)).encode(
        np.array([[[5.0, 5], [70, 5]]])
    )
    np.testing.assert_array_equal(encoded['keypoint_weights'], [[1, 0]])


@pytest.mark.parametrize('shape', SHAPES)
def test_noise_moves_the_place_little(shape):
    # The matched window averages noise: its mean effect is the same few
    # hundredths of a pixel at every sigma, noise being 5 % of the peak.
    codec = codec_of(shape)
    places = spread_places(codec, 600)
    maps = codec.draw_gaussians(input_pixels(places, codec))
    generator = torch.Generator().manual_seed(1)
    maps = maps + 0.05 * torch.randn(maps.shape, generator=generator)
    found, _ = codec.decode_gaussians(maps)
    error = (found - places).norm(dim=-1)
    inside = margin(places, codec) >= 3 * codec.sigma
    assert error[inside].mean() < 0.08
    assert error[inside].max() < 0.3


@pytest.mark.parametrize('kind', ['det', 'reg'])
@pytest.mark.parametrize('level', [0.0, -1.0])
def test_empty_map_gives_a_finite_place_and_no_score(kind, level):
    codec = codec_of(SHAPES[0])
    maps = torch.full((2, 3, 32, 32), level)
    places, scores = codec.decode_maps(maps, kind)
    assert places.shape == (2, 3, 2)
    assert places.isfinite().all()
    assert (places >= 0).all()
    assert (places <= 63).all()
    assert (scores == 0).all()


def test_scores_are_cut_to_one():
    maps = torch.zeros(1, 1, 32, 32)
    maps[0, 0, 5, 6] = 1.7
    places, scores = codec_of(SHAPES[0]).decode_maps(maps, 'reg')
    assert scores.item() == 1
    # A single pixel, x 6 and y 5, times the stride 63 / 31.
    np.testing.assert_allclose(
        places[0, 0], [6 * 63 / 31, 5 * 63 / 31], atol=1e-4
    )


def test_weak_disc_is_found_by_half_of_its_height():
    codec = codec_of(SHAPES[0])
    weak = 0.2 * codec.draw_discs(torch.tensor([[[30.0, 22.0]]]))
    places, scores = codec.decode_maps(weak, 'det')
    assert scores.item() == pytest.approx(0.2)
    assert (places[0, 0] - torch.tensor([30.0, 22])).abs().max() < 1


def test_disc_elsewhere_does_not_draw_the_centroid():
    # A lone pixel far from the disc must not pull on it.
    codec = codec_of(SHAPES[2])
    disc = codec.draw_discs(torch.tensor([[[100.0, 100.0]]]))
    alone, _ = codec.decode_discs(disc)
    disc[0, 0, 10, 110] = 1
    found, _ = codec.decode_discs(disc)
    assert torch.equal(found, alone)


def test_input_pixels_with_uneven_strides():
    # Strides 127 / 63 and 95 / 47: places come back in input pixels.
    codec = codec_of(SHAPES[1])
    marks = torch.tensor([[[64.0, 48.0], [31.3, 57.7]]])
    found, _ = codec.decode_maps(codec.draw_gaussians(marks), 'reg')
    torch.testing.assert_close(found, marks, rtol=0, atol=0.05)


def test_target_is_that_of_mmpose_udp():
    # MMPose cuts its Gaussian to a patch of 3 sigma, whose corner is at a
    # whole pixel for a whole number of 3 sigma only: sigma 2.
    codec = ResponseMap((64, 64), (32, 32), radius=2, sigma=2)
    marks = input_pixels(spread_places(codec, 68), codec)
    theirs = UDPHeatmap((64, 64), (32, 32), sigma=2).encode(marks.numpy())
    ours = codec.draw_gaussians(marks)[0].numpy()
    patch = theirs['heatmaps'] > 0
    assert patch.sum() > 68 * 7 * 7
    np.testing.assert_allclose(
        ours[patch], theirs['heatmaps'][patch], rtol=0, atol=1e-3
    )
    # Outside it at least 3 sigma less the rounding of the centre away.
    assert ours[~patch].max() < math.exp(-0.5 * (6 - 0.5) ** 2 / 4)


@pytest.mark.parametrize('shape', SHAPES)
def test_decode_speaks_the_units_of_mmpose_udp(shape):
    input_size, response_size, sigma = shape
    codec = codec_of(shape)
    places = spread_places(codec, 400)
    inside = margin(places, codec)[0] >= 3 * sigma
    marks = input_pixels(places[:, inside], codec)
    maps = codec.draw_gaussians(marks)[0].numpy()
    theirs, their_scores = UDPHeatmap(
        input_size, response_size, sigma=sigma
    ).decode(maps.copy())
    ours, our_scores = codec.decode(maps.copy())
    assert ours.shape == theirs.shape == (1, len(maps), 2)
    assert our_scores.shape == their_scores.shape == (1, len(maps))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.1)
    np.testing.assert_allclose(our_scores, their_scores, atol=1e-6)
    # A share of the box times the input: x / (W - 1) * W.
    width, height = input_size
    shares = marks[0].numpy() / [width - 1, height - 1]
    np.testing.assert_allclose(ours[0], shares * input_size, atol=0.05)


def test_maps_lie_in_memory_as_the_networks_output_does():
    # Else the gradient of the loss is laid out otherwise than the features,
    # and the backward pass of the last layers takes several times as long.
    codec = ResponseMap((64, 64), (32, 32))
    keypoints = 63 * torch.rand(2, 5, 2)
    for maps in (codec.draw_discs(keypoints), codec.draw_gaussians(keypoints)):
        assert maps.shape == (2, 5, 32, 32)
        assert maps.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('shape', SHAPES)
def test_spread_of_known_maps(shape):
    codec = codec_of(shape)
    middle = torch.tensor(codec.input_size).float()[None, None] / 2
    # The fourth power of a Gaussian of sigma s is one of s / 2, a disc stays
    # one: of radius r, its mean square in x is r^2 / 4. Twice the root.
    gaussian = codec.spread(codec.draw_gaussians(middle), middle)
    assert gaussian.shape == (1, 1)
    assert gaussian.item() == pytest.approx(codec.sigma, rel=0.01)
    disc = codec.spread(codec.draw_discs(middle), middle)
    assert disc.item() == pytest.approx(codec.radius, rel=0.2)


def test_spread_grows_with_a_second_peak_and_is_wide_without_any():
    codec = codec_of(SHAPES[1])  # 64 x 48, 127/63 and 95/47 input pixels
    ends = torch.tensor([[[20.0, 24], [44, 24]]]) * torch.tensor(codec.stride)
    maps = codec.draw_gaussians(ends)
    both = codec.spread(maps.sum(1, keepdim=True), ends[:, :1])
    # Half of the mass is 24 pixels away in x: its mean square is
    # s^2 / 4 in x and y, and 24^2 / 2 in x; one half of their sum, twice
    # the root.
    by_hand = 2 * math.sqrt(codec.sigma**2 / 4 + 24**2 / 4)
    assert both.item() == pytest.approx(by_hand, rel=0.01)
    # Nothing is like the same everywhere: (64^2 - 1 + 48^2 - 1) / 24 about
    # the middle, and twice the root.
    middle = torch.tensor([[[31.5, 23.5]]]) * torch.tensor(codec.stride)
    empty = codec.spread(torch.full((1, 1, 48, 64), -1.0), middle)
    even = 2 * math.sqrt((64**2 + 48**2 - 2) / 24)
    assert empty.item() == pytest.approx(even)


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('noise', [0.05, 1.0])
def test_looking_only_about_the_maximum_finds_the_same_place(
    shape, noise, monkeypatch
):
    codec = codec_of(shape)
    maps = codec.draw_gaussians(input_pixels(spread_places(codec, 300), codec))
    generator = torch.Generator().manual_seed(1)
    maps = maps + noise * torch.randn(maps.shape, generator=generator)
    found, scores = codec.decode_maps(maps, 'reg')
    # So far that every square is the whole map.
    monkeypatch.setattr(response_map, 'WINDOW_SIGMAS', 100)
    everywhere, same = codec.decode_maps(maps, 'reg')
    np.testing.assert_array_equal(scores, same)
    np.testing.assert_allclose(found, everywhere, atol=1e-3)


def test_of_equal_maxima_the_first_pixel_is_the_peak():
    maps = torch.zeros(1, 2, 32, 32)
    maps[0, 0, 7, 20] = maps[0, 0, 7, 4] = maps[0, 0, 9, 1] = 0.5
    peak, scores = codec_of(SHAPES[0])._peak(maps)
    np.testing.assert_array_equal(peak[0], [[4, 7], [0, 0]])
    np.testing.assert_array_equal(scores[0], [0.5, 0])
