"""How findings are written: sections of one table each, and differences with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fgkd.report.evidence import Interval
from fgkd.report.sheet import markdown_table, markdown_text, number


def section(title: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A heading and a table whose first column stands left; "" without rows."""
    told = [[markdown_text(cell) for cell in row] for row in rows]
    if not told:
        return ""
    return f"## {title}\n\n{markdown_table(names, told)}"


def spread(found: Interval, *, signed: bool = True) -> str:
    """For example ``+0.8 (-1.2 to +2.8)``; one value has no interval, and none gives ""."""
    if found.mean is None:
        return ""
    if found.low is None or found.high is None:
        return _point(found.mean, signed)
    return f"{_point(found.mean, signed)} ({_point(found.low, signed)} to {_point(found.high, signed)})"


def _point(value: float, signed: bool) -> str:
    text = number(value, 1)
    return f"+{text}" if signed and not text.startswith("-") else text
