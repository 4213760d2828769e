"""The page of a report: well formed, closed, and safe to open."""

from __future__ import annotations

from base64 import b64decode
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from rednet_mm.analysis.report import page

NASTY = '"><script>alert(1)</script>\'&'
VOID = {'meta', 'img', 'br'}


class Reader(HTMLParser):
    """Sees that elements close in order, and takes down what is there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize(
    'part',
    [
        lambda: page.paragraph(NASTY),
        lambda: page.paragraph(NASTY, 'soft'),
        lambda: page.figure('<svg></svg>', NASTY),
        lambda: page.picture(None, NASTY),
        lambda: page.picture(np.zeros((8, 8, 3), np.uint8), NASTY),
        lambda: page.key([NASTY]),
        lambda: page.text_table([NASTY], [[NASTY]]),
        lambda: page.page(NASTY, '', [page.Section('a', NASTY, '')]),
    ],
)
def test_what_comes_from_outside_is_text(part):
    read = Reader(part())
    assert 'script' not in {tag for tag, _ in read.tags}
    assert NASTY in read.words


def test_page_closes_itself_off():
    text = page.page('Title', '', [page.Section('ced', 'Curves', '<p>x</p>')])
    read = Reader(text)
    assert text.startswith('<!doctype html>')
    (policy,) = [
        each['content']
        for tag, each in read.tags
        if each.get('http-equiv') == 'Content-Security-Policy'
    ]
    assert policy.startswith("default-src 'none'")
    assert {tag for tag, _ in read.tags} & {
        'script',
        'link',
        'iframe',
    } == set()
    assert ('a', {'href': '#ced'}) in read.tags
    assert 'http://' not in text
    assert 'https://' not in text


def test_picture_is_in_the_page():
    gray = np.full((8, 12, 3), 90, np.uint8)
    read = Reader(page.picture(gray, 'a face'))
    (image,) = [each for tag, each in read.tags if tag == 'img']
    assert image['alt'] == 'a face'
    kind, _, data = image['src'].partition(',')
    assert kind == 'data:image/jpeg;base64'
    seen = cv2.imdecode(np.frombuffer(b64decode(data), np.uint8), 1)
    np.testing.assert_allclose(seen, gray, atol=2)
    assert 'not at hand' in ''.join(Reader(page.picture(None, 'x')).words)
