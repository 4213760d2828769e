"""Figure 9: pixels of the response maps classified right, by epoch."""

import csv
import json
from pathlib import Path

import numpy as np

from rednet_mm.analysis.bootstrap import COVERAGE
from rednet_mm.analysis.seeds import welch
from rednet_mm.analysis.tables import Interval, cell_text

from .paper import CURVES, PARTS
from .runs import Runs
from .tables import verdict

# Of a curve: by epoch, then by figure.
Curve = dict[int, dict[str, float]]


def read_curve(folder: Path) -> Curve:
    """Validation metrics of the response maps by epoch."""
    curve = {}
    for log in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in log.read_text().splitlines():
            record = json.loads(line)
            if 'map/accuracy/all' in record:
                curve[int(record['step'])] = record
    return curve


def mean_curve(curves: list[Curve]) -> Curve:
    """The mean of the trainings, over the epochs that all of them have."""
    epochs = set.intersection(*(set(curve) for curve in curves))
    return {
        epoch: {
            name: float(np.mean([curve[epoch][name] for curve in curves]))
            for name in curves[0][epoch]
            if name.startswith('map/')
        }
        for epoch in sorted(epochs)
    }


def read_curves(runs: Runs) -> dict[str, list[Curve]]:
    """The curves of each row's trainings, those that have any."""
    found = {}
    for label, row in CURVES.items():
        chains = runs.rows.get(row, [])
        own = [read_curve(runs.folder(stages)) for stages in chains]
        found[label] = [curve for curve in own if curve]
    return found


def figure_lines(runs: Runs, image: Path) -> list[str]:
    """Figure 9 as a table, and drawn into a file; nothing without curves."""
    found = read_curves(runs)
    curves = {label: mean_curve(own) for label, own in found.items() if own}
    if not curves:
        return []
    plot_figure9(curves, image)
    lines = [
        '### Figure 9: pixels of the response maps classified right',
        '',
        'Accuracy / F1 in %, by facial component, mean over trainings. The '
        'paper: left eye 84 with identity and 80 without after 10 epochs, '
        'about 9 % more in the end.',
        '',
        '| | epoch | ' + ' | '.join(PARTS) + ' |',
        '| --- | --- |' + ' --- |' * len(PARTS),
    ]
    for label, curve in curves.items():
        for epoch, record in curve.items():
            cells = [
                f'{record[f"map/accuracy/{part}"]:.2f} / '
                f'{record[f"map/f1/{part}"]:.1f}'
                for part in PARTS
            ]
            lines.append(f'| {label} | {epoch} | ' + ' | '.join(cells) + ' |')
    return [*lines, '', *_last_epochs(*found.values()), '']


def _last_epochs(better: list[Curve], other: list[Curve]) -> list[str]:
    """What the last epochs of the two curves differ by."""
    if not better or not other:
        return []
    words = []
    for metric, name in (('accuracy', 'accuracy'), ('f1', 'F1')):
        ends = [
            sign * np.array([c[max(c)][f'map/{metric}/all'] for c in curves])
            for sign, curves in ((1, better), (-1, other))
        ]
        found = welch(ends)
        # Here more is better.
        way = verdict(
            Interval(-found.value, -found.high, -found.low),
            min(map(len, ends)),
        )
        words.append(
            f'{name} of all maps, with less without identity, last epoch: '
            f"{cell_text(found)} points; points the paper's way: {way}."
        )
    words.append(
        f"In square brackets: {COVERAGE} % intervals by Student's t (Welch) "
        'over trainings.'
    )
    return [' '.join(words)]


def plot_figure9(curves: dict[str, Curve], path: Path) -> None:
    """Figure 9 as an image and as numbers beside it."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    metric, axes = plt.subplots(2, len(PARTS), figsize=(21, 6), sharex=True)
    with path.with_suffix('.csv').open('w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(['curve', 'epoch', 'part', 'accuracy', 'f1'])
        for label, curve in curves.items():
            epochs = sorted(curve)
            for column, part in enumerate(PARTS):
                for row, kind in enumerate(('accuracy', 'f1')):
                    values = [curve[e][f'map/{kind}/{part}'] for e in epochs]
                    axes[row, column].plot(epochs, values, label=label)
                    axes[row, column].set_title(f'{part}, {kind} (%)')
                for epoch in epochs:
                    record = curve[epoch]
                    writer.writerow(
                        [
                            label,
                            epoch,
                            part,
                            record[f'map/accuracy/{part}'],
                            record[f'map/f1/{part}'],
                        ]
                    )
    axes[0, 0].legend()
    for axis in axes[1]:
        axis.set_xlabel('epoch')
    metric.tight_layout()
    metric.savefig(path)
    plt.close(metric)
