"""The test images that most runs of a table take for the same wrong class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgkd.record import RunRecord
from fgkd.report.comparison import Cell, Comparison, Group
from fgkd.report.html.confusions import Truths, answers_of
from fgkd.report.html.packing import Blocks
from fgkd.report.truth import Truth

MOST = 8
Pictures = Mapping[tuple[str, int], str]  # (revision of the data, position in the test split) -> data URI


@dataclass(frozen=True)
class Mistake:
    """An image, by its position in the test split, and the wrong class that `votes` of `runs` runs gave it."""

    position: int
    answer: int
    votes: int
    runs: int


def mistakes_of(cells: Sequence[Cell], truths: Truths) -> tuple[Truth | None, list[Mistake]]:
    """The worst mistakes of a table's configurations, most votes first; none of fewer than two runs."""
    answered = [found for cell in cells for record in cell.records if (found := answers_of(record, truths))]
    if len(answered) < 2:
        return None, []
    truth = answered[0][0]
    targets = truth.labels()
    answers = np.stack([predicted for other, predicted in answered if other.revision == truth.revision])
    votes = np.where(answers == targets, -1, answers)  # (runs, images)
    most_wrong = np.argsort(-(votes >= 0).sum(0), kind="stable")[: 8 * MOST]
    judged = [_worst(position, votes[:, position]) for position in most_wrong.tolist()]
    worst = sorted((one for one in judged if one.votes > 1), key=lambda one: (-one.votes, one.position))
    return truth, worst[:MOST]


def _worst(position: int, votes: np.ndarray) -> Mistake:
    counts = np.bincount(votes[votes >= 0], minlength=1)
    return Mistake(position, int(counts.argmax()), int(counts.max()), len(votes))


def mistake_rows(group: Group, truths: Truths, pictures: Pictures, blocks: Blocks) -> list[dict[str, Any]]:
    """The worst mistakes of a table, as the page tells them; classes and pictures are numbers of blocks."""
    truth, worst = mistakes_of(group.cells, truths)
    if truth is None:
        return []
    targets = truth.labels()
    return [
        {
            "image": one.position,
            "truth": blocks.number(truth.class_names[targets[one.position]]),
            "answer": blocks.number(truth.class_names[one.answer]),
            "votes": one.votes,
            "runs": one.runs,
            "picture": blocks.number(pictures.get((truth.revision, one.position))),
        }
        for one in worst
    ]


def wanted_pictures(records: Sequence[RunRecord], truths: Truths) -> dict[str, list[int]]:
    """Positions in the test split, by revision of the data, of all images that a page of these records speaks of."""
    wanted: dict[str, set[int]] = {}
    for group in Comparison(records).tables:
        truth, worst = mistakes_of(group.cells, truths)
        if truth is not None:
            wanted.setdefault(truth.revision, set()).update(one.position for one in worst)
    return {revision: sorted(positions) for revision, positions in wanted.items()}
