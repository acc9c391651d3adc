"""Friedman and Nemenyi against scipy and the published table; when there is too little to compare."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, rankdata

from fgkd.report.across import CriticalDifference, _average_ranks, critical_difference, friedman, nemenyi
from fgkd.report.comparison import cells_of
from tests.board_factory import record, run_spec


@pytest.mark.parametrize("levels", [1000, 4])  # few levels: many ties
def test_friedman_is_scipys(levels):
    scores = np.random.default_rng(levels).integers(0, levels, (8, 5)) + np.arange(5) * levels // 5
    ranks = np.stack([rankdata(row) for row in scores])
    assert friedman(ranks) == pytest.approx(friedmanchisquare(*scores.T).pvalue)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_equals_share_the_mean_of_their_places(values):
    assert _average_ranks(values).tolist() == rankdata(values).tolist()


def test_methods_that_are_equal_everywhere_are_alike():
    assert friedman(np.full((6, 3), 2.0)) == 1


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_differences_are_demsars(methods, q):
    # table 5a of the paper has the values of q at 0.05
    assert nemenyi(methods, 14) == pytest.approx(q * np.sqrt(methods * (methods + 1) / (6 * 14)), abs=2e-3)


def board(sets, tops):
    """Records of methods with the given top-1 on each data set; differences between sets are larger."""
    specs = [(f"set{i}", method, top + i / 20) for i in range(sets) for method, top in tops.items()]
    return cells_of([record(run_spec(method, dataset=name), top) for name, method, top in specs])


TOPS = {"scratch": 0.1, "kd": 0.3, "crd": 0.32, "at": 0.2}


def test_too_few_data_sets_or_methods_are_told():
    assert critical_difference(board(5, TOPS)) == "needs at least 6 data sets; here are 5"
    two = {"scratch": 0.1, "kd": 0.3}
    assert "at least 3 methods that are complete on every data set; here are 2" in str(
        critical_difference(board(6, two))
    )
    gone = board(6, TOPS)[:-2]
    assert "here are 2" in str(critical_difference(gone))


def test_mean_ranks_and_who_is_alike():
    found = critical_difference(board(6, TOPS))
    assert isinstance(found, CriticalDifference)
    assert found.mean_ranks == {"crd": 1, "kd": 2, "at": 3, "scratch": 4}
    assert found.sets == 6
    assert found.p == pytest.approx(friedmanchisquare(*np.tile([[4], [2], [1], [3]], 6)).pvalue)
    assert found.difference == pytest.approx(nemenyi(4, 6))
    assert found.alike() == [["crd", "kd"], ["kd", "at"], ["at", "scratch"]]  # the difference is 1.9


def test_tables_of_a_data_set_are_one_block():
    specs = [(f"set{i}", student, method, top) for i in range(3) for student in "ab" for method, top in TOPS.items()]
    cells = cells_of([record(run_spec(m, dataset=name, student=s), top) for name, s, m, top in specs])
    assert critical_difference(cells) == "needs at least 6 data sets; here are 3"


def test_a_method_must_stand_in_every_table_of_a_data_set():
    specs = [(f"set{i}", student, m, top) for i in range(6) for student in "ab" for m, top in TOPS.items()]
    records = [record(run_spec(m, dataset=name, student=s), top) for name, s, m, top in specs if (s, m) != ("b", "at")]
    found = critical_difference(cells_of(records))
    assert isinstance(found, CriticalDifference)
    assert list(found.mean_ranks) == ["crd", "kd", "scratch"]


def test_alike_are_largest_groups_only():
    found = CriticalDifference(9, {"a": 1.0, "b": 1.5, "c": 1.9, "d": 4.0}, 0.01, 1.0)
    assert found.alike() == [["a", "b", "c"]]
