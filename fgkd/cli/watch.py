"""``fgkd watch``: follow suites while they run, from their records and what their processes say of themselves."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from pathlib import Path

from rich.console import Console
from rich.live import Live

from fgkd.choosing import suite_name
from fgkd.errors import UserError, unknown_name
from fgkd.report.live.finished import FinishedRuns
from fgkd.report.live.status import FOLDER, seen_in
from fgkd.report.live.view import WIDEST, SuiteView, draw


def watch(args: Namespace) -> int:
    """Show suites until Ctrl-C; once where that was asked for, or where nobody looks at a terminal."""
    if not args.every > 0:
        raise UserError(f"--every: expected seconds above 0, found {args.every:g}")
    watched = Watched(args.results, args.suite)
    console = Console(width=None if sys.stdout.isatty() else WIDEST, highlight=False)
    if args.once or not console.is_terminal:
        console.print(draw(watched.look()))
        return 0
    _follow(watched, console, args.every)
    return 0


def _follow(watched: Watched, console: Console, every: float) -> None:
    """Draw anew every so many seconds; Ctrl-C is how one stops looking, and no mistake."""
    try:
        with Live(draw(watched.look()), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(draw(watched.look()), refresh=True)
    except KeyboardInterrupt:
        return


class Watched:
    """The suites of a results folder; those with a process at work, or all where there is none.

    Args:
        results: the folder.
        suite: this one alone.

    Raises:
        UserError: there is nothing to look at.
    """

    def __init__(self, results: Path, suite: str | None) -> None:
        self.results = results
        self.name = None if suite is None else suite_name(suite)
        self._records: dict[Path, FinishedRuns] = {}
        found = self._folders()
        if not found:
            raise UserError(f"no suite below {results}; fgkd bench makes a folder for each, --results names another")
        if self.name is not None and self.name not in (names := [folder.name for folder in found]):
            raise unknown_name(f"suite in {results}", self.name, names)

    def look(self) -> list[SuiteView]:
        """What is known now."""
        now = time.time()
        views = [self._view(folder, now) for folder in self._folders() if self.name in (None, folder.name)]
        return [view for view in views if view.seen] or views

    def _view(self, folder: Path, now: float) -> SuiteView:
        seen, unreadable = seen_in(folder, now)
        records = self._records.setdefault(folder, FinishedRuns(folder / "records"))
        return SuiteView(folder.name, seen, records.refresh(), unreadable, now)

    def _folders(self) -> list[Path]:
        """Of the suites that have records, or a process that says something."""
        return sorted({path.parent for name in ("records", FOLDER) for path in self.results.glob(f"*/{name}")})
