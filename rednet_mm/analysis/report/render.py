"""A figure as PNG or as SVG that follows the theme of a page."""

import re
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Iterator

import matplotlib
from matplotlib.figure import Figure

from .palette import INK, LINE, SOFT, SURFACE, THEME

_RC: dict[str, Any] = {
    # Names of systems and videos are text, whatever stands in them.
    'text.parse_math': False,
    'svg.fonttype': 'none',
    'font.family': 'DejaVu Sans',
    'font.size': 9,
    'axes.titlesize': 9,
    'axes.titlelocation': 'left',
    'axes.labelsize': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.axisbelow': True,
    'axes.grid': True,
    'grid.linewidth': 0.6,
    'lines.linewidth': 1.6,
    'lines.solid_capstyle': 'round',
    'xtick.major.size': 3,
    'ytick.major.size': 0,
    **{f'{part}.facecolor': SURFACE for part in ('figure', 'axes', 'savefig')},
    **{
        f'{part}.color': colour
        for part, colour in (
            ('grid', LINE),
            ('text', INK),
            ('xtick', SOFT),
            ('ytick', SOFT),
        )
    },
    'axes.labelcolor': SOFT,
    'axes.titlecolor': INK,
    'axes.edgecolor': LINE,
}


@contextmanager
def plot_style() -> Iterator[None]:
    """The look of all figures; they are made and written inside of it."""
    with matplotlib.rc_context(_RC):
        yield


def image(figure: Figure, form: str = 'png') -> bytes:
    """A figure as a file, light.

    Args:
        figure (Figure): The figure.
        form (str): ``'png'``, ``'svg'`` or ``'pdf'``.
    """
    buffer = BytesIO()
    with plot_style():
        figure.savefig(buffer, format=form, dpi=160)
    return buffer.getvalue()


def svg(figure: Figure, key: str) -> str:
    """A figure as an ``<svg>`` element whose colours are CSS variables.

    Args:
        figure (Figure): The figure.
        key (str): Letters and digits that no other figure of the page has;
            they lead the ids of the element's parts.
    """
    buffer = BytesIO()
    with plot_style(), matplotlib.rc_context({'svg.hashsalt': key}):
        # Without metadata: dates would make every page differ.
        figure.savefig(
            buffer,
            format='svg',
            metadata=dict.fromkeys(('Creator', 'Date', 'Format', 'Type')),
        )
    text = buffer.getvalue().decode()
    text = text[text.index('<svg') :]
    text = re.sub(
        r'<metadata>.*?</metadata>|<!--.*?-->', '', text, flags=re.DOTALL
    )
    text = re.sub(r'(\bid="|url\(#|href="#)', rf'\g<1>{key}-', text)
    for name, (light, _) in THEME.items():
        text = re.sub(rf'(?<=: ){light}\b', f'var(--{name})', text)
    return text.strip()
