"""How firm the order of the methods is: from one seed to another, and from one table to another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isnan, sqrt
from statistics import fmean, variance

from fgkd.report.findings.page import section
from fgkd.report.findings.tables import FEWEST, Table
from fgkd.report.sheet import number

FEWEST_SHARED = 5  # no order of four methods agrees so well that it could not be chance (p = 2 / 4! > 0.05)


def within_tables(tables: Sequence[Table]) -> str:
    """How far runs that differ by their seeds alone lie apart, and how alike the orders are that two seeds give."""
    rows = [row for table in tables if (row := _within(table))]
    names = ("table", "methods", "runs each", "sd of a run, points", "tau of two seeds")
    return section("How firm the order is from seed to seed (Kendall's tau)", names, rows)


def _within(table: Table) -> list[str]:
    """Of the complete methods; tau is the mean over the pairs of seeds that have one; no p, for pairs share seeds."""
    cells, seeds = table.group.complete, sorted(table.group.seeds)
    if len(cells) < FEWEST or len(seeds) < 2:
        return []
    orders = {s: [cell.scores[s] for cell in cells] for s in seeds}
    taus = [found[0] for a, b in combinations(seeds, 2) if (found := _kendall(orders[a], orders[b]))]
    tau = number(fmean(taus) if taus else None, 2)
    sd = sqrt(fmean(variance([cell.scores[s] for s in seeds]) for cell in cells))  # pooled over the methods
    return [table.letter, str(len(cells)), str(len(seeds)), number(sd, 1), tau]


def between_tables(tables: Sequence[Table]) -> str:
    """Kendall's tau of the means of the methods that two tables share and have all seeds of."""
    pairs = {(a.letter, b.letter): text for a, b in combinations(tables, 2) if (text := _between(a, b))}
    rows = [a.letter for a in tables if any(a.letter == first for first, _ in pairs)]
    columns = [b.letter for b in tables if any(b.letter == second for _, second in pairs)]
    cells = [[row, *(pairs.get((row, column), "") for column in columns)] for row in rows]
    title = "How firm it is from table to table: tau (methods, p)"
    return section(title, ("", *columns), cells)


def _between(ours: Table, theirs: Table) -> str:
    shared = sorted(ours.means.keys() & theirs.means.keys())
    if len(shared) < FEWEST_SHARED:
        return ""
    found = _kendall([ours.means[m] for m in shared], [theirs.means[m] for m in shared])
    return f"{number(found[0], 2)} ({len(shared)}, {found[1]:.2g})" if found else ""


def _kendall(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float] | None:
    """Tau and its p; None where all are equal on one side, which is no order."""
    from scipy.stats import kendalltau  # half a second of imports

    found = kendalltau(ours, theirs)
    return None if isnan(found.statistic) else (float(found.statistic), float(found.pvalue))
