"""What the page tells of one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fgkd.facts import Costs
from fgkd.record import RunRecord
from fgkd.report.html.curves import curve_of, points_per_curve
from fgkd.report.html.packing import Blocks, Row, digits
from fgkd.report.tasks import RANKINGS, task_of

METRICS, WEIGHTS, TIMES = ("metrics",), ("weights_hash",), ("started", "finished")


def metric_names(records: Sequence[RunRecord], kind: str) -> list[str]:
    """All metrics that some run has of one split and weights."""
    return sorted({name for record in records for name in record.metrics.get(kind, {})})  # type: ignore[call-overload]


def cost_names(records: Sequence[RunRecord]) -> list[str]:
    """The costs that some run tells of."""
    return [name for name in Costs.model_fields if any(getattr(record.costs, name) is not None for record in records)]


def run_rows(records: Sequence[RunRecord], cells: dict[str, int], blocks: Blocks) -> list[Row]:
    """One row per run, in the order given.

    Args:
        cells: number of the configuration by run id.
        blocks: takes the parts that runs share.
    """
    test, holdout = metric_names(records, "test_last"), metric_names(records, "holdout_last")
    costs = cost_names(records)
    points = points_per_curve(len(records))
    return [
        {
            "id": record.run_id,
            "cell": cells[record.run_id],
            "seed": record.spec.seed,
            "dataSeed": record.spec.feed.data_seed,
            "status": record.status,
            "reason": record.reason or None,
            "score": _score(record),
            "test": _values(record, "test_last", test),
            "holdout": _values(record, "holdout_last", holdout),
            "bestEpoch": record.best_epoch,
            "bestScore": _percent(record.metric(RANKINGS[task_of([record])].metric, "test_best")),
            "epochsDone": record.epochs_done,
            "costs": [digits(getattr(record.costs, name)) for name in costs],
            "curve": curve_of(record, points, blocks),
            "data": blocks.number_of(record.data),
            "teacher": blocks.number_of(record.teacher, METRICS),
            "student": blocks.number_of(record.student, WEIGHTS),
            "weights": record.student and record.student.weights_hash,
            "environment": blocks.number_of(record.environment, TIMES),
            "finished": record.environment.finished,
            "cohort": record.cohort.size,
            "diagnostics": _diagnostics(record),
        }
        for record in records
    ]


def _score(record: RunRecord) -> float | int | None:
    return _percent(record.metric(RANKINGS[task_of([record])].metric)) if record.status == "ok" else None


def _percent(fraction: float | None) -> float | int | None:
    return None if fraction is None else digits(100 * fraction)


def _values(record: RunRecord, kind: str, names: Sequence[str]) -> list[Any] | None:
    found = record.metrics.get(kind)  # type: ignore[call-overload]
    return [digits(found.get(name)) for name in names] if found else None


def _diagnostics(record: RunRecord) -> dict[str, Any] | None:
    found = {k: v if isinstance(v, str) else digits(v) for k, v in record.diagnostics.items()}
    return found or None
