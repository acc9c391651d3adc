"""Exact tests and bootstraps against scipy's, and against resampling image by image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, bootstrap

from fgkd.report.resampling import bootstrap_interval, mcnemar, paired, rank_intervals

hits = arrays(bool, st.tuples(st.just(2), st.integers(1, 3), st.integers(1, 30)))


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 5), (3, 3), (9, 1), (40, 61), (700, 800)])
def test_mcnemar_is_the_binomial_test_of_the_images_that_differ(wins, losses):
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar(wins, losses) == pytest.approx(expected)
    assert mcnemar(wins, losses) == mcnemar(losses, wins)


@given(hits)
def test_pairs_are_counted_image_by_image_and_mirror(both):
    ours, theirs = both
    found, back = paired(ours, theirs), paired(theirs, ours)
    columns = [(ours[:, i].sum(), theirs[:, i].sum()) for i in range(ours.shape[1])]
    assert found.wins == sum(a > b for a, b in columns)
    assert found.losses == sum(a < b for a, b in columns)
    assert found.mean == pytest.approx(100 * (ours.mean() - theirs.mean()), abs=1e-9)
    assert (back.wins, back.losses, back.p) == (found.losses, found.wins, found.p)
    assert found.low <= found.high
    assert -100 <= found.low <= 100


def test_runs_of_an_image_are_one_observation():
    ours, theirs = np.array([[True] * 6 + [False] * 4]), np.array([[False] * 10])
    once, thrice = paired(ours, theirs), paired(ours.repeat(3, 0), theirs.repeat(3, 0))
    assert thrice == once, "three runs that say the same are no more evidence than one"


def test_an_interval_is_that_of_scipys_bootstrap():
    values = np.random.default_rng(3).choice([-1, 0, 1], size=400, p=[0.1, 0.7, 0.2])
    low, high = bootstrap_interval(values, draws=20_000)
    theirs = bootstrap((values.astype(float),), np.sum, n_resamples=20_000, method="percentile", rng=1, vectorized=True)
    assert low == pytest.approx(theirs.confidence_interval.low, abs=1.5)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=1.5)


def test_intervals_cover_the_truth_as_often_as_they_say():
    draw = np.random.default_rng(0)
    inside = 0
    for i in range(300):
        values = draw.choice([-1, 0, 1], size=200, p=[0.1, 0.6, 0.3])
        low, high = bootstrap_interval(values, draws=400, seed=i)
        inside += low <= 200 * 0.2 <= high
    assert 0.91 <= inside / 300 <= 0.98


def test_equal_classifiers_have_no_difference():
    same = np.random.default_rng(0).random((2, 50)) < 0.5
    found = paired(same, same)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)


def looped_ranks(hits, draws):
    """The same by plain loops and draws of its own."""
    m, runs, images = hits.shape
    draw, found = np.random.default_rng(99), []
    for _ in range(draws):
        seeds, places = draw.integers(0, runs, runs), draw.integers(0, images, images)
        score = [sum(hits[i, s, p] for s in seeds for p in places) for i in range(m)]
        found.append([1 + sum(other > mine for other in score) for mine in score])
    return [tuple(np.quantile([row[i] for row in found], [0.025, 0.975], method="inverted_cdf")) for i in range(m)]


def test_rank_intervals_are_those_of_loops():
    draw = np.random.default_rng(5)
    hits = np.stack([draw.random((3, 30)) < share for share in (0.95, 0.5, 0.45, 0.05)])
    found = [tuple(row) for row in rank_intervals(hits)]
    assert found == looped_ranks(hits, 400)
    assert found[0] == (1, 1)
    assert found[3] == (4, 4)
    assert found[1][0] < found[1][1], "two that are nearly alike change places"


def test_blocks_of_draws_change_nothing(monkeypatch):
    hits = np.random.default_rng(1).random((4, 2, 60)) < np.array([0.5, 0.55, 0.6, 0.7])[:, None, None]
    whole = rank_intervals(hits, draws=3000)
    monkeypatch.setattr("fgkd.report.resampling._WEIGHTS_AT_A_TIME", 60 * 7)
    assert rank_intervals(hits, draws=3000).tolist() == whole.tolist()


def test_seeds_that_disagree_widen_a_rank():
    steady = np.zeros((2, 3, 100), bool)
    steady[0, :, :60], steady[1, :, :40] = True, True
    restless = steady.copy()
    restless[0, 0, :], restless[0, 1:, :] = True, False
    restless[0, 1:, :40] = True
    assert rank_intervals(steady).tolist() == [[1, 1], [2, 2]]
    assert rank_intervals(restless)[1].tolist() == [1, 2]
