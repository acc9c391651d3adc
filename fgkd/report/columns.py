"""Columns that stand at the end of the CSV files once there is something to fill them with.

Boards of records that were made before a metric keep their bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from fgkd.record import CALIBRATION, VERIFICATION, RunRecord
from fgkd.report.answers import Book, Evidence
from fgkd.report.comparison import Group
from fgkd.report.resampling import Paired

_YOUNG = (*CALIBRATION, "temperature", *VERIFICATION[:-1], "size_mb")  # none of the first records has one of these
RUN_COLUMNS = ("mean_class_accuracy", *CALIBRATION, "temperature", *VERIFICATION, "size_mb")
CELL_COLUMNS = (
    *("churn_scratch", "delta_scratch_images_low", "delta_scratch_images_high", "delta_scratch_mcnemar_p"),
    *("delta_kd_images_low", "delta_kd_images_high", "delta_kd_mcnemar_p", "rank_low", "rank_high"),
)
RUN_DECIMALS = {**dict.fromkeys(RUN_COLUMNS, 3), "temperature": 4}
CELL_DECIMALS = {name: 5 if name.endswith("_p") else 3 for name in CELL_COLUMNS if not name.startswith("rank_")}
WHOLE = ("rank_low", "rank_high")


def run_columns(record: RunRecord) -> dict[str, float | None]:
    """`RUN_COLUMNS` of one run: shares in percent, the temperature fitted on the hold-out, megabytes (10**6)."""
    test = record.metrics.get("test_last", {})
    shares = {name: test.get(name) for name in ("mean_class_accuracy", *CALIBRATION, *VERIFICATION)}
    size = None if record.student is None else record.student.size_bytes
    return {
        **{name: None if share is None else 100 * share for name, share in shares.items()},
        "temperature": record.metric("temperature", "holdout_last"),
        "size_mb": None if size is None else size / 1e6,
    }


def cell_columns(groups: Iterable[Group], book: Book) -> dict[int, dict[str, Any]]:
    """`CELL_COLUMNS` by the `id` of a student's cell; points and percent, see `fgkd.report.answers.Evidence`."""
    rows: dict[int, dict[str, Any]] = {}
    for group in groups:
        found = book.of(group)
        rows |= {id(cell): _row(found[id(cell)]) for cell in group.taught}
    return rows


def _row(found: Evidence) -> dict[str, Any]:
    low, high = found.rank or (None, None)
    return {
        "churn_scratch": found.churn,
        **_paired("scratch", found.scratch),
        **_paired("kd", found.kd),
        "rank_low": low,
        "rank_high": high,
    }


def _paired(name: str, found: Paired | None) -> dict[str, float | None]:
    values = (None, None, None) if found is None else (found.low, found.high, found.p)
    names = (f"delta_{name}_images_low", f"delta_{name}_images_high", f"delta_{name}_mcnemar_p")
    return dict(zip(names, values, strict=True))


def without_blank(frame: pd.DataFrame, columns: Iterable[str], deciding: Iterable[str] | None = None) -> pd.DataFrame:
    """The frame without `columns` where all of the `deciding` ones (by default these) are blank."""
    names = list(columns)
    filled = frame[list(names if deciding is None else deciding)].notna().any(axis=None)
    return frame if filled else frame.drop(columns=names)


def young_or_none(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its `RUN_COLUMNS` if some record is young enough to have them all."""
    return without_blank(frame, RUN_COLUMNS, _YOUNG)
