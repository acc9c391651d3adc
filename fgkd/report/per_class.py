"""A run judged class by class: how many test images of each it got right, and what it took the others for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fgkd.errors import UserError
from fgkd.record import RunRecord, unpack_predictions
from fgkd.report.truth import Truth


@dataclass(frozen=True)
class ClassScore:
    """One class.

    Attributes:
        label: of the class, from 0.
        images: of it in the test split.
        right: of those.
        taken_for: the class that most of the others were taken for, "" where there are no others.
        taken: how many of them.
    """

    label: int
    name: str
    images: int
    right: int
    taken_for: str = ""
    taken: int = 0

    @property
    def accuracy(self) -> float | None:
        """In [0, 1]; None for a class without test images."""
        return self.right / self.images if self.images else None


def predictions_of(record: RunRecord) -> np.ndarray:
    """The classes (N,) that a run gave to the test split.

    Raises:
        UserError: it left none.
    """
    if record.predictions is not None:
        return unpack_predictions(record.predictions)
    why = "retrieval has none" if record.data and record.data.task == "retrieval" else f"it ended as {record.status}"
    raise UserError(f"run {record.run_id}: its record holds no predictions ({why}), so no class can be judged")


def class_scores(record: RunRecord, truth: Truth) -> list[ClassScore]:
    """Every class, by label.

    Raises:
        UserError: the record has no predictions, or they are of another test split.
    """
    predicted, targets = predictions_of(record), truth.labels()
    if len(predicted) != len(targets) or predicted.max(initial=0) >= len(truth.class_names):
        raise UserError(
            f"run {record.run_id}: its {len(predicted)} predictions do not fit the {len(targets)} test images of "
            f"{truth.dataset}, revision {truth.revision}; one of the two files was edited"
        )
    return [_score(label, truth.class_names, predicted[targets == label]) for label in range(len(truth.class_names))]


def _score(label: int, names: tuple[str, ...], answers: np.ndarray) -> ClassScore:
    others = np.bincount(answers[answers != label], minlength=1)
    worst = int(others.argmax())
    taken_for = names[worst] if others[worst] else ""
    return ClassScore(label, names[label], len(answers), int((answers == label).sum()), taken_for, int(others[worst]))


def worst_first(scores: list[ClassScore]) -> list[ClassScore]:
    """Classes with test images, least accurate first, larger ones before smaller ones among equals."""
    return sorted((s for s in scores if s.images), key=lambda s: (s.right / s.images, -s.images, s.label))


def mean_class_accuracy(scores: list[ClassScore]) -> float:
    """The mean over classes that have test images, in [0, 1]."""
    return float(np.mean([s.accuracy for s in scores if s.accuracy is not None]))
