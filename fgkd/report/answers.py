"""What the runs of a table answered, image by image, and what that tells beyond their means.

Records hold the predicted classes; a suite's truths hold the right ones. Where either is missing, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fgkd.record import unpack_predictions
from fgkd.report.comparison import Cell, Group, Identity, Seeds, baselines, revision_of, seeds_of
from fgkd.report.evidence import holm
from fgkd.report.resampling import Paired, paired, rank_intervals
from fgkd.report.truth import Truth

Truths = Mapping[str, Truth]  # by data revision


@dataclass(frozen=True)
class Evidence:
    """What the answers of a cell tell; None where they cannot.

    Attributes:
        scratch: against `scratch` on the same images, its p Holm-corrected over the table's methods.
        kd: against `kd`.
        churn: percent of the test images whose predicted class is not that of `scratch` with the same seeds, mean
            over seeds.
        rank: the 95 % interval of the rank, over seeds and images drawn again.
    """

    scratch: Paired | None = None
    kd: Paired | None = None
    churn: float | None = None
    rank: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in vars(self).values())


class Book:
    """The evidence of a board's tables, each worked out once, whoever asks for it.

    Args:
        truths: test labels by data revision.
    """

    def __init__(self, truths: Truths) -> None:
        self.truths = truths
        self._known: dict[tuple[Identity, ...], list[Evidence]] = {}

    def of(self, group: Group) -> dict[int, Evidence]:
        """`evidence_of` a table, by the `id` of its cells."""
        key = tuple(cell.identity for cell in group.cells)
        if key not in self._known:
            found = evidence_of(group, self.truths)
            self._known[key] = [found[id(cell)] for cell in group.cells]
        return {id(cell): evidence for cell, evidence in zip(group.cells, self._known[key], strict=True)}


def evidence_of(group: Group, truths: Truths) -> dict[int, Evidence]:
    """Evidence by the `id` of the table's cells; families of p-values as in `fgkd.report.comparison.standings`."""
    revision = revision_of(group.cells[0].first)
    if not revision:
        return {id(cell): Evidence() for cell in group.cells}
    labels = truths[revision].labels() if revision in truths else None
    answers = {id(cell): _answers(cell) for cell in group.cells}
    rights = {key: {} if labels is None else _rights(labels, given) for key, given in answers.items()}
    found = {id(cell): _evidence(cell, group, answers, rights) for cell in group.cells}
    corrected = _with_holm([found[id(cell)] for cell in group.taught])
    found |= {id(cell): evidence for cell, evidence in zip(group.taught, corrected, strict=True)}
    if group.untaught:
        alone = evidence_of(Group(taught=group.untaught), truths)
        for cell in group.untaught:
            found[id(cell)] = replace(alone[id(cell)], kd=_with_p(found[id(cell)].kd, None))
    for key, rank in _ranks(group, rights).items():
        found[key] = replace(found[key], rank=rank)
    return found


def _answers(cell: Cell) -> dict[Seeds, np.ndarray]:
    """Predicted classes (N,) of the runs that ended well, by their seeds."""
    found = {}
    for record in reversed(cell.records):
        if record.status == "ok" and record.predictions is not None:
            found[seeds_of(record)] = unpack_predictions(record.predictions)
    return found


def _rights(labels: np.ndarray, answers: Mapping[Seeds, np.ndarray]) -> dict[Seeds, np.ndarray]:
    """Which answers are right, (N,) bool by seeds."""
    return {seeds: given == labels for seeds, given in answers.items() if len(given) == len(labels) > 0}


def _evidence(
    cell: Cell,
    group: Group,
    answers: Mapping[int, Mapping[Seeds, np.ndarray]],
    rights: Mapping[int, Mapping[Seeds, np.ndarray]],
) -> Evidence:
    scratch, kd = baselines(cell, group)
    against = lambda other: None if other is None or other is cell else _paired(rights[id(cell)], rights[id(other)])
    churn = None if scratch is None or scratch is cell else _churn(answers[id(cell)], answers[id(scratch)])
    return Evidence(against(scratch), against(kd), churn)


def _paired(ours: Mapping[Seeds, np.ndarray], theirs: Mapping[Seeds, np.ndarray]) -> Paired | None:
    shared = sorted(ours.keys() & theirs.keys())
    return paired(np.stack([ours[s] for s in shared]), np.stack([theirs[s] for s in shared])) if shared else None


def _churn(ours: Mapping[Seeds, np.ndarray], theirs: Mapping[Seeds, np.ndarray]) -> float | None:
    shares = [
        float((ours[seeds] != theirs[seeds]).mean())
        for seeds in sorted(ours.keys() & theirs.keys())
        if len(ours[seeds]) == len(theirs[seeds]) > 0
    ]
    return 100 * sum(shares) / len(shares) if shares else None


def _with_holm(family: list[Evidence]) -> list[Evidence]:
    scratch, kd = holm([_p(e.scratch) for e in family]), holm([_p(e.kd) for e in family])
    return [
        replace(e, scratch=_with_p(e.scratch, p), kd=_with_p(e.kd, q))
        for e, p, q in zip(family, scratch, kd, strict=True)
    ]


def _p(found: Paired | None) -> float | None:
    return None if found is None else found.p


def _with_p(found: Paired | None, p: float | None) -> Paired | None:
    return None if found is None else replace(found, p=p)


def _ranks(group: Group, rights: Mapping[int, Mapping[Seeds, np.ndarray]]) -> dict[int, tuple[int, int]]:
    """Of the cells that have a rank, where all of these have the answers of every seed, and there are two or more."""
    cells, seeds = group.complete, sorted(group.seeds)
    if len(cells) < 2 or len(seeds) < 2 or any(not group.seeds <= rights[id(cell)].keys() for cell in cells):
        return {}
    hits = np.stack([np.stack([rights[id(cell)][s] for s in seeds]) for cell in cells])
    return {id(c): (int(low), int(high)) for c, (low, high) in zip(cells, rank_intervals(hits), strict=True)}
