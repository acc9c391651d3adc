"""Pairs and thresholds against counting, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from fgkd.metrics.verification import equal_error_rate, pair_scores, pairs, tar_at_far

scores = st.lists(st.integers(0, 20).map(lambda i: i / 20), min_size=1, max_size=40)  # few levels: many ties


def test_few_samples_give_every_pair_once():
    labels = torch.tensor([0, 1, 0, 2, 1, 0])
    genuine, impostor = pairs(labels)
    assert sorted(map(tuple, genuine.tolist())) == [(0, 2), (0, 5), (1, 4), (2, 5)]
    assert len(impostor) == 15 - 4
    assert len({tuple(p) for p in impostor.tolist()}) == 11
    assert (labels[impostor[:, 0]] != labels[impostor[:, 1]]).all()


def test_drawn_pairs_are_of_their_kind_and_as_likely_as_any_other():
    labels = torch.tensor([2, 0, 1, 0, 2, 2, 7])
    genuine, impostor = pairs(labels, genuine=40_000, impostor=20)
    assert (len(genuine), len(impostor)) == (40_000, 20)
    assert (labels[genuine[:, 0]] == labels[genuine[:, 1]]).all()
    assert (genuine[:, 0] != genuine[:, 1]).all()
    seen = torch.zeros(7, 7).index_put_((genuine[:, 0], genuine[:, 1]), torch.ones(40_000), accumulate=True)
    assert seen[seen > 0] / 40_000 == pytest.approx(torch.full((8,), 1 / 8).numpy(), abs=0.01)


def test_drawn_impostors_are_as_likely_as_any_other():
    labels = torch.arange(800) // 200  # 319600 pairs: more than are drawn
    labels[:3] = 9
    _, impostor = pairs(labels, genuine=10, impostor=300_000)
    ours, theirs = labels[impostor[:, 0]], labels[impostor[:, 1]]
    assert (ours != theirs).all()
    sizes = labels.bincount().double()
    expected = torch.outer(sizes, sizes).fill_diagonal_(0)
    counts = torch.zeros(10, 10, dtype=torch.float64)
    counts.index_put_((ours, theirs), torch.ones(300_000, dtype=torch.float64), accumulate=True)
    assert torch.allclose(counts / 300_000, expected / expected.sum(), atol=0.003)


def test_a_seed_decides_the_draw():
    labels = torch.arange(1000) % 10
    first, again, other = (pairs(labels, seed=seed, impostor=100)[1] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("impostor", [1, 1000])  # drawn, and all
def test_labels_that_allow_no_pair_give_none(impostor):
    alone, same = torch.arange(9), torch.zeros(9, dtype=torch.long)
    assert pairs(alone, impostor=impostor)[0].shape == (0, 2)
    assert pairs(same, impostor=impostor)[1].shape == (0, 2)


def test_scores_are_cosines_whatever_the_block():
    embeddings = torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
    indices = torch.triu_indices(300, 300, 1).T  # more than one block of pairs
    expected = torch.nn.functional.cosine_similarity(embeddings[indices[:, 0]], embeddings[indices[:, 1]])
    assert torch.allclose(pair_scores(embeddings, indices), expected, atol=1e-6)
    assert pair_scores(embeddings, indices[:0]).shape == (0,)


@given(scores, scores, st.sampled_from([0.05, 0.1, 0.5]))
def test_tar_is_the_best_that_any_threshold_reaches(genuine, impostor, far):
    found = tar_at_far(torch.tensor(genuine), torch.tensor(impostor), far).item()
    if far * len(impostor) < 1:
        assert math.isnan(found)
        return
    rates = lambda t: [sum(s > t for s in side) / len(side) for side in (genuine, impostor)]
    reachable = [tar for tar, accepted in map(rates, [-1, *genuine, *impostor]) if accepted <= far + 1e-12]
    assert found == pytest.approx(max(reachable))


def test_too_few_impostors_cannot_tell_a_rare_rate():
    assert math.isnan(tar_at_far(torch.ones(5), torch.zeros(999)))
    assert tar_at_far(torch.ones(5), torch.zeros(1000)).item() == 1
    assert math.isnan(tar_at_far(torch.ones(0), torch.zeros(1000)))


def test_a_collapsed_embedding_verifies_nothing():
    assert tar_at_far(torch.ones(10), torch.ones(2000)).item() == 0
    assert equal_error_rate(torch.ones(10), torch.ones(2000)).item() == pytest.approx(0.5)


def test_equal_error_rate_of_the_clear_cases():
    low, high = torch.linspace(0, 0.4, 50), torch.linspace(0.6, 1, 30)
    assert equal_error_rate(high, low).item() == 0
    assert equal_error_rate(low, high).item() == 1
    assert equal_error_rate(torch.tensor([0.1, 0.6, 0.7, 0.8]), torch.tensor([0.0, 0.2, 0.3, 0.65])).item() == 0.25
    assert math.isnan(equal_error_rate(torch.ones(0), low))


@given(scores, scores)
def test_equal_error_rate_is_where_sklearns_roc_crosses(genuine, impostor):
    metrics = pytest.importorskip("sklearn.metrics")
    truth = [1] * len(genuine) + [0] * len(impostor)
    far, tar, _ = metrics.roc_curve(truth, genuine + impostor, drop_intermediate=False)
    along = np.arange(len(far))  # the curve as a path, so that its vertical steps are no trouble
    crossing = brentq(lambda at: np.interp(at, along, tar) + np.interp(at, along, far) - 1, 0, len(far) - 1)
    found = equal_error_rate(torch.tensor(genuine), torch.tensor(impostor)).item()
    assert found == pytest.approx(np.interp(crossing, along, far), abs=1e-6)
