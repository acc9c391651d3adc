"""How sure a handful of seeds lets one be: t-intervals, paired differences, a common spread, Holm's correction."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

from scipy.special import stdtr, stdtrit  # scipy.stats is the same numbers behind a second of imports

Key = TypeVar("Key", bound=Hashable)
FEWEST_PAIRS = 3  # the spread of two differences is known so badly that a lucky pair would pass for a sure one
_NO_SPREAD = 1e-9  # differences of percentages that vary by less differ by float noise alone


@dataclass(frozen=True)
class Interval:
    """Mean and its confidence interval; `sd`, `low` and `high` are None below two values."""

    n: int = 0
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def half(self) -> float | None:
        """Half the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def overlaps(self, other: Interval) -> bool:
        """Whether the two intervals share a point; false where either has none."""
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return False
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True)
class Difference:
    """Mean paired difference, the interval of it, and its two-sided p.

    The mean is None without pairs, the interval below two, p below `FEWEST_PAIRS` and where no test is possible.
    """

    pairs: int = 0
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean, sample sd (n - 1) and Student's t-interval of the mean.

    Example:
        >>> i = interval([80.0, 81.0, 82.0])
        >>> f"{i.mean:.1f} {i.sd:.1f} {i.low:.3f} {i.high:.3f}"
        '81.0 1.0 78.516 83.484'
    """
    n = len(values)
    if n == 0:
        return Interval()
    mean = sum(values) / n
    if n == 1:
        return Interval(1, mean)
    sd = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * sd / sqrt(n)
    return Interval(n, mean, sd, mean - half, mean + half)


def paired_interval(ours: Mapping[Key, float], theirs: Mapping[Key, float]) -> Interval:
    """`interval` of ours - theirs over the keys (seeds) that both have.

    Example:
        >>> i = paired_interval({0: 82.0, 1: 84.0, 2: 83.0}, {0: 81.0, 1: 81.0, 2: 81.0})
        >>> f"{i.mean:.1f} {i.low:.2f} {i.high:.2f}"
        '2.0 -0.48 4.48'
    """
    return interval([ours[key] - theirs[key] for key in ours if key in theirs])


def paired_difference(ours: Mapping[Key, float], theirs: Mapping[Key, float]) -> Difference:
    """`paired_interval`, and the p of a paired t-test that the mean is 0.

    With equal differences throughout, p is 1 where they are 0; elsewhere the test has no spread to judge by: p is None.

    Example:
        >>> found = paired_difference({0: 82.0, 1: 84.0, 2: 83.0}, {0: 81.0, 1: 81.0, 2: 81.0})
        >>> f"{found.pairs} {found.mean} {found.p:.4f}"
        '3 2.0 0.0742'
    """
    spread = paired_interval(ours, theirs)
    return Difference(spread.n, spread.mean, spread.low, spread.high, _p_of(spread))


def _p_of(spread: Interval) -> float | None:
    if spread.n < FEWEST_PAIRS or spread.mean is None or spread.sd is None:
        return None
    if spread.sd < _NO_SPREAD:
        return 1.0 if abs(spread.mean) < _NO_SPREAD else None
    t = spread.mean / (spread.sd / sqrt(spread.n))
    return 2 * float(stdtr(spread.n - 1, -abs(t)))


@dataclass(frozen=True)
class Pooled:
    """The spread of a run, from all methods of a table together.

    Attributes:
        sd: of a run, without what its method and its seed explain.
        df: degrees of freedom of `sd`.
        runs: of each method.
    """

    sd: float
    df: int
    runs: int

    def half(self, confidence: float = 0.95) -> float:
        """Half the width of the interval of two methods' difference."""
        return float(stdtrit(self.df, (1 + confidence) / 2)) * self._error

    def p(self, difference: float) -> float:
        """Two-sided, that two methods' means which differ by so much are equal."""
        return 2 * float(stdtr(self.df, -abs(difference) / self._error))

    @property
    def _error(self) -> float:
        return self.sd * sqrt(2 / self.runs)


def pooled(scores: Sequence[Sequence[float]]) -> Pooled | None:
    """The residual of a two-way analysis of variance: each method a row of scores, each seed a column.

    It supposes that runs of all methods spread alike, and has (methods - 1) * (seeds - 1) degrees of freedom where one
    method's differences have seeds - 1. None where there are fewer than two of either, or no spread.

    Example:
        >>> found = pooled([[50.0, 52.0, 51.0], [60.0, 61.0, 62.0]])
        >>> f"{found.sd:.3f} {found.df} {found.half():.2f} {found.p(10.0):.4f}"
        '0.707 2 2.48 0.0033'
    """
    methods, runs = len(scores), len(scores[0]) if scores else 0
    if methods < 2 or runs < 2:
        return None
    means = [sum(row) / runs for row in scores]
    columns = [sum(column) / methods for column in zip(*scores, strict=True)]
    whole = sum(means) / methods
    squares = sum(
        (value - mean - column + whole) ** 2
        for row, mean in zip(scores, means, strict=True)
        for value, column in zip(row, columns, strict=True)
    )
    df = (methods - 1) * (runs - 1)
    sd = sqrt(squares / df)
    return Pooled(sd, df, runs) if sd >= _NO_SPREAD else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment of one family of p-values, in the order given; None stays None and does not count.

    Example:
        >>> holm([0.01, None, 0.04, 0.03])
        [0.03, None, 0.06, 0.06]
    """
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    floor = 0.0
    for rank, (p, i) in enumerate(tested):
        floor = max(floor, min(1.0, (len(tested) - rank) * p))
        adjusted[i] = floor
    return adjusted
