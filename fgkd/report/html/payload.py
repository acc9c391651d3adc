"""Everything the page knows, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fgkd.record import RunRecord
from fgkd.report.comparison import Cell, Group
from fgkd.report.html.calibration import reliability_of
from fgkd.report.html.configurations import cell_rows, dataset_of, standing_rows
from fgkd.report.html.confusions import Truths, confusion_of
from fgkd.report.html.latency import with_latency
from fgkd.report.html.mistakes import Pictures, mistake_rows
from fgkd.report.html.packing import Blocks, columns
from fgkd.report.html.runs import cost_names, metric_names, run_rows
from fgkd.report.latency import Latency
from fgkd.report.lines import conditions, headings, lead_cell, teacher_lines
from fgkd.report.published import NOTHING, Published, published_rows


@dataclass(frozen=True)
class Beside:
    """What a page may know besides records.

    Attributes:
        truths: the right answers of test splits, by revision of the data; without them no confusions are shown.
        pictures: of test images.
        published: numbers of others.
        latencies: of networks; those of the first place where some were measured are shown.
    """

    truths: Truths = field(default_factory=dict)
    pictures: Pictures = field(default_factory=dict)
    published: Published = NOTHING
    latencies: tuple[Latency, ...] = ()


def payload(
    records: Sequence[RunRecord], cells: Sequence[Cell], groups: Sequence[Group], beside: Beside
) -> dict[str, Any]:
    """The page's data: tables as `columns`, shared parts in ``blocks``, named by their number wherever they occur."""
    blocks = Blocks()
    numbers = {id(cell): i for i, cell in enumerate(cells)}
    of_run = {record.run_id: i for i, cell in enumerate(cells) for record in cell.records}
    confusions = {i: found for i, cell in enumerate(cells) if (found := confusion_of(cell, beside.truths, blocks))}
    return {
        "costs": cost_names(records),
        "metrics": metric_names(records, "test_last"),
        "holdoutMetrics": metric_names(records, "holdout_last"),
        "cells": columns(with_latency(cell_rows(cells, blocks), cells, beside.latencies)),
        "latencyPlace": beside.latencies[0].place if beside.latencies else "",
        "runs": columns(run_rows(records, of_run, blocks)),
        "groups": [
            _group(group, title, numbers, beside, blocks) for group, title in zip(groups, headings(groups), strict=True)
        ],
        "confusions": confusions,
        "reliability": {i: found for i, cell in enumerate(cells) if (found := reliability_of(cell))},
        "blocks": blocks.all,
    }


def _group(group: Group, title: str, numbers: dict[int, int], beside: Beside, blocks: Blocks) -> dict[str, Any]:
    lead = lead_cell(group)
    return {
        "heading": title,
        "dataset": dataset_of(lead),
        "student": lead.student,
        "teacher": lead.teacher,
        "metric": group.ranking.title,
        "device": group.device,
        "conditions": conditions(group),
        "notes": teacher_lines(group),
        "standings": columns(standing_rows(group, numbers)),
        "mistakes": mistake_rows(group, beside.truths, beside.pictures, blocks),
        "published": _published(beside.published, group),
    }


def _published(published: Published, group: Group) -> list[dict[str, Any]]:
    return [
        {
            "method": row.method,
            "score": row.text,
            "paper": row.source.paper,
            "table": row.source.table,
            "url": row.source.url,
            "remarks": row.source.remarks,
        }
        for row in published_rows(published, group)
    ]
