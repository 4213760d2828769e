# mypy: ignore-errors
"""The tables of docs/memory_over_time.md, from what evaluate.py kept.

python tools/memory/report.py A_none bundled B_disc ...

The first name is the baseline of the differences: means over clips with 95 %
bootstrap intervals over clips, the same ones for all.
"""

import json
import sys
from pathlib import Path

import numpy as np

KINDS = (
    'clean',
    'patch',
    'shake',
    'dark',
    'lowres',
    'jpeg',
    'degraded',
    'all',
)


def main() -> None:
    names = sys.argv[1:]
    folder = Path('work_dirs/memory/eval')
    found = {n: json.loads((folder / f'{n}.json').read_text()) for n in names}
    about = found[names[0]]['args']
    print(
        f'Written by `python tools/memory/report.py {" ".join(names)}`: '
        f'{about["clips"]} clips of {about["frames"]} frames of '
        f'`{about["photos"]}`, closed loop.\n'
    )
    for value, text in (
        ('error', 'error, %'),
        ('p95', '95th percentile, %'),
        ('motion', 'error of motion, %'),
    ):
        print(f'| {text} | ' + ' | '.join(KINDS) + ' |')
        print('|---' * (len(KINDS) + 1) + '|')
        for name in names:
            out = found[name]['out']
            cells = [f'{out[kind][value]:.2f}' for kind in KINDS]
            print(f'| {name} | ' + ' | '.join(cells) + ' |')
        print()
    print(
        '| | lag, clean frames | lag, all | error, difference '
        '| motion, difference |'
    )
    print('|---|---|---|---|---|')
    rng = np.random.default_rng(0)
    base = found[names[0]]['by_clip']
    for name in names:
        row = [f'{found[name]["out"]["lag"][k]:.2f}' for k in ('clean', 'all')]
        for value in ('error', 'motion'):
            d = np.subtract(found[name]['by_clip'][value], base[value])
            means = d[rng.integers(len(d), size=(10000, len(d)))].mean(1)
            low, high = np.percentile(means, [2.5, 97.5])
            row.append(f'{d.mean():+.2f} [{low:+.2f}, {high:+.2f}]')
        print(f'| {name} | ' + ' | '.join(row) + ' |')


if __name__ == '__main__':
    main()
