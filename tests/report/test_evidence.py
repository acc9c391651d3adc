"""Intervals, paired tests and Holm's correction against scipy and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fgkd.report.evidence import FEWEST_PAIRS, Difference, Interval, holm, interval, paired_difference, pooled

values = st.lists(st.integers(0, 100_000).map(lambda i: i / 1000), min_size=2, max_size=10)


@given(values)
def test_interval_is_scipys(sample):
    ours = interval(sample)
    assert ours.mean == pytest.approx(np.mean(sample))
    assert ours.sd == pytest.approx(np.std(sample, ddof=1), abs=1e-9)
    if ours.sd > 1e-6:
        low, high = stats.t.interval(0.95, len(sample) - 1, np.mean(sample), stats.sem(sample))
        assert (ours.low, ours.high) == pytest.approx((low, high))
        assert ours.half == pytest.approx((high - low) / 2)


def test_one_value_has_a_mean_and_no_interval():
    assert interval([3.5]) == Interval(1, 3.5, None, None, None)
    assert interval([]) == Interval(0, None, None, None, None)
    assert interval([3.5]).half is None


def test_overlap_needs_two_intervals():
    a, b, c = interval([1.0, 2.0]), interval([1.5, 2.5]), interval([1000.0, 1000.1])
    assert a.overlaps(b)
    assert b.overlaps(a)
    assert not a.overlaps(c)
    assert not c.overlaps(a)
    assert not a.overlaps(interval([1.5]))


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=2, max_size=8))
def test_paired_p_is_scipys(pairs):
    ours = {i: a / 100 for i, (a, _) in enumerate(pairs)}
    theirs = {i: b / 100 for i, (_, b) in enumerate(pairs)} | {"no pair": 0.0}
    found = paired_difference(ours, theirs)
    gaps = np.array([a - b for a, b in pairs])
    assert found.pairs == len(pairs)
    assert found.mean == pytest.approx(gaps.mean() / 100, abs=1e-9)
    if len(pairs) < FEWEST_PAIRS:
        assert found.p is None
    elif gaps.std() > 0:
        assert found.p == pytest.approx(stats.ttest_rel(*zip(*pairs, strict=True)).pvalue, rel=1e-6)
    else:
        assert found.p == (1.0 if gaps[0] == 0 else None)


def test_equal_differences_with_float_noise_count_as_no_spread():
    found = paired_difference({0: 50.1, 1: 60.3, 2: 40.3}, {0: 50.0, 1: 60.2, 2: 40.2})
    assert found.mean == pytest.approx(0.1)
    assert found.p is None


def test_without_pairs_there_is_nothing_and_few_pairs_have_no_p():
    assert paired_difference({0: 1.0}, {1: 2.0}) == Difference(0, None, None)
    assert paired_difference({0: 1.0, 1: 5.0}, {0: 2.0}) == Difference(1, -1.0, None)
    two = paired_difference({0: 71.90, 1: 72.91}, {0: 70.0, 1: 71.0})  # alike to 0.01 points, by luck
    assert two.p is None
    assert two.low is not None


def test_the_pooled_spread_is_that_of_the_two_way_analysis_of_variance():
    """Against least squares on indicators of methods and seeds."""
    scores = np.array([[50.3, 52.1, 51.2, 49.0], [60.0, 61.7, 62.4, 58.9], [55.5, 54.1, 57.7, 53.2]])
    m, s = scores.shape
    rows = [[*np.eye(m)[i], *np.eye(s)[j][1:]] for i in range(m) for j in range(s)]
    (squares,) = np.linalg.lstsq(np.array(rows), scores.ravel(), rcond=None)[1]
    found = pooled(scores.tolist())
    assert found is not None
    assert (found.df, found.runs) == ((m - 1) * (s - 1), s)
    assert found.sd == pytest.approx(np.sqrt(squares / found.df))
    error = found.sd * np.sqrt(2 / s)
    assert found.half() == pytest.approx(stats.t.ppf(0.975, found.df) * error)
    assert found.p(-3.0) == pytest.approx(2 * stats.t.sf(3.0 / error, found.df))


def test_nothing_is_pooled_of_one_method_one_seed_or_no_spread():
    assert pooled([]) is None
    assert pooled([[50.0, 51.0]]) is None
    assert pooled([[50.0], [51.0]]) is None
    assert pooled([[50.0, 51.0, 52.0], [60.0, 61.0, 62.0]]) is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=8))
def test_holm_is_the_step_down_definition(p_values):
    tested = [p for p in p_values if p is not None]
    m = len(tested)

    def adjusted(p):  # max over the smaller or equal ones of (number not smaller) * p
        by_rank = sorted(tested)
        return max(min(1.0, (m - k) * q) for k, q in enumerate(by_rank) if q <= p)

    assert holm(p_values) == pytest.approx([None if p is None else adjusted(p) for p in p_values])


def test_holm_of_a_textbook_family():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
