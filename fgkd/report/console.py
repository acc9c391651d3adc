"""A board in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from fgkd.record import RunRecord
from fgkd.report.comparison import Group
from fgkd.report.lines import Line, heading, lead_cell, lines_of
from fgkd.report.sheet import one_line
from fgkd.report.tasks import any_retrieval

WIDEST = 100
_LEGEND = (
    "top-1 %: mean +- half of the 95 % interval; bold: best; ~: interval overlaps the best's; "
    "*: Holm-corrected p < 0.05; seconds: what a run costs alone, own + shared (loading and teacher)"
)
_NARROW = ("method", "score", "vs scratch", "vs kd", "seconds")
_WIDE = (*_NARROW, "params M", "runs")


def legend(records: Sequence[RunRecord]) -> str:
    """What the numbers mean."""
    return _LEGEND.replace("top-1 %", "top-1 %, recall@1 %") if any_retrieval(records) else _LEGEND


def group_table(group: Group, width: int = WIDEST) -> Table:
    """One table, best configuration first and bold; below 90 columns without parameters and counts of runs."""
    names = _WIDE if width >= 90 else _NARROW
    table = Table(title=Text(one_line(heading(group)), style="bold"), box=box.SIMPLE_HEAD, title_justify="left")
    for name in names:
        number = name != "method"
        title = lead_cell(group).ranking.title if name == "score" else name
        table.add_column(title, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for line in lines_of(group):
        cells = _cells(line)
        table.add_row(*(Text(cells[name]) for name in names), style="bold" if line.best else None)
    return table


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
