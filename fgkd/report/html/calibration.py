"""Reliability diagrams: how often answers of a given confidence are right."""

from __future__ import annotations

from collections import defaultdict
from math import ceil
from typing import Any

from fgkd.record import RunRecord
from fgkd.report.comparison import Cell
from fgkd.report.html.packing import digits

BINS = 15


def reliability_of(cell: Cell) -> dict[str, Any] | None:
    """``runs``, and ``bins`` of confidence: mean confidence, accuracy, share of the test images; None without.

    Over several runs the bins are pooled, and every run weighs the same.
    """
    rows = [rows for record in cell.records if (rows := _rows(record))]
    if not rows:
        return None
    bins: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for confidence, accuracy, share in (row for one in rows for row in one):
        pooled = bins[max(0, min(BINS, ceil(confidence * BINS)) - 1)]
        for i, amount in enumerate((confidence * share, accuracy * share, share)):
            pooled[i] += amount
    shown = [[c / s, a / s, s / len(rows)] for _, (c, a, s) in sorted(bins.items()) if s > 0]
    return {"runs": len(rows), "bins": [[digits(value, 3) for value in row] for row in shown]}


def _rows(record: RunRecord) -> list[tuple[float, float, float]]:
    found = record.profiles.get("reliability", []) if record.status == "ok" else []
    return [(c, a, s) for c, a, s in found if c is not None and a is not None and s is not None]
