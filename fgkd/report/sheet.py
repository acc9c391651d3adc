"""Text that stays data wherever it is opened: CSV with fixed decimals, names that no spreadsheet or page executes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

import pandas as pd

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MARKDOWN = re.compile(r"([\\`*\[\]|~])")
_FORMULA = ("=", "+", "-", "@")


def one_line(text: str) -> str:
    """`text` with line ends, tabs and other control characters as single spaces, trimmed."""
    return _CONTROL.sub(" ", text).strip()


def csv_text(text: str) -> str:
    """`text` for a CSV cell: one line, and an apostrophe before what a spreadsheet would take for a formula.

    Example:
        >>> csv_text("=1+1"), csv_text("resnet18")
        ("'=1+1", 'resnet18')
    """
    line = one_line(text)
    return "'" + line if line.startswith(_FORMULA) else line


def markdown_text(text: str) -> str:
    """`text` for a Markdown table cell: one line; pipes, HTML and markup are shown, not obeyed.

    Example:
        >>> markdown_text("<b>|x|</b>")
        '&lt;b&gt;\\\\|x\\\\|&lt;/b&gt;'
    """
    line = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", line)


def number(value: object, decimals: int) -> str:
    """A number with fixed decimals, "" where there is none; never ``-0.0``."""
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return ""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.") else text


def to_csv(frame: pd.DataFrame, decimals: Mapping[str, int]) -> str:
    """The frame as CSV: columns of `decimals` with so many decimals, others as text or whole numbers, missing blank."""
    columns = [
        [number(v, decimals[name]) for v in frame[name]] if name in decimals else [_plain(v) for v in frame[name]]
        for name in frame.columns
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _plain(value: object) -> str:
    if isinstance(value, str):
        return csv_text(value)
    return "" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]
