"""Seeds and permutations: fixed values, so that runs of other machines and years can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

from fgkd.data.seeds import mix, permutation


def test_values_are_pinned():
    assert mix("view", 0, 7, 3) == 11471545076022995140
    assert permutation(5, 8).tolist() == [3, 0, 1, 4, 7, 6, 2, 5]


def test_parts_cannot_run_together():
    seeds = {mix("view", a, b, c) for a in (1, 11, 111) for b in (1, 11, 111) for c in (1, 11, 111)}
    assert len(seeds) == 27


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_permutation_holds_every_number_once(n):
    assert sorted(permutation(mix("order", 0, 0), n).tolist()) == list(range(n))


def test_places_are_uniform():
    orders = np.stack([permutation(mix("order", 0, epoch), 10) for epoch in range(4000)])
    share = np.stack([(orders == k).mean(axis=0) for k in range(10)])
    assert np.abs(share - 0.1).max() < 0.02  # 4 standard errors
