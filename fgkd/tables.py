"""Tables on a console: cells fold between words, and no column is ever left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2  # columns between two cells


def print_table(
    out: Console, header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()
) -> None:
    """Print a table without rules, as wide as its longest words ask for, be the terminal narrower; unfolded in a pipe.

    Args:
        right: numbers of the columns that stand right.
    """
    columns = list(zip(header, *rows, strict=True))
    most = [max(map(cell_len, column)) for column in columns]
    least = [max(cell_len(word) for cell in column for word in [*cell.split(), ""]) for column in columns]
    gaps = GAP * (len(columns) - 1)
    widths = _fitted(least, most, out.width - gaps) if out.file.isatty() else most
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    made.width = sum(widths) + gaps  # else rich squeezes columns into a narrow terminal, some of them to nothing
    for number, (name, width) in enumerate(zip(header, widths, strict=True)):
        made.add_column(Text(name), width=width, justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))  # never markup
    out.print(made, crop=False)


def _fitted(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Widths that fill `room` if they can: the widest column gives way first, and none below its longest word.

    Example:
        >>> _fitted(least=[8, 4, 6], most=[8, 9, 60], room=40), _fitted(least=[8, 4, 6], most=[8, 9, 60], room=10)
        ([8, 9, 23], [8, 4, 6])
    """
    widths = list(most)
    while sum(widths) > room and widths != list(least):
        loose = (number for number, width in enumerate(widths) if width > least[number])
        widths[max(loose, key=widths.__getitem__)] -= 1
    return widths
