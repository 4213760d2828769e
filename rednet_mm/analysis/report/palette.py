"""Colours of figures and page, in a light and a dark form.

The series colours keep their order: neighbours stay apart for the common
forms of colour blindness, on either ground. A figure is drawn once, in the
light form; in the page every colour of it is a CSS variable, so that it
follows the reader's theme.
"""

# CSS variable: (light, dark).
THEME = {
    'surface': ('#fcfcfb', '#1a1a19'),
    'ink': ('#0b0b0b', '#f4f4f2'),
    'soft': ('#52514e', '#c3c2b7'),
    'line': ('#d9d8d4', '#3a3a37'),
    'series-0': ('#2a78d6', '#3987e5'),
    'series-1': ('#eb6834', '#d95926'),
    'series-2': ('#1baf7a', '#199e70'),
    'series-3': ('#eda100', '#c98500'),
    'series-4': ('#e87ba4', '#d55181'),
    'series-5': ('#008300', '#0aa00a'),
    'series-6': ('#4a3aa7', '#9085e9'),
    'series-7': ('#e34948', '#e66767'),
}

SURFACE, INK, SOFT, LINE = (
    THEME[name][0] for name in ('surface', 'ink', 'soft', 'line')
)
SERIES = tuple(
    light for name, (light, _) in THEME.items() if name.startswith('series')
)

# A second sign beside the colour: lines on and off, in points.
DASHES = ('-', (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


def series_colour(number: int) -> str:
    """The colour of a system, the same in every figure."""
    return SERIES[number % len(SERIES)]
