"""What an epoch shows: as many showings as images, classes in the proportion asked for, decided by seeds alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgkd.data.sampler import POWERS, class_quotas, epoch_order
from fgkd.data.seeds import mix, permutation

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=20).filter(any)
SEEDS = st.integers(0, 9)


def labels_of(sizes: list[int]) -> np.ndarray:
    """Targets with so many of each class, interleaved."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))


def shown(targets: np.ndarray, sampler: str, seed: int = 0, epoch: int = 0) -> np.ndarray:
    """How often each image is shown."""
    return np.bincount(epoch_order(targets, sampler, seed, epoch)[0], minlength=len(targets))


@given(SIZES, SEEDS, SEEDS)
def test_shuffle_is_the_order_that_it_always_was(sizes, seed, epoch):
    targets = labels_of(sizes)
    positions, repeats = epoch_order(targets, "shuffle", seed, epoch)
    assert positions.tolist() == permutation(mix("order", seed, epoch), len(targets)).tolist()
    assert not repeats.any()


@given(SIZES, st.sampled_from(sorted(POWERS)), SEEDS, SEEDS)
def test_an_epoch_is_as_long_as_the_split_and_fair_within_a_class(sizes, sampler, seed, epoch):
    targets = labels_of(sizes)
    positions, repeats = epoch_order(targets, sampler, seed, epoch)
    assert len(positions) == len(repeats) == len(targets)
    times = np.bincount(positions, minlength=len(targets))
    for label in range(len(sizes)):
        of_class = times[targets == label]
        assert not len(of_class) or of_class.max() - of_class.min() <= 1
    for image in np.flatnonzero(times):  # the n-th showing says n - 1, in the order of the epoch
        assert repeats[positions == image].tolist() == list(range(times[image]))


@given(SIZES, SEEDS, SEEDS)
def test_balanced_shows_every_class_equally_often(sizes, seed, epoch):
    targets = labels_of(sizes)
    counts = np.bincount(targets, weights=shown(targets, "balanced", seed, epoch), minlength=len(sizes))
    present = counts[np.array(sizes) > 0]
    assert present.max() - present.min() <= 1
    assert counts.sum() == sum(sizes)


@given(SIZES, st.sampled_from(sorted(POWERS.values())), SEEDS, SEEDS)
def test_quotas_are_their_wishes_rounded(sizes, power, seed, epoch):
    sizes = np.array(sizes)
    weights = np.where(sizes > 0, sizes.astype(float) ** power, 0)
    quotas = class_quotas(sizes, power, seed, epoch)
    assert quotas.sum() == sizes.sum()
    assert (np.abs(quotas - sizes.sum() * weights / weights.sum()) < 1 + 1e-9).all()
    assert (quotas[sizes == 0] == 0).all()


def test_quotas_meet_their_wishes_over_the_epochs():
    sizes = np.array([1, 4, 9, 100])
    wishes = sizes.sum() * np.sqrt(sizes) / np.sqrt(sizes).sum()
    mean = np.mean([class_quotas(sizes, 0.5, 0, epoch) for epoch in range(2000)], axis=0)
    assert mean == pytest.approx(wishes, abs=0.05)


def test_every_image_of_a_large_class_gets_its_turn():
    targets = labels_of([90, 10])
    total = sum(shown(targets, "balanced", epoch=epoch) for epoch in range(60))
    large = total[targets == 0]
    assert large.sum() == 60 * 50
    assert large.min() > 15
    assert (total[targets == 1] == 60 * 5).all()


def test_seeds_and_epochs_give_other_orders():
    targets = labels_of([30, 3, 1])
    orders = {tuple(epoch_order(targets, "balanced", s, e)[0].tolist()) for s, e in ((0, 0), (0, 1), (1, 0), (0, 0))}
    assert len(orders) == 3


def test_showings_of_one_image_are_spread_over_the_epoch():
    targets = labels_of([1, 300, 299])
    positions, _ = epoch_order(targets, "balanced", 0, 0)
    places = np.flatnonzero(positions == np.flatnonzero(targets == 0)[0])
    assert len(places) == 200
    gaps = np.diff(places)
    assert gaps.max() <= 12, "three rows on average"


def test_an_image_seldom_meets_itself_in_a_batch():
    targets, draw = labels_of([2, 39, 39]), np.random.default_rng(0)
    met = chance = 0
    for epoch in range(50):
        rows = epoch_order(targets, "balanced", 0, epoch)[0]
        met += _doubles(rows)
        chance += _doubles(draw.permutation(rows))
    assert met < 0.2 * chance


def _doubles(rows: np.ndarray) -> int:
    """Rows that repeat another row of their batch of five."""
    return sum(5 - len(set(batch)) for batch in rows.reshape(-1, 5).tolist())
