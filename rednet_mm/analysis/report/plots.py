"""The figures of a report; each takes arrays and gives a Figure.

Letters: S systems, N frames, K = 68 landmarks.
"""

from typing import Any, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from rednet_mm.datasets.metainfo import skeleton_68

from .palette import DASHES, INK, LINE, SOFT, series_colour

# Inches; wide enough for a page of 900 CSS pixels.
WIDTH = 8.4

# A longer series is drawn by the smallest and largest value of so many
# stretches: more cannot be told apart at this width.
STRETCHES = 700


def new_axes(height: float) -> tuple[Figure, Axes]:
    """Axes on a figure of the page's width, inches high."""
    figure = Figure(figsize=(WIDTH, height), layout='constrained')
    return figure, figure.subplots()


def spread(values: np.ndarray, gap: float) -> np.ndarray:
    """Move values apart, as little as needed, until all differ by ``gap``.

    They stay in order and around their common middle.
    """
    order = np.argsort(values, kind='stable')
    steps = gap * np.arange(len(order))
    # Values less their steps must not fall: the nearest such sequence by
    # least squares is the isotonic one, by pooling neighbours.
    pools: list[tuple[float, int]] = []
    for value in values[order] - steps:
        pool = (value, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, count = pools.pop()
            total = count + pool[1]
            pool = ((mean * count + pool[0] * pool[1]) / total, total)
        pools.append(pool)
    flat = np.concatenate([np.full(n, mean) for mean, n in pools])
    moved = np.empty(len(order))
    moved[order] = flat + steps
    return moved


def shorten(name: str, length: int = 26) -> str:
    """A name that fits beside a plot."""
    return name if len(name) <= length else f'{name[: length - 1]}…'


def label_ends(
    axes: Axes,
    names: Sequence[str],
    ends: np.ndarray,
    dashes: Sequence = DASHES[:1],
) -> None:
    """Write each system's name behind the end of its line.

    Args:
        axes (Axes): With its limits set.
        names (Sequence[str]): Of S systems.
        ends (np.ndarray): Last values, shape (S,); NaN where a line has
            none: its name comes at the bottom.
        dashes (Sequence): The lines' styles, repeated over the systems.
            Defaults to solid.
    """
    low, high = axes.get_ylim()
    shares = (np.clip(np.nan_to_num(ends, nan=low), low, high) - low) / (
        high - low
    )
    assert isinstance(axes.figure, Figure)
    gap = 13 / 72 / axes.figure.get_figheight()
    places = spread(shares, gap)
    places -= max(0.0, places.max() - 1)
    for number, (name, share, place) in enumerate(zip(names, shares, places)):
        axes.plot(
            [1.005, 1.03, 1.065],
            [share, place, place],
            color=series_colour(number),
            linestyle=dashes[number % len(dashes)],
            transform=axes.transAxes,
            clip_on=False,
        )
        axes.text(
            1.075,
            place,
            shorten(name),
            color=INK,
            va='center',
            transform=axes.transAxes,
        )


def plot_ced(
    names: Sequence[str],
    curves: Sequence[tuple[np.ndarray, np.ndarray]],
    limit: float,
    norm: str,
) -> Figure:
    """Cumulative error curves: share of frames up to each error.

    Args:
        names (Sequence[str]): Of S systems.
        curves (Sequence[tuple]): Errors in percent and the share of frames
            in percent of each system, both (P,).
        limit (float): Where the axis of errors ends, percent.
        norm (str): What the errors are percent of.
    """
    figure, axes = new_axes(3.6)
    axes.set(
        xlim=(0, limit),
        ylim=(0, 100),
        xlabel=f'error of a frame, % of the {norm}',
        ylabel='frames up to this error, %',
    )
    ends = []
    for number, (errors, shares) in enumerate(curves):
        axes.plot(
            errors,
            shares,
            color=series_colour(number),
            linestyle=DASHES[number % len(DASHES)],
            drawstyle='steps-post',
        )
        ends.append(np.interp(limit, errors, shares))
    label_ends(axes, names, np.array(ends), DASHES)
    return figure


def thin(places: np.ndarray, values: np.ndarray, most: int) -> np.ndarray:
    """Smallest and largest value of each stretch of a long series.

    Args:
        places (np.ndarray): Frame numbers, rising, shape (N,).
        values (np.ndarray): Shape (N,), NaN where there is none.
        most (int): How many stretches.

    Returns:
        np.ndarray: Places and values, shape (2, M), in order; all of them
        where M is not above ``2 * most``.
    """
    if len(values) <= 2 * most:
        return np.stack([places, values])
    keep = []
    for part in np.array_split(np.arange(len(values)), most):
        if np.isnan(values[part]).any():
            # So that the line breaks here.
            keep.append(part[[np.isnan(values[part]).argmax()]])
        if not np.isnan(values[part]).all():
            ends = {np.nanargmin(values[part]), np.nanargmax(values[part])}
            keep.append(part[sorted(ends)])
    chosen = np.unique(np.concatenate(keep))
    return np.stack([places[chosen], values[chosen]])


def plot_over_time(
    names: Sequence[str],
    frames: np.ndarray,
    series: np.ndarray,
    label: str,
    title: Optional[str] = None,
    low: Optional[float] = 0,
    threshold: Optional[float] = None,
) -> Figure:
    """A measure of each system over the frames of one video (Figure 8).

    A line breaks where the frames have a gap. Where a system gave nothing
    there is a tick in its colour above the plot.

    Args:
        names (Sequence[str]): Of S systems.
        frames (np.ndarray): Frame numbers, rising, shape (N,).
        series (np.ndarray): Shape (S, N); NaN where not measured, infinite
            where the system gave nothing.
        label (str): Name and unit of the measure.
        title (str, optional): Above the plot.
        low (float, optional): Where the axis of the measure begins; None:
            where the series do. Defaults to 0.
        threshold (float, optional): Of failure, percent; a line is drawn
            where the axis reaches it.
    """
    figure, axes = new_axes(2.9)
    ends = np.full(len(series), np.nan)
    for number, values in enumerate(series):
        lost = np.isinf(values)
        measured = np.where(lost, np.nan, values)
        style: dict[str, Any] = dict(
            color=series_colour(number),
            linewidth=1.3,
            marker='o' if len(frames) <= 40 else '',
            markersize=3.5,
        )
        axes.plot(*_with_breaks(frames, measured), **style)
        axes.plot(
            frames[lost],
            np.full(lost.sum(), 1.02 + 0.03 * number),
            '|',
            color=series_colour(number),
            markersize=4,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
        if np.isfinite(measured).any():
            ends[number] = measured[np.isfinite(measured)][-1]
    axes.set(xlabel='frame', ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.01)
    axes.set_ylim(bottom=low)
    if threshold is not None and threshold <= axes.get_ylim()[1]:
        axes.axhline(threshold, color=SOFT, linewidth=0.8)
        axes.annotate(
            f'failure above {threshold:g} %',
            (1, threshold),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, 2),
            textcoords='offset points',
            ha='right',
            color=SOFT,
            fontsize=8,
        )
    if title:
        axes.set_title(shorten(title, 90), pad=8 + 3 * len(series))
    label_ends(axes, names, ends)
    return figure


def _with_breaks(frames: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The thinned series (2, M), NaN between frames that are no neighbours."""
    gaps = np.flatnonzero(np.diff(frames) > 1) + 1
    return thin(
        np.insert(frames.astype(float), gaps, frames[gaps] - 0.5),
        np.insert(values.astype(float), gaps, np.nan),
        STRETCHES,
    )


def plot_landmarks(
    names: Sequence[str], face: np.ndarray, errors: np.ndarray
) -> Figure:
    """Mean error of each landmark as a circle on the mean face.

    Drawn to scale: a circle's radius is the mean distance to the mark.

    Args:
        names (Sequence[str]): Of S systems.
        face (np.ndarray): Mean true landmarks in units of the norm, shape
            (68, 2), y downwards.
        errors (np.ndarray): Percent of the norm, shape (S, 68); NaN where a
            landmark is not predicted or not annotated.
    """
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, 3.1 * rows), layout='constrained')
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    lines = np.full((3 * len(skeleton_68()), 2), np.nan)
    lines[0::3], lines[1::3] = face[np.array(skeleton_68()).T]
    for axes in grid:
        axes.set_axis_off()
    # Room for the largest circle; rows of images go down.
    reach = np.nanmax(errors, initial=0) / 100 + 0.05
    left, top = np.nanmin(face, axis=0) - reach
    right, bottom = np.nanmax(face, axis=0) + reach
    for number, (axes, name) in enumerate(zip(grid, names)):
        axes.plot(*lines.T, color=LINE, linewidth=1)
        axes.plot(*face.T, '.', color=SOFT, markersize=2)
        for mark, error in zip(face, errors[number] / 100):
            if np.isfinite(error + mark).all():
                _circle(axes, mark, error, series_colour(number))
        axes.set_title(shorten(name, 34))
        axes.set(aspect='equal', xlim=(left, right), ylim=(bottom, top))
        if number % columns == 0:
            _scale_bar(axes, face)
    return figure


def _circle(
    axes: Axes, centre: np.ndarray, radius: float, colour: str
) -> None:
    axes.add_patch(
        Circle(
            tuple(centre),
            radius,
            facecolor=colour,
            alpha=0.35,
            edgecolor=colour,
            linewidth=0.8,
        )
    )


def _scale_bar(axes: Axes, face: np.ndarray) -> None:
    """A bar that is a tenth of the norm long, below the chin on the left."""
    left, bottom = np.nanmin(face[:, 0]), np.nanmax(face[:, 1])
    axes.plot([left, left + 0.1], [bottom, bottom], color=INK, linewidth=2)
    axes.text(left, bottom - 0.03, '10 %', color=INK, va='bottom', ha='left')


def plot_groups(
    names: Sequence[str],
    groups: Sequence[str],
    values: np.ndarray,
    lows: np.ndarray,
    highs: np.ndarray,
    label: str,
) -> Figure:
    """Error of each system in each group, with its interval.

    Args:
        names (Sequence[str]): Of S systems.
        groups (Sequence[str]): Of G groups, with their sizes.
        values (np.ndarray): Shape (S, G).
        lows (np.ndarray): Lower ends of the intervals, shape (S, G).
        highs (np.ndarray): Upper ends, shape (S, G).
        label (str): Name and unit of the values.
    """
    count = len(names)
    height = 0.9 + len(groups) * (0.2 + 0.17 * count)
    figure, axes = new_axes(height)
    for number in range(count):
        places = np.arange(len(groups)) + (number - (count - 1) / 2) * (
            0.7 / count
        )
        axes.errorbar(
            values[number],
            places,
            xerr=[
                values[number] - lows[number],
                highs[number] - values[number],
            ],
            fmt='o',
            color=series_colour(number),
            markersize=5,
            capsize=2.5,
            linewidth=1.4,
        )
        for place, high in zip(places, highs[number]):
            axes.annotate(
                shorten(names[number]),
                (high, place),
                xytext=(6, 0),
                textcoords='offset points',
                va='center',
                color=SOFT,
                fontsize=8,
            )
    axes.set_yticks(range(len(groups)), [shorten(name) for name in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlim(0, 1.3 * np.nanmax(highs))
    axes.grid(axis='y', visible=False)
    axes.set_xlabel(label)
    return figure
