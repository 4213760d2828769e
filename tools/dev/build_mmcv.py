"""Build mmcv's wheel with its operators against the torch at hand.

mmcv 2.1.0 compiles with -std=c++17, the headers of torch 2.14 and newer need
C++20. The release is built unchanged but for that flag.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = '2.1.0'


def build(out: Path) -> Path:
    """Download the source release, set the flag, build a wheel into ``out``.

    Raises:
        SystemExit: with one sentence, if there is no compiler or a step
            fails.
    """
    if not (shutil.which('c++') or shutil.which('g++')):
        sys.exit(
            'error: no C++ compiler found; install one, for instance with '
            'apt-get install g++'
        )
    pip = [sys.executable, '-m', 'pip']
    isolated = ['--no-deps', '--no-build-isolation']
    with tempfile.TemporaryDirectory() as folder:
        run(
            [*pip, 'download', *isolated, '--no-binary', 'mmcv', '-q']
            + ['-d', folder, f'mmcv=={VERSION}'],
            'the download of mmcv failed; see the lines above',
        )
        with tarfile.open(Path(folder) / f'mmcv-{VERSION}.tar.gz') as archive:
            archive.extractall(folder, filter='data')
        source = Path(folder) / f'mmcv-{VERSION}'
        setup = source / 'setup.py'
        setup.write_text(setup.read_text().replace('c++17', 'c++20'))
        wheels = Path(folder) / 'wheels'
        run(
            [*pip, 'wheel', *isolated, '-q', '-w', str(wheels), str(source)],
            'mmcv did not build; see the lines above (it needs a compiler '
            'that knows C++20, g++ 10 or newer)',
        )
        (built,) = wheels.glob('mmcv-*.whl')
        out.mkdir(parents=True, exist_ok=True)
        # Under its name only when it is whole.
        part = out / f'{built.name}.part'
        shutil.copyfile(built, part)
        os.replace(part, out / built.name)
    return out / built.name


def run(command: list[str], failure: str) -> None:
    """Run a command; end with one sentence where it fails."""
    # Without debug information the compiler has much less to write.
    wishes = {'MAX_JOBS': str(os.cpu_count() or 1), 'CFLAGS': '-g0'}
    environment = {**wishes, **os.environ, 'MMCV_WITH_OPS': '1'}
    if subprocess.run(command, env=environment, check=False).returncode:
        sys.exit(f'error: {failure}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='a folder')
    print(build(parser.parse_args().out))


if __name__ == '__main__':
    main()
