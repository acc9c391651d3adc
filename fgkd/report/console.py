"""A board in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group as Stack
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fgkd.record import RunRecord
from fgkd.report.comparison import Group
from fgkd.report.lines import Line, lines_of
from fgkd.report.published import NOT_MEASURED, Published, published_rows, sources_of
from fgkd.report.sheet import one_line
from fgkd.report.tasks import any_retrieval

WIDEST = 100
_LEGEND = (
    "top-1 %: mean +- half of the 95 % interval; bold: best; ~: interval overlaps the best's; "
    "*: Holm-corrected p < 0.05; seconds: what a run costs alone, own + shared (loading and teacher)"
)
_NARROW = ("method", "score", "vs scratch", "vs kd", "seconds")
_WIDE = (*_NARROW, "params M", "runs")
_PLAIN = box.Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)  # SIMPLE_HEAD for files and pipes


def legend(records: Sequence[RunRecord]) -> str:
    """What the numbers mean."""
    return _LEGEND.replace("top-1 %", "top-1 %, recall@1 %") if any_retrieval(records) else _LEGEND


def group_table(group: Group, title: str, width: int = WIDEST, *, plain: bool = False) -> Table:
    """One table, best configuration first and bold; below 90 columns without parameters and counts of runs.

    Args:
        title: see `headings`.
        plain: rules of ASCII, for output that is no terminal.
    """
    names = _WIDE if width >= 90 else _NARROW
    caption = Text(one_line(title), style="bold")
    table = Table(title=caption, box=_PLAIN if plain else box.SIMPLE_HEAD, title_justify="left")
    for name in names:
        number = name != "method"
        head = group.ranking.title if name == "score" else name
        table.add_column(head, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for line in lines_of(group):
        cells = _cells(line)
        table.add_row(*(Text(cells[name]) for name in names), style="bold" if line.best else None)
    return table


def published_lines(group: Group, published: Published) -> Padding | None:
    """What others report for the pair of a table, grey, in running text, with sources; None where nothing is known."""
    if not (rows := published_rows(published, group)):
        return None
    sources = sources_of(rows)
    told = ", ".join(f"{one_line(row.method)} {row.text}[{sources.index(row.source) + 1}]" for row in rows)
    cited = [Text(f"[{number}] {one_line(s.paper)}, {s.url}") for number, s in enumerate(sources, 1)]
    return Padding(Stack(Text(f"published for this pair, {NOT_MEASURED}: {told}"), *cited), (0, 2, 1, 2), style="dim")


def _cells(line: Line) -> dict[str, str]:
    return {
        "method": one_line(line.method),
        "score": line.score + (" ~" if line.tied else "  "),
        "vs scratch": line.scratch,
        "vs kd": line.kd,
        "seconds": line.own_seconds + (f" + {line.shared_seconds}" if line.shared_seconds else ""),
        "params M": line.params,
        "runs": line.runs,
    }
