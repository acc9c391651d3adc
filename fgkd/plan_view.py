"""A priced plan, as a table for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.console import Console

from fgkd.plan import Plan, PlannedCohort
from fgkd.price import CohortPrice
from fgkd.tables import print_table
from fgkd.text import count, duration
from fgkd.yardstick import Yardstick


def learners(planned: PlannedCohort) -> str:
    """Who sits in a cohort, by method: ``kd x3, scratch x3``."""
    labels = [run.method.label for run in planned.runs]
    return ", ".join(
        f"{label} x{labels.count(label)}" if labels.count(label) > 1 else label for label in dict.fromkeys(labels)
    )


HEADER = ("#", "data", "teacher", "learners", "epochs", "TMACs", "alone", "GiB", "time")
LEGEND = (
    "TMACs: 10^12 multiply-accumulates; alone: those if each run were trained by itself; GiB: predicted peak memory"
)
GUESS = "a rough guess from a one-second trial on this machine, data loading not counted; --calibrate tells better"
CALIBRATED = "by the pace of 20 steps of each cohort"


def _row(number: int, price: CohortPrice, hours: float) -> tuple[str, ...]:
    planned = price.cohort
    feed = planned.feed
    return (
        str(number),
        feed.dataset.name,
        feed.teacher.name if feed.teacher else "-",
        f"{len(planned.runs)}: {learners(planned)}",
        str(feed.epochs),
        _tera(price.macs),
        _tera(price.macs_alone),
        f"{price.bytes / 2**30:.2f}",
        duration(3600 * hours),
    )


def _tera(macs: float) -> str:
    """In units of 10^12, without an exponent."""
    return f"{macs / 1e12:,.{0 if macs >= 1e14 else 3}f}"


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
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    if plan.recorded:
        say(f"{count(len(plan.recorded), 'run is', 'runs are')} recorded already and will not be run again")
    if not prices:
        say("nothing is left to run")
        return
    hours = hours_of(prices, by)
    rows = [_row(number, *priced) for number, priced in enumerate(zip(prices, hours, strict=True), 1)]
    print_table(console, HEADER, rows, right=range(HEADER.index("epochs"), len(HEADER)))
    macs, alone = sum(p.macs for p in prices), sum(p.macs_alone for p in prices)
    say(LEGEND)
    how = GUESS if isinstance(by, Yardstick) else CALIBRATED
    say(
        f"{count(len(plan.runs), 'run')} in {count(len(prices), 'cohort')}: {_tera(macs)} TMACs, "
        f"about {duration(3600 * sum(hours))} here ({how}); "
        f"one by one it is {alone / macs if macs else 1:.2f} x as many MACs"  # no MACs: all is measured as it is
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
