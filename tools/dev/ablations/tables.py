"""Metrics of the runs in the paper's form, and what they say of its claims."""

from collections.abc import Sequence
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any, Optional

from rednet_mm.analysis.seeds import (
    SeedComparison,
    compare_seeds,
    interval_note,
)
from rednet_mm.analysis.tables import (
    Cell,
    Interval,
    Table,
    as_markdown,
    cell_text,
)
from rednet_mm.evaluation import (
    FaceLandmarkMetric,
    LandmarkRecords,
    read_dump,
)

from .network import measure_network
from .paper import CHALLENGING, CLAIMS, COMMON, FULL, TABLES, Claim
from .runs import DUMP, Runs

# Of which metrics a claim's difference is shown; the first decides.
SHOWN = {
    'error': FULL[0],
    'error, common': COMMON[0],
    'error, challenging': CHALLENGING[0],
    'failures': FULL[2],
}


@cache
def read_records(path: Path) -> LandmarkRecords:
    """Predictions of a run; read once."""
    return read_dump(str(path), path.parent.name)


@cache
def network_metrics(runs: Runs, row: str) -> dict[str, float]:
    """Size and speed of a row's network; measured once a table."""
    return measure_network(runs.rows[row][0][-1].cfg)


def row_records(runs: Runs, row: str) -> list[LandmarkRecords]:
    """Predictions of a row's trainings, as far as they are tested."""
    return [
        read_records(runs.folder(stages) / DUMP) for stages in runs.tested(row)
    ]


def compare_rows(
    runs: Runs, rows: Sequence[str], points: Sequence[LandmarkRecords] = ()
) -> SeedComparison:
    """Rows on the points that all of them predict.

    Args:
        runs (Runs): Where they are.
        rows (Sequence[str]): Names of configs; all are tested.
        points (Sequence[LandmarkRecords]): Others whose points count.
    """
    found = {row: row_records(runs, row) for row in rows}
    systems = [*points, *(each for own in found.values() for each in own)]
    fewest = min(systems, key=lambda each: len(each.points))
    metric = landmark_metric(runs.tested(rows[0])[0][-1].cfg.test_evaluator)
    return compare_seeds(found, metric.protocol(fewest))


def landmark_metric(evaluators: Any) -> FaceLandmarkMetric:
    """The metric of landmarks among a config's evaluators."""
    if not isinstance(evaluators, (list, tuple)):
        evaluators = [evaluators]
    (settings,) = [e for e in evaluators if e.type == 'FaceLandmarkMetric']
    return FaceLandmarkMetric(
        **{key: value for key, value in settings.items() if key != 'type'}
    )


def paper_table(runs: Runs, name: str) -> Table:
    """A table of the paper: our metrics, the paper's in brackets."""
    table = TABLES[name]
    own_rows = [row for row in table['rows'] if row[1] in runs.rows]
    systems = [
        each for _, row, _ in own_rows for each in row_records(runs, row)
    ]
    rows, numbers, sentences = [], [1], []
    for label, row, paper in own_rows:
        cells = ['-'] * len(table['columns'])
        tested = runs.tested(row)
        if tested:
            found = compare_rows(runs, [row], systems)
            cells = [
                cell_text(_figure(runs, row, found, *metric))
                for _, metric in table['columns']
            ]
            sentences.append(found.comparison.protocol.sentence())
            numbers.append(len(tested))
        rows.append(
            (
                label,
                *map(_with_papers, cells, paper),
                str(len(tested)),
                f'`{row}`',
            )
        )
    heads = [title for title, _ in table['columns']]
    return Table(
        f'{name}: {table["about"]}',
        '; '.join(dict.fromkeys(sentences)) or 'nothing is tested',
        ('', *heads, 'trainings', 'config'),
        tuple(rows),
        f'In square brackets: {interval_note(numbers)}. In round ones: the '
        "paper's metrics, of other data and networks.",
    )


def _with_papers(own: str, given: Optional[float]) -> str:
    """Our figure and the paper's, where it has one."""
    return own if given is None else f'{own} ({given})'


def _figure(
    runs: Runs,
    row: str,
    found: SeedComparison,
    group: Optional[str],
    metric: str,
) -> Cell:
    """A metric of a row, '' for all frames; no group: of its network."""
    if group is None:
        return network_metrics(runs, row)[metric]
    if group not in found.comparison.bootstrap:
        return None
    return found.metric(row, metric, group)


def verdict(difference: Interval, trainings: int) -> str:
    """Whether a difference of errors points the paper's way.

    Args:
        difference (Interval): The better row's less the other's.
        trainings (int): Of the row that has fewer; one training says
            nothing about others, however many images it is tested on.
    """
    if trainings < 2 or isnan(difference.low):
        return 'not known'
    if difference.high < 0:
        return 'yes'
    return 'no' if difference.low > 0 else 'undecided'


def claims_table(runs: Runs) -> Table:
    """The paper's claims, and whether the metrics point its way."""
    rows: list[tuple[Cell, ...]] = []
    numbers, sentences = [1], []
    for claim in CLAIMS:
        if claim.better not in runs.rows or claim.other not in runs.rows:
            continue
        both = [len(runs.tested(each)) for each in claim[2:]]
        if not all(both):
            nothing = [None] * len(SHOWN)
            rows.append((*claim[:2], None, *nothing, 'not tested'))
            continue
        found = compare_rows(runs, claim[2:])
        rows.append(_claim_row(claim, found))
        numbers += both
        sentences.append(found.comparison.protocol.sentence())
    return Table(
        "Do the differences point the paper's way?",
        '; '.join(dict.fromkeys(sentences)) or 'nothing is tested',
        (
            'compared',
            'source',
            'points',
            *SHOWN,
            "points the paper's way",
        ),
        tuple(rows),
        'Percent points: the first less the second, below 0 where the first '
        'is better; points: those that both predict. In square brackets: '
        f'{interval_note(numbers)}. The difference of the error over all '
        'frames decides: yes, where its interval is below 0, no, where it is '
        'above, else undecided; of one training nothing is known.',
    )


def _claim_row(claim: Claim, found: SeedComparison) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for group, metric in SHOWN.values():
        known = group in found.comparison.bootstrap
        cells.append(
            found.difference(claim.better, claim.other, metric, group)
            if known
            else None
        )
    main = found.difference(claim.better, claim.other, FULL[0][1])
    points = found.comparison.protocol.points
    trainings = min(len(places) for places in found.places.values())
    way = verdict(main, trainings)
    return (claim.about, claim.source, points, *cells, way)


def all_tables(runs: Runs) -> str:
    """The tables of which any row is among the runs, as Markdown."""
    tables = [
        paper_table(runs, name)
        for name, table in TABLES.items()
        if any(row in runs.rows for _, row, _ in table['rows'])
    ]
    claims = claims_table(runs)
    if claims.rows:
        tables.insert(0, claims)
    return '\n'.join(map(as_markdown, tables))
