"""A report of a comparison as files."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Sequence, Union

import cv2
import numpy as np

from rednet_mm.datasets import LoadVideoFrame
from rednet_mm.utils.io import atomic_write
from rednet_mm.visualization.drawing import contact_sheet

from ..comparison import Comparison
from ..tables import Table, as_csv, as_html, as_latex, as_markdown
from . import page
from .content import Drawing, Face, drawings, worst_faces
from .page import Section
from .render import image, svg
from .worst_frames import SIDE

# A longer table is folded up on the page.
_FOLD = 16

TITLES = {
    'tables': 'Tables',
    'ced': 'Cumulative error',
    'time': 'Over time',
    'groups': 'Groups',
    'landmarks': 'Landmarks',
    'worst': 'Worst frames',
}

# What is said in place of figures that there cannot be.
_ABSENT = {
    'time': 'These are still images: nothing runs over time.',
    'groups': 'The protocol has no groups.',
    'landmarks': 'The mean face is drawn of 68 points; these data have '
    'others.',
}


def write_report(
    comparison: Comparison,
    out: Union[str, Path],
    videos: Sequence[str] = (),
) -> Path:
    """Write all of a report into a folder.

    ``report.html`` needs no other file and no network. ``report.md`` shows
    ``figures/*.png``; ``tables/*.csv`` and ``tables.tex`` hold the tables.
    The files come whole: none is put in place before all are made.

    Args:
        comparison (Comparison): What :func:`rednet_mm.evaluation.summary.\
compare` gives.
        out (str or Path): The folder; made where it is not there. Files of
            an earlier report of the same names are replaced.
        videos (Sequence[str]): Names of videos to draw over time, beside
            the worst and the most different one.

    Returns:
        Path: The page.

    Raises:
        UserError: if there is no such video.
    """
    tables = comparison.tables(landmarks=True)
    plots = drawings(comparison, videos)
    load = LoadVideoFrame(ignore_empty=True)
    worst = {
        name: worst_faces(comparison, system, load)
        for system, name in enumerate(comparison.names)
    }
    files: dict[str, bytes] = {
        'report.html': _html(comparison, tables, plots, worst).encode(),
        'report.md': _markdown(comparison, tables, plots).encode(),
        'tables.tex': '\n'.join(map(as_latex, tables)).encode(),
    }
    for number, table in enumerate(tables, 1):
        name = f'tables/{number:02d}-{_slug(table.title)}.csv'
        files[name] = as_csv(table).encode()
    for each in plots:
        files[f'figures/{each.key}.png'] = image(each.figure)
    for number, faces in enumerate(worst.values(), 1):
        images = [each.image for each in faces if each.image is not None]
        if images:
            files[f'figures/worst-{number}.png'] = _png_sheet(images)
    write_files(Path(out), files)
    return Path(out) / 'report.html'


def _html(
    comparison: Comparison,
    tables: Sequence[Table],
    plots: Sequence[Drawing],
    worst: dict[str, list[Face]],
) -> str:
    bodies = {'tables': '\n'.join(map(_table_html, tables))}
    for section in ('ced', 'time', 'groups', 'landmarks'):
        bodies[section] = '\n'.join(
            page.figure(svg(each.figure, each.key), each.caption)
            for each in plots
            if each.section == section
        ) or page.paragraph(_ABSENT[section], 'soft')
    bodies['worst'] = _worst_html(worst)
    return page.page(
        title_of(comparison),
        page.key(comparison.names)
        + page.paragraph(data_of(comparison))
        + page.paragraph(comparison.protocol.sentence(), 'protocol'),
        [Section(key, TITLES[key], body) for key, body in bodies.items()],
    )


def title_of(comparison: Comparison) -> str:
    """What is compared, for the top of the page."""
    names = comparison.names
    what = ', '.join(names) if len(names) < 4 else f'{len(names)} systems'
    return f'Facial landmarks: {what}'


def data_of(comparison: Comparison) -> str:
    """What was measured on, in a sentence."""
    records = comparison.summaries[0].records
    present = len(np.unique(records.tracks))
    if records.is_video:
        return f'{len(records):,} frames of {present:,} tracks in videos.'
    return f'{len(records):,} faces in still images.'


def _table_html(table: Table) -> str:
    """A table, folded up where it is long, intervals below their figures."""
    text = re.sub(
        r'<td>([^<]*) (\[[^<]*\])</td>',
        r'<td>\1<br><small>\2</small></td>',
        as_html(table),
    )
    text = f'<div class="scroll">{text}</div>'
    if len(table.rows) < _FOLD:
        return text
    summary = page.escape(f'{table.title}: {len(table.rows)} rows')
    return f'<details><summary>{summary}</summary>{text}</details>'


def _worst_html(worst: dict[str, list[Face]]) -> str:
    parts = [
        page.paragraph(
            'The frames with the largest errors, one of each track; frames '
            'without prediction are counted in the tables and not shown. '
            'Blue: the true landmarks, orange: the predicted ones.'
        )
    ]
    for name, faces in worst.items():
        parts.append(f'<h3>{page.escape(name)}</h3>')
        if all(each.image is None for each in faces):
            parts.append(
                page.paragraph(
                    'The image files are not at hand; the frames are:', 'soft'
                )
            )
            rows = [(each.error, each.where, each.others) for each in faces]
            heads = ['error', 'frame', 'other methods']
            parts.append(page.text_table(heads, rows))
            continue
        pictures = [page.picture(each.image, each.caption) for each in faces]
        parts.append(f'<div class="faces">{"".join(pictures)}</div>')
    return '\n'.join(parts)


def _markdown(
    comparison: Comparison,
    tables: Sequence[Table],
    plots: Sequence[Drawing],
) -> str:
    lines = [f'# {title_of(comparison)}', '', data_of(comparison), '']
    lines += map(as_markdown, tables)
    for each in plots:
        lines += [
            f'![{each.key}](figures/{each.key}.png)',
            '',
            each.caption,
            '',
        ]
    return '\n'.join(lines)


def _slug(title: str) -> str:
    return re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')[:40]


def _png_sheet(images: Sequence[np.ndarray]) -> bytes:
    sheet = contact_sheet(images, min(len(images), 3), SIDE)
    return cv2.imencode('.png', sheet)[1].tobytes()


def write_files(out: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder: all beside their places, then move them."""
    with ExitStack() as stack:
        for name, data in files.items():
            stack.enter_context(atomic_write(out / name)).write_bytes(data)
