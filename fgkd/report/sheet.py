"""Text that stays data wherever it is opened: CSV with fixed decimals, names that no spreadsheet or page executes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd

from fgkd.report.text import csv_text, markdown_table, markdown_text, one_line

__all__ = ["csv_text", "markdown_table", "markdown_text", "number", "one_line", "to_csv"]


def number(value: object, decimals: int) -> str:
    """A number with fixed decimals, "" where there is none; never ``-0.0``."""
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return ""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.") else text


def to_csv(frame: pd.DataFrame, decimals: Mapping[str, int]) -> str:
    """The frame as CSV: columns of `decimals` with so many decimals, others as text or whole numbers, missing blank."""
    columns = [
        _cells(frame[name], partial(number, decimals=decimals[name]) if name in decimals else _plain)
        for name in frame.columns
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _cells(column: pd.Series, shown: Callable[[Any], str]) -> list[str]:
    """A column as text; pandas is asked once what is missing, and a value that occurs again is not shown anew."""
    known: dict[object, str] = {}
    texts = []
    for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True):
        if missing:
            texts.append("")
            continue
        if value not in known:
            known[value] = shown(value)
        texts.append(known[value])
    return texts


def _plain(value: object) -> str:
    return csv_text(value) if isinstance(value, str) else str(value)
