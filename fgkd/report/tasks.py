"""What a board ranks by: the metric of the test split that the protocol's task asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fgkd.facts import Task
from fgkd.record import RunRecord


@dataclass(frozen=True)
class Ranking:
    """The metric's name in records, and at the head of a column."""

    metric: str
    title: str


RANKINGS: dict[Task, Ranking] = {
    "classification": Ranking("top1", "top-1 %"),
    "retrieval": Ranking("recall_at_1", "recall@1 %"),
}


def task_of(records: Iterable[RunRecord]) -> Task:
    """The task of runs that share their data."""
    return next((record.data.task for record in records if record.data is not None), "classification")


def any_retrieval(records: Iterable[RunRecord]) -> bool:
    """Whether some run was tested by retrieval."""
    return any(task_of([record]) == "retrieval" for record in records)
