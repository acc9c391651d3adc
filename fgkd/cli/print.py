"""How the command line prints: tables that fit the terminal, whole lines where the output is no terminal, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fgkd.report.text import one_line


def console() -> Console:
    """Standard output; wide where it is not a terminal, so that files and pipes get unbroken lines."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, fold: bool = False) -> Table:
    """A table without rules; its last column is cut to fit, or folded, before any other is."""
    made, rows = Table(box=None, pad_edge=False, header_style="bold"), [[*map(one_line, row)] for row in rows]
    for number, name in enumerate(header[:-1]):
        widest = max(len(row[number]) for row in [header, *rows])
        made.add_column(name, no_wrap=True, min_width=min(widest, 40))
    made.add_column(header[-1], no_wrap=not fold, overflow="fold" if fold else "ellipsis")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))  # never markup
    return made


def print_json(value: Any) -> None:
    """Indented JSON on standard output."""
    print(json.dumps(value, indent=1))
