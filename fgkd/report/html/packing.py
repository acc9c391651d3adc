"""Thousands of rows in few bytes: names once, repeated parts once, no more digits than there is evidence for."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

Row = Mapping[str, Any]
_TO_DIGITS = {n: f"%.{n}g" for n in range(1, 18)}  # twice as fast as a format whose precision is put in each time


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
    short = float(_TO_DIGITS[significant] % value)
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


class Blocks:
    """Parts that many rows share, each kept once and named by its number."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._numbers: dict[str, int] = {}
        self._known: dict[Any, int | None] = {}  # in a form that is faster to look up than JSON

    def number(self, part: Any) -> int | None:
        """The number of a part that can be JSON; None for None."""
        if part is None:
            return None
        key = json.dumps(part, sort_keys=True, default=str)
        if key not in self._numbers:
            self._numbers[key] = len(self.all)
            self.all.append(part)
        return self._numbers[key]

    def number_of(self, model: BaseModel | None, leave: Collection[str] = ()) -> int | None:
        """The number of what a model says but for the fields in `leave`; None for None.

        Defaults are left out, so that fields of a later schema leave earlier pages alone.
        """
        if model is None:
            return None
        told = model.model_dump_json(
            exclude=set(leave), exclude_defaults=True
        )  # much faster than as values, and often known
        if told not in self._known:
            self._known[told] = self.number(json.loads(told))
        return self._known[told]

    def number_of_row(self, values: tuple[float | None, ...]) -> int | None:
        """The number of a list of numbers."""
        if values not in self._known:
            self._known[values] = self.number(list(values))
        return self._known[values]
