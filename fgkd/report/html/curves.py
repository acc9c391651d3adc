"""Learning curves, thinned where there are so many that a page could not carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fgkd.record import RunRecord
from fgkd.report.html.packing import Blocks, digits

BUDGET = 60_000  # points of all curves of a page
_FEWEST, _MOST = 12, 400
_HOLDOUT = ("holdout_top1", "holdout/top1")


def points_per_curve(runs: int) -> int:
    """How many points a curve may have on a page of so many runs."""
    return max(_FEWEST, min(_MOST, BUDGET // max(runs, 1)))


def curve_of(record: RunRecord, points: int, blocks: Blocks) -> list[Any] | None:
    """[number of the epochs' block, hold-out top-1 in percent by epoch, loss by epoch]; None without epochs."""
    steps = thinned(record.curve, points)
    if not steps:
        return None
    epochs = blocks.number_of_row(tuple(step.get("epoch", i) for i, step in enumerate(steps)))
    top1 = [digits(_top1(step), 4) for step in steps]
    losses = [digits(step.get("loss"), 3) for step in steps]
    return [epochs, top1, losses if any(loss is not None for loss in losses) else None]


def thinned(steps: Sequence[Any], points: int) -> list[Any]:
    """At most `points` of the steps, evenly spread, with the first and the last.

    Example:
        >>> thinned(range(9), 3)
        [0, 4, 8]
    """
    return [steps[i] for i in _kept(len(steps), points)]


@cache
def _kept(steps: int, points: int) -> Sequence[int]:
    if steps <= points:
        return range(steps)
    return [round(i * (steps - 1) / (points - 1)) for i in range(points)]


def holdout_top1(record: RunRecord) -> list[float | None]:
    """Of every epoch, in percent."""
    return [_top1(step) for step in record.curve]


def _top1(step: Mapping[str, float | None]) -> float | None:
    for name in _HOLDOUT:
        if (found := step.get(name)) is not None:
            return 100 * found
    return None
