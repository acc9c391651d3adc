"""How the command line prints: tables that lose nothing, whole lines where the output is no terminal, JSON."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from fgkd import tables
from fgkd.report.text import one_line


def console() -> Console:
    """Standard output; wide where it is not a terminal, so that files and pipes get unbroken lines."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], out: Console | None = None) -> None:
    """A table of texts from anywhere, each on a line of its own.

    Args:
        out: standard output if None.
    """
    tables.print_table(out or console(), header, [[*map(one_line, row)] for row in rows])


@contextmanager
def bar(text: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar where standard error is a terminal; its advance is handed out."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    times = TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    hidden = not sys.stderr.isatty()
    with Progress(*columns, *times, console=Console(stderr=True), disable=hidden, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda count: progress.advance(task, count)


def next_step(folder: Path) -> str:
    """What can be done with a folder that was just exported."""
    return f"next: fgkd predict {shlex.quote(str(folder))} picture.jpg"


def print_json(value: Any) -> None:
    """Indented JSON on standard output."""
    print(json.dumps(value, indent=1))
