"""What the page tells of speed: one place's latencies, so that nobody compares those of two machines."""

from __future__ import annotations

from collections.abc import Sequence

from fgkd.report.comparison import Cell
from fgkd.report.html.packing import Row
from fgkd.report.latency import Latency, key_of


def with_latency(rows: list[Row], cells: Sequence[Cell], latencies: Sequence[Latency]) -> list[Row]:
    """The rows of the cells, with ``latency`` in milliseconds of one image where the first place has measured some."""
    if not latencies:
        return rows
    known = {found.key: found.batch1_ms for found in latencies if found.place == latencies[0].place}
    return [
        {**row, "latency": next((known[key] for r in cell.records if (key := key_of(r)) in known), None)}
        for row, cell in zip(rows, cells, strict=True)
    ]
