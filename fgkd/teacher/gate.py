"""Nobody learns from a teacher that has not been proven to be one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fgkd.spec import TeacherSpec
from fgkd.teacher.papers import foreign_head, fresh_head

CHANCE_FACTOR = 3  # the bar where nothing better is known, times what guessing would get


@dataclass(frozen=True)
class Bar:
    """The hold-out top-1 that a teacher must exceed before a student learns from it.

    Attributes:
        top1: in [0, 1].
        kind: ``stated`` in the suite, of the student trained from ``scratch``, or over ``chance``.
        what: the same in words.
    """

    top1: float
    kind: Literal["stated", "scratch", "chance"]
    what: str

    def __str__(self) -> str:
        return f"{self.top1:.2%} ({self.what})"


def bar_for(teacher: TeacherSpec, scratch: list[float], num_classes: int) -> Bar:
    """What `teacher` must exceed.

    Args:
        scratch: hold-out top-1 of the student's runs from scratch, as many as there are.
    """
    if teacher.gate is not None:
        return Bar(teacher.gate, "stated", "the stated gate")
    if scratch:
        runs = f"{len(scratch)} run{'s' if len(scratch) > 1 else ''}"
        return Bar(sum(scratch) / len(scratch), "scratch", f"the student's own from scratch, mean of {runs}")
    often, midway = CHANCE_FACTOR / num_classes, (1 / num_classes + 1) / 2
    if often <= midway:
        return Bar(often, "chance", "three times chance")
    return Bar(midway, "chance", "midway from chance to 100 %")  # few classes: three times chance may be out of reach


def head_problem(name: str, facts: Mapping[str, Any], num_classes: int) -> str | None:
    """Why nobody can learn from this teacher; None where its classifier is one of the data set's.

    Args:
        facts: of the teacher's own run: ``num_classes``, and ``head_is_fresh`` (drawn at random and never trained).
        num_classes: of the data set.
    """
    if facts["num_classes"] != num_classes:
        return foreign_head(name, facts["num_classes"], num_classes)
    return fresh_head(name, num_classes) if facts["head_is_fresh"] else None


def bar_problem(name: str, found: float | None, bar: Bar) -> str | None:
    """Why a student does not learn from this teacher; None where its hold-out top-1 exceeds the bar."""
    if found is not None and found > bar.top1:
        return None
    shown = "none" if found is None else f"{found:.2%}"
    return (
        f"teacher {name}: expected a hold-out top-1 above {bar}, found {shown}; train it longer, start it from better "
        "weights, or state a `gate` for it"
    )
