"""Options that the converters' command lines have in common."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from data_converters.images import PLACE_MODES


def add_images_option(
    parser: argparse.ArgumentParser, what: str = 'the images'
) -> None:
    """``--images``, one of ``PLACE_MODES``.

    Args:
        parser: Gets the option.
        what: What is linked or copied, for the help.
    """
    parser.add_argument(
        '--images',
        choices=PLACE_MODES,
        default='link',
        help=f'link or copy {what} (default: link)',
    )


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """The type of an option from ``low`` to ``high``, without end for None."""
    end = '' if high is None else f' to {high}'

    def parse(text: str) -> int:
        if not (
            text.isdecimal()
            and low <= int(text)
            and (high is None or int(text) <= high)
        ):
            raise argparse.ArgumentTypeError(
                f'{text!r} is not a whole number from {low}{end}'
            )
        return int(text)

    return parse


def percent(text: str) -> float:
    """The type of an option from 0 to 100."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f'{text!r} is not from 0 to 100')
    return value


def file_part(text: str) -> str:
    """The type of an option that becomes part of a file's name."""
    if not re.fullmatch(r'[\w-]+', text):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be part of a file's name; use letters, "
            'digits, _ and -'
        )
    return text
