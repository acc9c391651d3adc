"""Which methods differ from `kd` and `scratch` once all methods of a table tell together how far runs spread."""

from __future__ import annotations

from collections.abc import Sequence

from fgkd.report.evidence import Pooled, holm, pooled
from fgkd.report.findings.page import section
from fgkd.report.findings.tables import FEWEST, Table
from fgkd.report.lines import SIGNIFICANT
from fgkd.report.sheet import number


def pooled_spreads(tables: Sequence[Table]) -> str:
    """Of the methods that have all of a table's seeds; differences are to the baseline on the same recipe."""
    rows = [row for table in tables if (row := _row(table))]
    sides = [f"{side} {base}" for base in ("kd", "scratch") for side in ("above", "below")]
    names = ("table", "methods", "runs each", "sd of a run", "interval of a difference, +-", *sides)
    title = (
        "Who differs if runs of all methods spread alike (two-way analysis of variance; Holm over the table's methods)"
    )
    return section(title, names, rows)


def _row(table: Table) -> list[str]:
    cells, seeds = table.group.complete, sorted(table.group.seeds)
    spread = pooled([[cell.scores[s] for s in seeds] for cell in cells]) if len(cells) >= FEWEST else None
    if spread is None:
        return []
    beyond = [names for base in ("kd", "scratch") for names in _beyond(table, base, spread)]
    counts = [str(len(cells)), str(spread.runs), number(spread.sd, 2), number(spread.half(), 1)]
    return [table.letter, *counts, *(", ".join(names) for names in beyond)]


def _beyond(table: Table, base: str, spread: Pooled) -> tuple[list[str], list[str]]:
    """The methods that are surely above a baseline, largest difference first, and those that are surely below it."""
    if base not in table.means:
        return [], []
    recipe = table.named[base].identity.recipe
    gaps = {
        name: mean - table.means[base]
        for name, mean in table.means.items()
        if name != base and table.named[name].identity.recipe == recipe
    }
    corrected = dict(zip(gaps, holm([spread.p(gap) for gap in gaps.values()]), strict=True))
    sure = [name for name, p in corrected.items() if p is not None and p < SIGNIFICANT]
    ordered = sorted(sure, key=lambda name: (-abs(gaps[name]), name))
    return [name for name in ordered if gaps[name] > 0], [name for name in ordered if gaps[name] < 0]
