"""Where configurations fail: the pairs of classes that they confuse most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fgkd.record import RunRecord, unpack_predictions
from fgkd.report.comparison import Cell
from fgkd.report.html.packing import Blocks
from fgkd.report.truth import Truth

PAIRS, CLASSES = 8, 8
Truths = Mapping[str, Truth]  # by revision of the data


def answers_of(record: RunRecord, truths: Truths) -> tuple[Truth, np.ndarray] | None:
    """A run's predictions (N,) and the right answers that they are to be held against; None where either is missing."""
    revision = record.data.revision if record.data else None
    truth = truths.get(revision) if revision else None
    if truth is None or record.status != "ok" or record.predictions is None:
        return None
    predicted = unpack_predictions(record.predictions)
    fits = len(predicted) == len(truth.labels()) and predicted.max(initial=0) < len(truth.class_names)
    return (truth, predicted) if fits else None


def confusion_of(cell: Cell, truths: Truths, blocks: Blocks) -> dict[str, Any] | None:
    """The most confused pairs of classes of a configuration, summed over its runs; None where nothing is known.

    Returns:
        ``runs``; ``pairs``: [A, B, A taken for B, B taken for A, images of A, images of B], most confused first;
        ``classes`` and ``matrix``: counts [truth][answer] among the classes of those pairs. Classes are numbers of
        blocks; counts of images are per run, those of answers over all runs.
    """
    answered = [found for record in cell.records if (found := answers_of(record, truths))]
    if not answered:
        return None
    truth = answered[0][0]
    targets = truth.labels()
    sizes = np.bincount(targets, minlength=len(truth.class_names))
    counts = _counts(targets, [predicted for _, predicted in answered], len(truth.class_names))
    pairs = _worst_pairs(counts)
    shown = list(dict.fromkeys(label for pair in pairs for label in pair))[:CLASSES]
    names = {label: blocks.number(truth.class_names[label]) for label in {label for pair in pairs for label in pair}}
    return {
        "runs": len(answered),
        "pairs": [[names[a], names[b], counts[a, b], counts[b, a], int(sizes[a]), int(sizes[b])] for a, b in pairs],
        "classes": [names[label] for label in shown],
        "matrix": [[counts[a, b] for b in shown] for a in shown],
    }


def _counts(targets: np.ndarray, answers: Sequence[np.ndarray], classes: int) -> Counter[tuple[int, int]]:
    codes, numbers = np.unique(np.concatenate([targets * classes + a for a in answers]), return_counts=True)
    pairs = zip(codes.tolist(), numbers.tolist(), strict=True)
    return Counter({(code // classes, code % classes): number for code, number in pairs})


def _worst_pairs(counts: Counter[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs (A, B), A < B unless B is taken for A more often than A for B; most confused first."""
    both: Counter[tuple[int, int]] = Counter()
    for (a, b), number in counts.items():
        if a != b:
            both[min(a, b), max(a, b)] += number
    worst = sorted(both, key=lambda pair: (-both[pair], pair))[:PAIRS]
    return [(a, b) if counts[a, b] >= counts[b, a] else (b, a) for a, b in worst]
