"""Who leads each table, and how every method fares over the wide ones."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from statistics import fmean

from fgkd.report.comparison import Cell
from fgkd.report.evidence import Difference, interval
from fgkd.report.findings.page import section, spread
from fgkd.report.findings.tables import Table, by_setting, wide
from fgkd.report.lines import SIGNIFICANT
from fgkd.report.sheet import number


def leaders(tables: Sequence[Table]) -> str:
    """The tables, their best methods, and which are above or below `kd` and `scratch`."""
    sides = [f"{side} {base}" for base in ("kd", "scratch") for side in ("above", "below")]
    names = ("", "table", "methods", "runs each", "best mean", *sides)
    return section(
        "Who leads, and how many methods are above and below (which significantly)", names, map(_row, tables)
    )


def _row(table: Table) -> list[str]:
    found = [s for s in table.group.standings if s.cell.scores]
    ranked = [s for s in found if s.rank == 1] or found  # one lucky seed leads nobody who has them all
    best = max(ranked, key=lambda s: s.cell.score.mean or 0.0).cell
    return [
        table.letter,
        table.title,
        str(len(found)),
        str(len(table.group.seeds)),
        f"{best.method}, {spread(best.score, signed=False)}",
        *(
            _beyond([(s.cell.method, difference(s)) for s in found], sign)
            for difference in (attrgetter("kd"), attrgetter("scratch"))
            for sign in (1, -1)
        ),
    ]


def _beyond(found: Sequence[tuple[str, Difference]], sign: int) -> str:
    """How many differ from a baseline to that side, and by name those whose corrected p says so."""
    there = [(name, d.p) for name, d in found if d.mean is not None and sign * d.mean > 0]
    sure = [name for name, p in there if p is not None and p < SIGNIFICANT]
    return f"{len(there)} ({', '.join(sure)})" if sure else str(len(there))


def methods(tables: Sequence[Table]) -> str:
    """Means of every method in the wide tables, by its mean difference from `kd` over the settings it stands in."""
    counted = wide(tables)
    over = {
        name: by_setting(counted, [table.difference(name, "kd").mean for table in counted])
        for table in counted
        for name in table.named
    }
    ranks = _mean_ranks(counted)
    rows = {
        name: [
            name,
            *(_score(table, name) for table in counted),
            spread(interval(means)) if name != "kd" else "",
            str(len(means)),
            number(ranks.get(name), 1),
        ]
        for name, means in over.items()
        if means
    }
    ordered = sorted(rows, key=lambda name: (-sum(over[name]) / len(over[name]), name))
    names = ("method", *(table.letter for table in counted), "over kd", "settings", "mean rank")
    title = "Every method in the wide tables: means, * where seeds are missing, and ranks of those ranked in all"
    return section(title, names, [rows[name] for name in ordered])


def _score(table: Table, name: str) -> str:
    cell: Cell | None = table.named.get(name)
    if cell is None:
        return ""
    if cell.score.mean is None:
        return "failed"
    if name in table.means:
        return number(table.means[name], 1)
    return f"{number(cell.score.mean, 1)}*"


def _mean_ranks(tables: Sequence[Table]) -> dict[str, float]:
    """Of the methods that are complete in all tables, ranked among each other; none where there is one table."""
    if len(tables) < 2:
        return {}
    shared = set.intersection(*(set(table.means) for table in tables))
    return {name: fmean(by_setting(tables, [_rank(table.means, name, shared) for table in tables])) for name in shared}


def _rank(means: dict[str, float], name: str, among: set[str]) -> float:
    """1 is best; equals share the mean of their places."""
    better = sum(means[other] > means[name] for other in among)
    alike = sum(means[other] == means[name] for other in among)
    return better + (alike + 1) / 2
