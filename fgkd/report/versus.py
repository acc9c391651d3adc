"""Two runs held against each other: on the same images, by class, and by what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fgkd.errors import UserError
from fgkd.record import RunRecord
from fgkd.report.per_class import ClassScore, class_scores, predictions_of
from fgkd.report.resampling import Paired, paired
from fgkd.report.truth import Truth


@dataclass(frozen=True)
class ClassGap:
    """One class: how many of its test images each run got right."""

    name: str
    images: int
    first: int
    second: int

    @property
    def gap(self) -> float:
        """Second less first, in [-1, 1]."""
        return (self.second - self.first) / self.images


@dataclass(frozen=True)
class Disagreement:
    """Positions in the test split at which the runs differ.

    Attributes:
        first_right: only the first run is right there.
        second_right: only the second is.
        both_wrong: neither is, and they name different classes.
    """

    first_right: tuple[int, ...]
    second_right: tuple[int, ...]
    both_wrong: tuple[int, ...]

    @property
    def total(self) -> int:
        """Images with different answers."""
        return len(self.first_right) + len(self.second_right) + len(self.both_wrong)


@dataclass(frozen=True)
class Versus:
    """The second run against the first.

    Attributes:
        paired: second less first; with a single run each, its p is McNemar's exact one.
        classes: with test images, largest difference first; equals by label.
    """

    first: RunRecord
    second: RunRecord
    paired: Paired
    classes: tuple[ClassGap, ...]
    disagreement: Disagreement


def check_comparable(first: RunRecord, second: RunRecord) -> None:
    """Refuse runs that were not tested on the same images.

    Raises:
        UserError: they are one run, or their data, protocols or revisions differ, or are not recorded.
    """
    if first.run_id == second.run_id:
        raise UserError(f"run {first.run_id}: expected two runs, found the same one twice")
    for name in ("name", "protocol", "revision"):
        ours, theirs = (getattr(record.data, name, None) for record in (first, second))
        if ours is None or ours != theirs:
            raise UserError(
                f"data {name}: {first.run_id} was tested on {ours or 'something not recorded'}, {second.run_id} on "
                f"{theirs or 'something not recorded'}; only runs with the same test images can be compared"
            )


def versus(first: RunRecord, second: RunRecord, truth: Truth) -> Versus:
    """Compare two runs on the images that both were tested on.

    Raises:
        UserError: a run holds no predictions, or they do not fit the truth.
    """
    scores = class_scores(first, truth), class_scores(second, truth)
    labels, ours, theirs = truth.labels(), predictions_of(first), predictions_of(second)
    return Versus(
        first,
        second,
        paired((theirs == labels)[None], (ours == labels)[None]),
        tuple(_gaps(*scores)),
        _disagreement(ours, theirs, labels),
    )


def _gaps(first: list[ClassScore], second: list[ClassScore]) -> list[ClassGap]:
    pairs = zip(first, second, strict=True)
    gaps = [ClassGap(ours.name, ours.images, ours.right, theirs.right) for ours, theirs in pairs if ours.images]
    return sorted(gaps, key=lambda found: -abs(found.gap))


def _disagreement(ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray) -> Disagreement:
    where = lambda mask: tuple(np.flatnonzero(mask).tolist())
    right, other = ours == labels, theirs == labels
    return Disagreement(where(right & ~other), where(other & ~right), where(~right & ~other & (ours != theirs)))


COSTS = (  # title, where it stands in a record, what it is divided by, decimals
    ("parameters M", ("student", "param_count"), 1e6, 2),
    ("MACs M", ("student", "macs"), 1e6, 2),
    ("size MB", ("student", "size_bytes"), 1e6, 2),
    ("own s", ("costs", "train_seconds"), 1, 1),
    ("loading and teacher s", ("costs", "shared_seconds"), 1, 1),
)
METRICS = (  # title, name, factor, decimals
    ("top-1 %", "top1", 100, 2),
    ("top-5 %", "top5", 100, 2),
    ("mean over classes %", "mean_class_accuracy", 100, 2),
    ("nll", "nll", 1, 4),
    ("ECE %", "ece", 100, 2),
    ("ECE % after temperature", "ece_calibrated", 100, 2),
    ("agreement with the teacher %", "agreement", 100, 2),
    ("recall@1 %", "recall_at_1", 100, 2),
    ("MAP@R %", "map_at_r", 100, 2),
)


def side_by_side(record: RunRecord) -> dict[str, tuple[float | None, int]]:
    """Metrics of test and costs of a run: title -> value, None where it was not measured, and decimals to show."""
    found: dict[str, tuple[float | None, int]] = {}
    for title, name, factor, decimals in METRICS:
        value = record.metric(name)
        found[title] = None if value is None else factor * value, decimals
    for title, (part, name), divisor, decimals in COSTS:
        value = getattr(getattr(record, part), name, None)
        found[title] = None if value is None else value / divisor, decimals
    return found
