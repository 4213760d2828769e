"""Write docs/reports/reliability.md from what the tools of this folder found:

python tools/dev/reliability/table.py WORK_DIR --out
docs/reports/reliability.md

Whole files of WORK_DIR/reliability are taken: those of kill.py, fuzz.py and
faults.py, in the order of their names. The exit status is 1 where something
was lost.
"""

import argparse
import sys
from pathlib import Path

from rows import FOLDER, Findings, read_rows

from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.io import atomic_write

HEAD = """\
# Reliability: what was done to it, and what was lost

Written by `tools/dev/reliability/table.py`; do not edit. *Survived* means that
what is on disk afterwards is whole, and that the program went on to the same
result or reported in one line what is wrong; everything else is *lost*.
[Interrupted work](interrupted.md) says what this rests on.
"""

COLUMNS = ('part', 'fault', 'injected', 'survived', 'lost', 'note')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write the table of faults')
    parser.add_argument('work_dir', help='what was given to the tools')
    parser.add_argument('--out', default='docs/reports/reliability.md')
    return parser.parse_args()


def line(*cells: object) -> str:
    """A row of a Markdown table."""
    texts = [str(cell).replace('|', '\\|') for cell in cells]
    return '| ' + ' | '.join(texts) + ' |'


def page(findings: dict[str, Findings]) -> str:
    """The whole page.

    Args:
        findings (dict): Of each tool, by its name.
    """
    rows = [row for found in findings.values() for row in found.rows]
    lines = [HEAD, line(*COLUMNS), '|---' * len(COLUMNS) + '|']
    lines += [
        line(*(getattr(row, column) for column in COLUMNS)) for row in rows
    ]
    sums = [
        f'**{sum(getattr(row, column) for row in rows):,}**'
        for column in COLUMNS[2:5]
    ]
    lines += [line('**all**', '', *sums, ''), '\nThe runs:\n']
    for name, found in findings.items():
        about = found.about
        lines.append(
            f'* {name}: `{about["command"]}`, commit {about["commit"]}, '
            f'seed {about["seed"]}, {about["date"]}, {about["seconds"]} '
            f'seconds on {about["machine"]}'
        )
    return '\n'.join(lines) + '\n'


def main() -> None:
    args = parse_args()
    with report_user_errors():
        files = sorted(Path(args.work_dir, FOLDER).glob('*.json'))
        # Of a tool that is killed a .part.json may be left.
        files = [path for path in files if '.' not in path.stem]
        if not files:
            raise UserError(
                f'{args.work_dir} holds no {FOLDER}/*.json; run '
                f'tools/dev/reliability/kill.py --work-dir {args.work_dir}'
            )
        findings = {path.stem: read_rows(str(path)) for path in files}
        with atomic_write(args.out) as part:
            part.write_text(page(findings), encoding='utf-8')
    sys.exit(any(row.lost for f in findings.values() for row in f.rows))


if __name__ == '__main__':
    main()
