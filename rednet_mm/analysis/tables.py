"""One table, in every form that it is wanted in."""

import csv
import html
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union

from rednet_mm.utils.errors import UserError


class Interval(NamedTuple):
    """A figure with its confidence interval.

    Attributes:
        value (float): The figure.
        low (float): Lower end; not finite where it is not known.
        high (float): Upper end.
    """

    value: float
    low: float
    high: float


Cell = Union[str, int, float, Interval, None]


@dataclass(frozen=True)
class Table:
    """Figures with what they mean.

    Attributes:
        title (str): What is shown.
        protocol_sentence (str): How it was measured.
        columns (tuple[str]): Heads; the first is that of the rows' names.
        rows (tuple[tuple[Cell]]): As wide as ``columns``.
        note (str): What else must be said; may be empty.
    """

    title: str
    protocol_sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ''


def cell_text(cell: Cell) -> str:
    """A cell as a person reads it: two decimals, '-' for nothing."""
    if cell is None:
        return '-'
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Interval):
        text = cell_text(cell.value)
        if math.isfinite(cell.low) and math.isfinite(cell.high):
            text += f' [{cell.low:.2f}, {cell.high:.2f}]'
        return text
    if isinstance(cell, int):
        return str(cell)
    return '-' if math.isnan(cell) else f'{cell:.2f}'


def _texts(table: Table) -> list[list[str]]:
    rows = [[cell_text(cell) for cell in row] for row in table.rows]
    return [list(table.columns), *rows]


def as_text(table: Table) -> str:
    """Columns of equal width, for a terminal."""
    texts = _texts(table)
    widths = [max(map(len, column)) for column in zip(*texts)]
    lines = [
        '  '.join(
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in texts
    ]
    lines.insert(1, '-' * max(map(len, lines)))
    return '\n'.join(
        [table.title, *lines, *filter(None, [table.note])]
        + [table.protocol_sentence, '']
    )


def as_markdown(table: Table) -> str:
    """A table of GitHub's Markdown."""

    def line(cells: Sequence[str]) -> str:
        return '| ' + ' | '.join(c.replace('|', r'\|') for c in cells) + ' |'

    head, *rows = _texts(table)
    rule = '| --- |' + ' ---: |' * (len(head) - 1)
    parts = [f'### {table.title}', '', line(head), rule, *map(line, rows), '']
    if table.note:
        parts += [table.note, '']
    return '\n'.join([*parts, f'*{table.protocol_sentence}*', ''])


def as_csv(table: Table) -> str:
    """Numbers in full; an interval takes three columns."""
    wide = [
        any(isinstance(row[place], Interval) for row in table.rows)
        for place in range(len(table.columns))
    ]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow([f'# {table.title}; {table.protocol_sentence}'])
    head: list[str] = []
    for name, is_wide in zip(table.columns, wide):
        head += [name, f'{name} low', f'{name} high'] if is_wide else [name]
    writer.writerow(head)
    for row in table.rows:
        cells: list[Any] = []
        for cell, is_wide in zip(row, wide):
            if isinstance(cell, Interval):
                cells += cell
            else:
                cells += [cell, None, None] if is_wide else [cell]
        writer.writerow(cells)
    return stream.getvalue()


_LATEX = {
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    **{sign: f'\\{sign}' for sign in '&%$#_{}'},
}


def _latex_text(text: str) -> str:
    return ''.join(_LATEX.get(sign, sign) for sign in text)


def as_latex(table: Table) -> str:
    """A ``table`` with ``booktabs``; the caption holds the protocol."""
    head, *rows = [
        ' & '.join(map(_latex_text, row)) + r' \\' for row in _texts(table)
    ]
    parts = [table.title, table.note, table.protocol_sentence]
    caption = ' '.join(f'{part.rstrip(".")}.' for part in parts if part)
    columns = 'l' + 'r' * (len(table.columns) - 1)
    return '\n'.join(
        [
            r'\begin{table}',
            rf'\caption{{{_latex_text(caption)}}}',
            rf'\begin{{tabular}}{{{columns}}}',
            r'\toprule',
            head,
            r'\midrule',
            *rows,
            r'\bottomrule',
            r'\end{tabular}',
            r'\end{table}',
            '',
        ]
    )


def _plain(value: Any) -> Any:
    """A cell for JSON, which has no infinity and no NaN."""
    if isinstance(value, Interval):
        return {key: _plain(v) for key, v in value._asdict().items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def table_dict(table: Table) -> dict[str, Any]:
    """A table for a JSON file, a row being a dictionary by column."""
    return dict(
        title=table.title,
        protocol=table.protocol_sentence,
        columns=list(table.columns),
        rows=[
            {name: _plain(cell) for name, cell in zip(table.columns, row)}
            for row in table.rows
        ],
        note=table.note,
    )


def as_json(table: Table) -> str:
    """What :func:`table_dict` gives, as text."""
    return json.dumps(table_dict(table), indent=1) + '\n'


def as_html(table: Table) -> str:
    """A ``<table>`` with its caption; all that comes from files is escaped."""
    head, *rows = [
        [html.escape(text) for text in row] for row in _texts(table)
    ]
    heads = ''.join(f'<th scope="col">{text}</th>' for text in head)
    lines = [
        f'<tr><th scope="row">{row[0]}</th>'
        + ''.join(f'<td>{text}</td>' for text in row[1:])
        + '</tr>'
        for row in rows
    ]
    notes = [
        f'<p class="{kind}">{html.escape(text)}</p>'
        for kind, text in (
            ('note', table.note),
            ('protocol', table.protocol_sentence),
        )
        if text
    ]
    return '\n'.join(
        [
            '<table>',
            f'<caption>{html.escape(table.title)}</caption>',
            f'<thead><tr>{heads}</tr></thead>',
            '<tbody>',
            *lines,
            '</tbody>',
            '</table>',
            *notes,
        ]
    )


FORMATS: dict[str, Callable[[Table], str]] = {
    'text': as_text,
    'markdown': as_markdown,
    'csv': as_csv,
    'latex': as_latex,
    'json': as_json,
    'html': as_html,
}
SUFFIXES = dict(
    text='.txt',
    markdown='.md',
    csv='.csv',
    latex='.tex',
    json='.json',
    html='.html',
)


def write_table(table: Table, form: str) -> str:
    """A table in one of ``FORMATS``.

    Raises:
        UserError: for another form.
    """
    writer: Optional[Callable[[Table], str]] = FORMATS.get(form)
    if writer is None:
        raise UserError(
            f'{form!r} is not a form of tables; choose {", ".join(FORMATS)}'
        )
    return writer(table)
