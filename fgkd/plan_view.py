"""A priced plan, as a table for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from fgkd.plan import Plan, PlannedCohort
from fgkd.price import CohortPrice
from fgkd.yardstick import Yardstick


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


def hours_of(prices: Sequence[CohortPrice], by: Yardstick | Sequence[float]) -> list[float]:
    """Hours of each cohort: by a yardstick, or the seconds that were calibrated."""
    if isinstance(by, Yardstick):
        return [by.seconds(price.macs, price.kept) / 3600 for price in prices]
    return [seconds / 3600 for seconds in by]


def print_plan(plan: Plan, prices: Sequence[CohortPrice], by: Yardstick | Sequence[float], console: Console) -> None:
    """The table and the sums below it.

    Args:
        by: what hours are told by, see `hours_of`.
    """
    if plan.recorded:
        console.print(f"{len(plan.recorded)} runs are recorded already and will not be run again")
    if not prices:
        console.print("nothing is left to run")
        return
    hours = hours_of(prices, by)
    console.print(plan_table(prices, hours))
    macs, alone = sum(p.macs for p in prices), sum(p.macs_alone for p in prices)
    how = "by the pace of 20 steps of each here"
    if isinstance(by, Yardstick):
        how = f"at {by} here, without loading and losses: --calibrate tells better"
    console.print(
        f"{len(plan.runs)} runs in {len(prices)} cohorts: {macs / 1e12:.4g} TMACs, {sum(hours):.3g} h {how}; "
        f"one by one it is {alone / macs if macs else 1:.2f} x as many MACs",  # no MACs: all is measured as it is
        highlight=False,
    )


def plan_json(plan: Plan, prices: Sequence[CohortPrice], by: Yardstick | Sequence[float]) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "recorded": [run.run_id for run in plan.recorded],
        "calibrated": not isinstance(by, Yardstick),
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
                "kept_bytes": price.kept,
                "kept_bytes_alone": price.kept_alone,
                "peak_bytes": price.bytes,
                "hours": time,
            }
            for price, time in zip(prices, hours_of(prices, by), strict=True)
        ],
    }
