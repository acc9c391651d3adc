"""Methods compared across data sets: Friedman's test, and Nemenyi's critical difference of mean ranks.

References:
    Demsar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import chdtrc

from fgkd.report.comparison import Cell, Group, groups_of

FEWEST_SETS = 6  # on five, a method that wins them all has p = 2 / 2**5 > 0.05 by the sign test
FEWEST_METHODS = 3


@dataclass(frozen=True)
class CriticalDifference:
    """How methods fare over data sets.

    Attributes:
        sets: how many data sets.
        mean_ranks: by method, best first; 1 is best.
        p: Friedman's, that all methods are alike.
        difference: mean ranks that are closer than this do not differ at 0.05.
    """

    sets: int
    mean_ranks: dict[str, float]
    p: float
    difference: float

    def alike(self) -> list[list[str]]:
        """Largest groups of at least two methods whose mean ranks do not differ, best first."""
        names, ranks = list(self.mean_ranks), list(self.mean_ranks.values())
        found: list[list[str]] = []
        for first, rank in enumerate(ranks):
            last = max(i for i, other in enumerate(ranks) if other - rank < self.difference)
            group = names[first : last + 1]
            if len(group) > 1 and not (found and group[-1] == found[-1][-1]):
                found.append(group)
        return found


def critical_difference(cells: Sequence[Cell]) -> CriticalDifference | str:
    """Friedman and Nemenyi over the data sets of a board, or why there are too few for it.

    A data set is one block, whatever the number of its tables: the rank of a method there is that of its mean rank over
    them. Methods count that are complete in every table.
    """
    blocks = _blocks(groups_of(cells))
    if len(blocks) < FEWEST_SETS:
        return f"needs at least {FEWEST_SETS} data sets; here are {len(blocks)}"
    methods = sorted(set.intersection(*(set(block) for block in blocks.values())))
    if len(methods) < FEWEST_METHODS:
        return f"needs at least {FEWEST_METHODS} methods that are complete on every data set; here are {len(methods)}"
    ranks = np.stack([_average_ranks([block[name] for name in methods]) for block in blocks.values()])
    means = ranks.mean(0)
    order = sorted(range(len(methods)), key=lambda i: (means[i], methods[i]))
    return CriticalDifference(
        len(blocks), {methods[i]: float(means[i]) for i in order}, friedman(ranks), nemenyi(len(methods), len(blocks))
    )


def _blocks(groups: Sequence[Group]) -> dict[tuple[str, str], dict[str, float]]:
    """Mean rank of each method over the tables of a data set; of those that stand in each of these."""
    tables: dict[tuple[str, str], list[Mapping[str, float]]] = defaultdict(list)
    for group in groups:
        if any(cell.teacher for cell in group.taught):
            dataset = group.taught[0].first.spec.feed.dataset
            tables[dataset.name, dataset.protocol].append(_ranks(group))
    return {
        key: {name: sum(r[name] for r in ranks) / len(ranks) for name in ranks[0] if all(name in r for r in ranks)}
        for key, ranks in tables.items()
    }


def _ranks(group: Group) -> dict[str, float]:
    """Ranks of one table by method; those told apart by a digest alone have no name to be followed by."""
    names = Counter(cell.method for cell in group.cells)
    cells = [cell for cell in group.complete if names[cell.method] == 1]
    scores = [-group.mean(cell) for cell in cells]
    return dict(zip((cell.method for cell in cells), _average_ranks(scores).tolist(), strict=True))


def _average_ranks(values: Sequence[float]) -> np.ndarray:
    """Rising ranks from 1; equals share the mean of their places."""
    below = np.array([sum(other < value for other in values) for value in values], dtype=np.float64)
    same = np.array([sum(other == value for other in values) for value in values], dtype=np.float64)
    return below + (same + 1) / 2


def friedman(ranks: np.ndarray) -> float:
    """The p of Friedman's test, corrected for ties; ranks (data sets, methods), equals sharing their mean place."""
    sets, methods = ranks.shape
    ties = sum(float((np.unique(row, return_counts=True)[1] ** 3).sum() - methods) for row in ranks)
    whole = sets * methods * (methods**2 - 1)
    if ties >= whole:
        return 1.0  # all equal everywhere
    spread = 12 * float((ranks.sum(0) ** 2).sum()) / (sets * methods * (methods + 1)) - 3 * sets * (methods + 1)
    return float(chdtrc(methods - 1, spread / (1 - ties / whole)))


def nemenyi(methods: int, sets: int, alpha: float = 0.05) -> float:
    """The critical difference of mean ranks of so many methods over so many data sets.

    Example:
        >>> round(nemenyi(5, 10), 3)
        1.929
    """
    from scipy.stats import studentized_range  # a second of imports, for boards that have so many data sets

    quantile = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / sqrt(2)
    return quantile * sqrt(methods * (methods + 1) / (6 * sets))
