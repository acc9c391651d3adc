"""Thousands of rows in few bytes: names once, repeated parts once, no more digits than there is evidence for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def columns(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows with the same keys, as their names and one list of values per row."""
    return {"names": list(rows[0]) if rows else [], "rows": [list(row.values()) for row in rows]}


def digits(value: float | None, significant: int = 5) -> float | int | None:
    """A number to so many significant digits; whole ones as int, None where there is none.

    Example:
        >>> digits(0.123456789), digits(3.0), digits(None)
        (0.12346, 3, None)
    """
    if value is None:
        return None
    short = float(f"{value:.{significant}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


class Blocks:
    """Parts that many rows share, each kept once and named by its number."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._numbers: dict[str, int] = {}

    def number(self, part: Any) -> int | None:
        """The number of a part that can be JSON; None for None."""
        if part is None:
            return None
        key = json.dumps(part, sort_keys=True, default=str)
        if key not in self._numbers:
            self._numbers[key] = len(self.all)
            self.all.append(part)
        return self._numbers[key]
