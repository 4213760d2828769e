"""Gives readers damaged files, bounded in memory; fuzz.py starts it.

Jobs come as lines of JSON on the standard input: ``reader``, ``way``,
``seed``, ``number``, ``megabytes``. Answers go as lines to the standard
output: ``.`` for an input that was read or refused, ``begin`` with the file
that is being read, ``lost`` with what was raised, ``end`` with the memory.
"""

import argparse
import json
import os
import resource
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

# What libraries print goes nowhere; answers keep the standard output.
ANSWERS = os.fdopen(os.dup(1), 'w')
for number in (1, 2):
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / 'tests' / 'fuzz'))

from readers import READERS, Reader, try_content  # noqa: E402

REAL = {
    'pts': '300*/**/*.pts',
    'lfw': 'lfw_dantone/*.txt',
    'jpg': '**/*.jpg',
    'frame jpg': '**/*.jpg',
}


class Place:
    """A reader's folder, its file, and good content for it."""

    def __init__(self, reader: Reader, folder: Path, real: Path) -> None:
        self.reader = reader
        self.root = folder / reader.name.replace(' ', '_')
        self.root.mkdir()
        self.path = reader.make(self.root)
        self.good = [self.path.read_bytes()]
        for file in sorted(real.glob(REAL.get(reader.name, 'none'))):
            self.good.append(file.read_bytes())

    def contents(self, job: dict[str, Any]) -> Iterator[bytes]:
        """Damaged content, without end or what there is of it."""
        if job['way'] == 'hard':
            from strategies import hard_cases

            yield from hard_cases(self.reader, self.good[0], job['megabytes'])
            return
        rng = Random(job['seed'])
        for _ in range(job['number']):
            yield self.reader.damage(rng.choice(self.good), rng)


def say(what: str, **more: object) -> None:
    print(json.dumps({'what': what, **more}), file=ANSWERS, flush=True)


def attempt(place: Place, content: bytes) -> None:
    """One input; what it does wrong is said, and the next one comes."""
    try:
        try_content(place.reader, place.root, place.path, content)
    except Exception:
        lines = traceback.format_exc().splitlines()
        say('lost', trace='\n'.join(line[:500] for line in lines[-40:]))
    else:
        say('.')


def draw(place: Place, job: dict[str, Any]) -> None:
    """As many inputs as are asked for, drawn by hypothesis."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from strategies import contents

    @seed(job['seed'])
    @settings(
        max_examples=job['number'],
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(contents(place.reader, place.good[0]))
    def each(content: bytes) -> None:
        attempt(place, content)

    each()


def limit_memory(megabytes: int) -> None:
    """No more address space than is taken by now and so much more."""
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    most = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--memory', type=int, required=True)
    parser.add_argument('--real', type=Path, required=True)
    parser.add_argument('--folder', type=Path, required=True)
    args = parser.parse_args()
    prepare()
    places = {
        name: Place(reader, args.folder, args.real)
        for name, reader in READERS.items()
    }
    say('ready')
    limit_memory(args.memory)
    for line in sys.stdin:
        job = json.loads(line)
        place = places[job['reader']]
        say('begin', file=str(place.path))
        if job['way'] == 'drawn':
            draw(place, job)
        else:
            for content in place.contents(job):
                attempt(place, content)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        say('end', peak=peak >> 10)


def prepare() -> None:
    """MMPose's registries, and one thread."""
    import torch
    from mmengine.registry import init_default_scope
    from mmpose.utils import register_all_modules

    register_all_modules()
    init_default_scope('mmpose')
    torch.set_num_threads(1)


if __name__ == '__main__':
    main()
