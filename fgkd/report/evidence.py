"""How sure a handful of seeds lets one be: t-intervals, paired differences, Holm's correction."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

from scipy.special import stdtr, stdtrit  # scipy.stats is the same numbers behind a second of imports

Key = TypeVar("Key", bound=Hashable)
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
    """Mean paired difference and its two-sided p; both None without pairs, p None where no test is possible."""

    pairs: int = 0
    mean: float | None = None
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
    """Mean of ours - theirs over the keys (seeds) that both have, and the p of a paired t-test that it is 0.

    With equal differences throughout, p is 1 where they are 0; elsewhere the test has no spread to judge by: p is None.

    Example:
        >>> paired_difference({0: 82.0, 1: 84.0, 2: 83.0}, {0: 81.0, 1: 81.0, 2: 81.0})
        Difference(pairs=3, mean=2.0, p=0.0741...)
    """
    spread = paired_interval(ours, theirs)
    if spread.mean is None or spread.sd is None:
        return Difference(spread.n, spread.mean)
    if spread.sd < _NO_SPREAD:
        return Difference(spread.n, spread.mean, 1.0 if abs(spread.mean) < _NO_SPREAD else None)
    t = spread.mean / (spread.sd / sqrt(spread.n))
    return Difference(spread.n, spread.mean, 2 * float(stdtr(spread.n - 1, -abs(t))))


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
