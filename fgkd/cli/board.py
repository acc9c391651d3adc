"""``fgkd board``: regenerate, check and show leaderboards."""

from __future__ import annotations

import io
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fgkd.choosing import suite_results
from fgkd.errors import UserError
from fgkd.record import RunRecord
from fgkd.report.text import one_line


def board(args: Namespace) -> int:
    """Write and show the boards asked for; with ``--check`` only compare them; 1 where something is amiss."""
    from fgkd.record import collector_at_rest

    folders = suite_results(args.folder, args.suite, args.results)
    if args.per_class:
        from fgkd.cli.per_class import per_class

        return per_class(args, folders)
    if args.runs and not args.json:
        from fgkd.cli.runs import runs

        return runs(folders)
    if args.svg and len(folders) > 1:
        raise UserError(f"--svg: draws one board, and there are {len(folders)} suites; say which one with --suite")
    with collector_at_rest():
        return _boards(args, folders)


def _boards(args: Namespace, folders: Sequence[Path]) -> int:
    from fgkd.leaderboard import check_boards, leaderboard, print_board, write_boards
    from fgkd.record import read_records
    from fgkd.report.published import published_or_problem

    amiss: list[str] = []
    every: list[RunRecord] = []
    for folder in folders:
        if args.check:
            amiss += [f"{folder}: {problem}" for problem in check_boards(folder)]
            continue
        if args.json:
            records, problems = read_records(folder / "records")
            amiss += [f"{folder}: {problem}" for problem in problems]
            every += records
            continue
        with _writing(folder):
            files = write_boards(folder)
        compared = files.compared
        amiss += [f"{folder}: {problem}" for problem in files.problems]
        print_board(compared.records, published=published_or_problem(folder.absolute().parent)[0], compared=compared)
        with _writing(folder):
            if args.svg:
                draw_board(compared.records, folder.name, args.svg)
            for path in more_pictures(args, folder, compared.records):
                print(f"wrote {path}")
    if args.json and not args.check:
        print(leaderboard(every).to_json(orient="records", indent=1))
    elif top := overview_folder(args):
        amiss += overview(top, folders, check=args.check)
    for line in amiss:
        print(one_line(line), file=sys.stderr)
    return 1 if amiss else 0


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say what could not be written, in the user's words."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write the board of {folder}: {error.strerror}: {error.filename}") from None


def draw_board(records: Sequence[RunRecord], title: str, path: Path) -> None:
    """The board as it looks in a terminal, in a picture that loads nothing from elsewhere."""
    from rich.console import Console

    from fgkd.files import write_text
    from fgkd.leaderboard import print_board

    console = Console(record=True, file=io.StringIO(), width=96, force_terminal=True)
    print_board(records, console)
    svg = console.export_svg(title=f"fgkd board --suite {one_line(title)}", unique_id="board")
    write_text(path, re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL))


def more_pictures(args: Namespace, folder: Path, records: Sequence[RunRecord]) -> list[Path]:
    """Write what ``--plots`` and ``--thumbnails`` ask for beside a suite's board."""
    written = []
    if args.plots:
        from fgkd.report.plots import write_plots

        written += write_plots(records, folder / "plots")
    if args.thumbnails:
        from fgkd.cli.thumbnails import thumbnail_page

        written.append(thumbnail_page(args, folder))
    return written


def overview_folder(args: Namespace) -> Path | None:
    """The results folder whose suites are all meant; None where one suite is."""
    top = args.folder or args.results
    return None if args.suite is not None or (top / "records").is_dir() else top


def overview(results: Path, folders: Sequence[Path], *, check: bool) -> list[str]:
    """Write the page over all suites, or only compare it; what is amiss."""
    from fgkd.report.overview import check_overview, write_overview

    if check:
        return [f"{results}: {problem}" for problem in check_overview(results, folders)]
    try:
        write_overview(results, folders)
    except OSError as error:
        raise UserError(f"cannot write the page of {results}: {error.strerror}") from None
    return []
