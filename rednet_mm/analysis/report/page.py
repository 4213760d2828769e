"""One HTML page that needs nothing but itself.

Whatever comes from outside (names of systems, videos, paths) goes through
:func:`escape`; the page's own policy forbids scripts and the network.
"""

import base64
from dataclasses import dataclass
from html import escape
from typing import Optional, Sequence

import cv2
import numpy as np

from .palette import THEME
from .style_sheet import CSS

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_QUALITY = 82


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        key (str): Its anchor.
        title (str): Its heading, plain text.
        body (str): HTML.
    """

    key: str
    title: str
    body: str


def paragraph(text: str, kind: str = '') -> str:
    """Plain text as a paragraph, with a class of the style sheet."""
    attribute = f' class="{kind}"' if kind else ''
    return f'<p{attribute}>{escape(text)}</p>'


def figure(svg: str, caption: str) -> str:
    """An ``<svg>`` element with its caption, plain text."""
    return (
        f'<figure><div class="scroll">{svg}</div>'
        f'<figcaption>{escape(caption)}</figcaption></figure>'
    )


def picture(image: Optional[np.ndarray], caption: str) -> str:
    """An image (H, W, 3), BGR, or the word that it is not there."""
    shown = '<p class="soft">the image is not at hand</p>'
    if image is not None:
        quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        _, jpeg = cv2.imencode('.jpg', image, quality)
        data = base64.b64encode(jpeg.tobytes()).decode()
        shown = (
            f'<img src="data:image/jpeg;base64,{data}" '
            f'alt="{escape(caption)}">'
        )
    return (
        f'<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>'
    )


def key(names: Sequence[str]) -> str:
    """The systems and their colours."""
    colours = [name for name in THEME if name.startswith('series')]
    items = [
        f'<li><i style="background: var(--{colours[i % len(colours)]})"></i>'
        f'{escape(name)}</li>'
        for i, name in enumerate(names)
    ]
    return f'<ul class="key">{"".join(items)}</ul>'


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of words."""
    head = ''.join(f'<th scope="col">{escape(each)}</th>' for each in columns)
    body = ''.join(
        '<tr>' + ''.join(f'<td>{escape(each)}</td>' for each in row) + '</tr>'
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="text"><thead><tr>{head}</tr>'
        f'</thead><tbody>{body}</tbody></table></div>'
    )


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole document.

    Args:
        title (str): Plain text.
        lead (str): HTML below the title.
        sections (Sequence[Section]): In order.
    """
    links = ''.join(
        f'<li><a href="#{each.key}">{escape(each.title)}</a></li>'
        for each in sections
    )
    bodies = '\n'.join(
        f'<section id="{each.key}"><h2>{escape(each.title)}</h2>\n'
        f'{each.body}\n</section>'
        for each in sections
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{lead}
<nav><ul>{links}</ul></nav>
{bodies}
</body>
</html>
"""
