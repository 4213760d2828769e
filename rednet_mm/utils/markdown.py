"""Pages that are written by hand, with parts that commands write."""

from pathlib import Path
from typing import Union

from .errors import UserError


def replace_section(
    page: Union[str, Path], mark: str, text: str, end: str = ''
) -> str:
    """A page by hand, with the part replaced that a command writes.

    Args:
        page (str | Path): The page.
        mark (str): The line behind which the text goes.
        text (str): Lines, the last of them ended too.
        end (str): A later line, before which it ends; without one, it goes
            to the end of the page.

    Raises:
        FileNotFoundError: if there is no page.
        UserError: if a mark is not on it.
    """
    page = Path(page)
    if not page.is_file():
        raise FileNotFoundError(
            f'{page} does not exist; write a page with the line {mark}'
        )
    before, found, rest = page.read_text().partition(f'{mark}\n')
    if not found:
        raise UserError(f'{page} has no line {mark}; add it where tables go')
    if not end:
        return f'{before}{found}\n{text}'
    _, found_end, after = rest.partition(end)
    if not found_end:
        raise UserError(f'{page} has no line {end}; add it behind {mark}')
    return f'{before}{found}\n{text}\n{end}{after}'
