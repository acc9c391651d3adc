"""A priced plan, as a table for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from fgkd.plan import Plan, PlannedCohort
from fgkd.price import CohortPrice


def learners(planned: PlannedCohort) -> str:
    """Who sits in a cohort, by method: ``kd x3, scratch x3``."""
    labels = [run.method.label for run in planned.runs]
    return ", ".join(
        f"{label} x{labels.count(label)}" if labels.count(label) > 1 else label for label in dict.fromkeys(labels)
    )


def plan_table(prices: Sequence[CohortPrice], hours: Sequence[float]) -> Table:
    """One row per cohort, in order.

    Args:
        hours: of each.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("#", "data", "teacher", "learners"):
        table.add_column(name, overflow="fold")
    for name in ("epochs", "TMACs", "alone", "GiB", "hours"):
        table.add_column(name, justify="right")
    for number, (price, time) in enumerate(zip(prices, hours, strict=True), 1):
        planned = price.cohort
        feed = planned.feed
        table.add_row(
            str(number),
            feed.dataset.name,
            feed.teacher.name if feed.teacher else "-",
            f"{len(planned.runs)}: {learners(planned)}",
            str(feed.epochs),
            f"{price.macs / 1e12:.4g}",
            f"{price.macs_alone / 1e12:.4g}",
            f"{price.bytes / 2**30:.2f}",
            f"{time:.3g}",
        )
    return table


def hours_of(prices: Sequence[CohortPrice], speed: float, seconds: Sequence[float] | None) -> list[float]:
    """Hours of each cohort: calibrated, else by its multiply-accumulates."""
    return [price.macs / speed / 3600 for price in prices] if seconds is None else [s / 3600 for s in seconds]


def print_plan(
    plan: Plan, prices: Sequence[CohortPrice], speed: float, console: Console, seconds: Sequence[float] | None = None
) -> None:
    """The table and the sums below it.

    Args:
        speed: multiply-accumulates per second, see `fgkd.price.machine_speed`.
        seconds: of each cohort, calibrated; None: they are told by `speed`.
    """
    if plan.recorded:
        console.print(f"{len(plan.recorded)} runs are recorded already and will not be run again")
    if not prices:
        console.print("nothing is left to run")
        return
    hours = hours_of(prices, speed, seconds)
    console.print(plan_table(prices, hours))
    macs, alone = sum(p.macs for p in prices), sum(p.macs_alone for p in prices)
    how = f"at the {speed / 1e9:.0f} GMAC/s of a ResNet-10 in training here"
    console.print(
        f"{len(plan.runs)} runs in {len(prices)} cohorts: {macs / 1e12:.4g} TMACs, {sum(hours):.3g} h "
        f"{how if seconds is None else 'by the pace of 20 steps of each here'}; one by one it is {alone / macs:.2f} x "
        "as many MACs",
        highlight=False,
    )


def plan_json(
    plan: Plan, prices: Sequence[CohortPrice], speed: float, seconds: Sequence[float] | None = None
) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "recorded": [run.run_id for run in plan.recorded],
        "gmacs_per_second": speed / 1e9,
        "calibrated": seconds is not None,
        "cohorts": [
            {
                "id": price.cohort.cohort_id,
                "dataset": price.cohort.feed.dataset.name,
                "teacher": price.cohort.feed.teacher.name if price.cohort.feed.teacher else None,
                "runs": [run.run_id for run in price.cohort.runs],
                "waits_for": sorted(price.cohort.waits_for),
                "after": sorted(price.cohort.after),
                "images": price.images,
                "macs": price.macs,
                "macs_alone": price.macs_alone,
                "peak_bytes": price.bytes,
                "hours": time,
            }
            for price, time in zip(prices, hours_of(prices, speed, seconds), strict=True)
        ],
    }
