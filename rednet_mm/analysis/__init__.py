"""Comparison of systems, tables, robustness, reports; above ``evaluation``.

* ``comparison``: systems side by side, ``bootstrap``: their intervals;
  ``seeds``: several trainings of each;
* ``smoothing``: the One Euro filter, baseline of claims about jitter;
* ``box_robustness``: error against shift and scale of the box;
* ``tables``: one table in every format; ``report``: one page.
"""

from .comparison import Comparison, compare
from .smoothing import smoothed

__all__ = [
    'Comparison',
    'compare',
    'smoothed',
]
