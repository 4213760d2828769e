"""Figures of a report: what is drawn, and where."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from builders import face_shape

from rednet_mm.analysis.report import palette, plots, render

SVG = '{http://www.w3.org/2000/svg}'
NASTY = '<script>$x_1$ & "é"'


def draw(make, *args, **kwargs):
    with render.plot_style():
        return make(*args, **kwargs)


@pytest.mark.parametrize(
    ('values', 'gap', 'moved'),
    [
        ([0, 1, 2], 0.5, [0, 1, 2]),
        # Both at 1 give way by half of the gap.
        ([1, 1], 0.5, [0.75, 1.25]),
        # In order 0, 0.1, 0.2 around 0.1; the order of the input stays.
        ([0.2, 0, 0.1], 1, [1.1, -0.9, 0.1]),
        # 0 and 0 become -0.5 and 0.5; 4 is far enough.
        ([4, 0, 0], 1, [4, -0.5, 0.5]),
    ],
)
def test_spread_by_hand(values, gap, moved):
    np.testing.assert_allclose(
        plots.spread(np.array(values, float), gap), moved
    )


def test_thin_keeps_the_peaks():
    values = np.zeros(1000)
    values[[3, 777]] = 9, -5
    places, kept = plots.thin(np.arange(1000) + 50, values, 20)
    assert len(kept) <= 40
    assert (np.diff(places) > 0).all()
    assert dict(zip(places, kept))[53] == 9
    assert dict(zip(places, kept))[827] == -5


def test_thin_leaves_short_series_and_breaks():
    short = np.arange(10.0)
    assert plots.thin(short, short, 5).tolist() == [short.tolist()] * 2
    values = np.ones(1000)
    values[500] = np.nan
    places, kept = plots.thin(np.arange(1000), values, 20)
    assert places[np.isnan(kept)].tolist() == [500]


def lines_of(figure):
    """The lines of data on the first axes, not those of the labels."""
    axes = figure.axes[0]
    return [
        line for line in axes.lines if line.get_transform() == axes.transData
    ]


def test_time_line_breaks_at_a_gap_and_marks_what_is_lost():
    frames = np.array([0, 1, 2, 7, 8])
    series = np.array([[1, 2, 3, 4, 5.0], [1, np.inf, 1, 1, 1]])
    figure = draw(plots.plot_over_time, ['a', 'b'], frames, series, 'error, %')
    one, two = lines_of(figure)
    assert one.get_xdata().tolist() == [0, 1, 2, 6.5, 7, 8]
    np.testing.assert_equal(one.get_ydata(), np.array([1, 2, 3, np.nan, 4, 5]))
    assert np.isnan(two.get_ydata()[1])
    (lost,) = [
        line.get_xdata()
        for line in figure.axes[0].lines
        if line.get_marker() == '|' and len(line.get_xdata())
    ]
    assert lost.tolist() == [1]


def test_axes_name_what_they_show():
    curve = (np.array([0.0, 5, 10]), np.array([0.0, 50, 100]))
    figure = draw(plots.plot_ced, ['a'], [curve], 10, 'eye distance')
    (axes,) = figure.axes
    assert axes.get_xlabel() == 'error of a frame, % of the eye distance'
    assert axes.get_ylabel() == 'frames up to this error, %'
    assert [text.get_text() for text in axes.texts] == ['a']


def test_circles_are_to_scale():
    face = face_shape(1)
    errors = np.full((2, 68), 10.0)
    errors[1, 17:] = np.nan
    figure = draw(plots.plot_landmarks, ['a', 'b'], face, errors)
    first, second = (axes.patches for axes in figure.axes)
    assert (len(first), len(second)) == (68, 17)
    assert first[30].radius == pytest.approx(0.1)
    np.testing.assert_allclose(first[30].center, face[30])
    # All faces at one scale, upright, and no circle is cut.
    one, two = figure.axes
    assert one.get_xlim() == two.get_xlim()
    bottom, top = one.get_ylim()
    assert bottom > face[:, 1].max() + 0.1
    assert top < face[:, 1].min() - 0.1
    assert one.get_xlim()[1] > face[:, 0].max() + 0.1


def test_groups_have_a_row_each():
    values = np.array([[4.0, 6], [5, 7]])
    figure = draw(
        plots.plot_groups,
        ['a', 'b'],
        ['common', 'challenging'],
        values,
        values - 1,
        values + 2,
        'mean error, %',
    )
    (axes,) = figure.axes
    ticks = [text.get_text() for text in axes.get_yticklabels()]
    assert ticks == ['common', 'challenging']
    assert axes.get_xlim()[1] > 9


def test_svg_is_text_in_the_colours_of_the_page():
    curve = (np.array([0.0, 10]), np.array([0.0, 100]))
    text, again = (
        render.svg(
            draw(plots.plot_ced, [NASTY] * 2, [curve] * 2, 10, 'norm'),
            'ced',
        )
        for _ in range(2)
    )
    assert text == again
    root = ElementTree.fromstring(text)
    words = [''.join(each.itertext()) for each in root.iter(f'{SVG}text')]
    # Neither markup nor a formula.
    assert words.count(NASTY) == 2
    assert 'var(--series-0)' in text
    assert 'var(--series-1)' in text
    assert not re.search('|'.join(p[0] for p in palette.THEME.values()), text)
    ids = [each.get('id') for each in root.iter() if each.get('id')]
    assert ids
    assert all(each.startswith('ced-') for each in ids)
    used = re.findall(r'(?:url\(#|href="#)([^")]+)', text)
    assert used
    assert set(used) <= set(ids)


def test_png_is_a_png():
    curve = (np.array([0.0, 10]), np.array([0.0, 100]))
    figure = draw(plots.plot_ced, [NASTY], [curve], 10, 'norm')
    assert render.image(figure).startswith(b'\x89PNG')


def test_long_videos_stay_small():
    rng = np.random.default_rng(0)
    series = rng.gamma(4, 1, (3, 25000))
    figure = draw(
        plots.plot_over_time, list('abc'), np.arange(25000), series, 'error, %'
    )
    # Two numbers of about 10 letters and a command, of 1,400 points each.
    assert len(render.svg(figure, 'long')) < 3 * 1400 * 30
