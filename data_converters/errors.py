"""The one error of the converters and how command lines report it."""

from __future__ import annotations

import sys
from collections.abc import Callable


class DataError(Exception):
    """Something is wrong with the data or with the way it was asked for.

    The message is one line that names the file and the fix.
    """


def main_guard(run: Callable[[], object]) -> None:
    """Run a command line and turn expected errors into one line.

    ``DataError`` and ``OSError`` (disk full, no permission) are printed as
    ``error: SENTENCE`` on stderr and end the process with status 2, an
    interruption with status 130. Anything else is a bug and keeps its
    trace.

    Args:
        run: Called without arguments; its result is not used.

    Raises:
        SystemExit: With the statuses above.
    """
    try:
        run()
    except DataError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        where = f'{error.filename}: ' if error.filename else ''
        print(f'error: {where}{error.strerror or error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print('interrupted; run again to continue', file=sys.stderr)
        sys.exit(130)
