"""Which learning rate suits which method, by the hold-out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fgkd.record import RunRecord
from fgkd.report.comparison import Comparison
from fgkd.report.findings.page import section
from fgkd.report.sheet import number


def rates(suites: Iterable[Comparison]) -> str:
    """Runs that differ by their learning rate alone."""
    named: dict[tuple[str, str, str, int], list[RunRecord]] = {}
    for record in (r for suite in suites for r in suite.records if r.spec.role == "student"):
        spec = record.spec
        named.setdefault((spec.feed.dataset.name, spec.student.name, spec.method.label, spec.seed), []).append(record)
    rows = []
    for (dataset, student, method, seed), records in named.items():
        for held in _held_by_rate(records):
            shares = ", ".join(f"{rate:g}: {number(100 * top1, 1)}" for rate, top1 in sorted(held.items()))
            best = max(held, key=lambda rate: (held[rate], rate))  # of equals the higher
            rows.append([dataset, student, method, str(seed), shares, f"{best:g}"])
    names = ("data", "student", "method", "seed", "hold-out top-1 % by learning rate", "better")
    return section("Which learning rate suits which method", names, sorted(rows))


def _held_by_rate(records: Sequence[RunRecord]) -> list[dict[float, float]]:
    """Hold-out top-1 by learning rate, for every set of runs that have all else in common and at least two rates."""
    if len({record.spec.recipe.lr for record in records}) < 2:
        return []
    found: dict[str, dict[float, float]] = {}
    for record in records:
        recipe, top1 = record.spec.recipe, record.metric("top1", "holdout_last")
        if top1 is not None:
            alike = record.spec.model_copy(update={"recipe": recipe.model_copy(update={"lr": 1.0})})
            found.setdefault(alike.digest(), {})[recipe.lr] = top1
    return [held for held in found.values() if len(held) > 1]
