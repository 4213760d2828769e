"""Straight lines through what was measured, shared by the benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Share of a point that it may lie beside a line that counts as straight.
STRAIGHT = 0.15

MB = 1e6


@dataclass(frozen=True)
class Line:
    """``value = start + slope * size``.

    Attributes:
        start (float): At no size.
        slope (float): Of one more.
        off (float): How far the line passes the points, at the most, each
            as a share of the point.
    """

    start: float
    slope: float
    off: float

    @property
    def straight(self) -> bool:
        """Whether the points lie on it, as far as can be told."""
        return self.off <= STRAIGHT


def line_through(sizes: Sequence[float], values: Sequence[float]) -> Line:
    """The line of least squares.

    Args:
        sizes (Sequence[float]): Two different ones or more.
        values (Sequence[float]): What was measured of each; none is 0.
    """
    slope, start = np.polyfit(sizes, values, 1)
    points = np.asarray(values, float)
    beside = np.abs(start + slope * np.asarray(sizes) - points)
    return Line(
        float(start), float(slope), float((beside / np.abs(points)).max())
    )


@dataclass(frozen=True)
class Growth:
    """A table of what is taken by more and more of something.

    Attributes:
        title (str): What is measured.
        size (str): The column of what there is more and more of.
        rows (list[dict]): A column a key, all rows the same.
        straight (tuple[str]): Columns that grow with the size.
        constant (tuple[str]): Columns that do not.
    """

    title: str
    size: str
    rows: list[dict[str, Any]]
    straight: tuple[str, ...]
    constant: tuple[str, ...] = ()

    def lines(self) -> dict[str, Line]:
        """Through each column that the size has to do with."""
        sizes = [row[self.size] for row in self.rows]
        return {
            column: line_through(sizes, [row[column] for row in self.rows])
            for column in (*self.straight, *self.constant)
        }

    def ratios(self) -> dict[str, float]:
        """The largest of a column over its smallest, where it is constant."""
        values = {
            column: [row[column] for row in self.rows]
            for column in self.constant
        }
        return {
            column: max(each) / min(each) for column, each in values.items()
        }
