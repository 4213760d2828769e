"""Lets atheris look for new paths through the readers of text.

It sees which branches an input takes and goes on from those that take new
ones. ``pip install atheris`` first; nothing else of the project needs it.
fuzz.py starts this file once for each reader.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rows import FOLDER, Row

ROOT = Path(__file__).resolve().parents[3]

# Readers in Python alone, of which the branches can be seen.
READERS = ('pts', 'lfw7', 'splits', 'check', 'predictions', 'predictions csv')


def explore(args: argparse.Namespace) -> list[Row]:
    """Run atheris on each reader in a process of its own.

    Args:
        args (Namespace): Of fuzz.py.

    Returns:
        list[Row]: One of each reader.
    """
    lost_in = Path(args.work_dir, FOLDER, 'lost').absolute()
    lost_in.mkdir(parents=True, exist_ok=True)
    chosen = [name for name in args.readers or READERS if name in READERS]
    rows = []
    for name in chosen:
        before = set(lost_in.iterdir())
        command = [
            *(sys.executable, __file__, name),
            f'-max_total_time={args.seconds / len(chosen):.0f}',
            f'-seed={args.seed + 1}',
            f'-timeout={args.patience:.0f}',
            f'-artifact_prefix={lost_in}/{name.replace(" ", "_")}-',
            '-print_final_stats=1',
            '-rss_limit_mb=4096',
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        found = re.search(r'number_of_executed_units: *(\d+)', done.stderr)
        if found is None:
            raise SystemExit(
                'error: atheris does not run; pip install atheris. It says: '
                + (done.stderr.strip().splitlines() or ['nothing'])[-1]
            )
        lost = len(set(lost_in.iterdir()) - before)
        tried = int(found[1])
        rows.append(
            Row(
                f'reader: {name}',
                'files found by atheris, by coverage',
                tried,
                tried - lost,
                lost,
            )
        )
    return rows


def main() -> None:
    """A process of one reader; ends at the first input that is lost."""
    import atheris

    sys.path.insert(0, str(ROOT / 'tests' / 'fuzz'))
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(
        include=['data_converters', 'rednet_mm.evaluation']
    ):
        from readers import READERS as ALL
        from readers import try_content
    reader = ALL[name]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, 'reader')
        root.mkdir()
        path = reader.make(root)
        seeds = Path(folder, 'seeds')
        seeds.mkdir()
        (seeds / 'good').write_bytes(path.read_bytes())

        def one(content: bytes) -> Any:
            try_content(reader, root, path, content)

        atheris.Setup([sys.argv[0], *options, str(seeds)], one)
        atheris.Fuzz()


if __name__ == '__main__':
    main()
