"""Which images an epoch shows, how often and in which order: a function of (data seed, epoch) and the labels alone."""

from __future__ import annotations

import numpy as np

from fgkd.data.seeds import mix, permutation
from fgkd.spec import Sampler

# A class of n images is shown in proportion to n ** power.
POWERS: dict[Sampler, float] = {"shuffle": 1.0, "sqrt": 0.5, "balanced": 0.0}


def epoch_order(targets: np.ndarray, sampler: Sampler, data_seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """The showings of one epoch, as many as there are images.

    ``shuffle`` shows every image once. ``balanced`` shows every class equally often, ``sqrt`` in proportion to the
    square root of its size; within a class, images differ by at most one showing, and which of them are shown more
    often is drawn anew in every epoch. Showings of one image are spread over the epoch, so that it seldom meets itself
    in a batch.

    Args:
        targets: (n,) int64, labels from 0.
        sampler: see above.
        data_seed: >= 0.
        epoch: >= 0.

    Returns:
        (n,) int64 positions, in order; and (n,) int64, how often each had been shown before in this epoch.
    """
    n = len(targets)
    order = permutation(mix("order", data_seed, epoch), n)
    if sampler == "shuffle":
        return order, np.zeros(n, dtype=np.int64)
    times = _times(targets, POWERS[sampler], data_seed, epoch)
    positions = np.repeat(np.arange(n), times)
    repeats = np.arange(n) - np.repeat(times.cumsum() - times, times)
    phase = np.empty(n)
    phase[order] = np.arange(n) / n
    sequence = np.argsort((repeats + phase[positions]) / times[positions], kind="stable")
    return positions[sequence], repeats[sequence]


def _times(targets: np.ndarray, power: float, data_seed: int, epoch: int) -> np.ndarray:
    """(n,) how often each image is shown; they sum to n."""
    times = np.zeros(len(targets), dtype=np.int64)
    favoured = permutation(mix("repeat", data_seed, epoch), len(targets))
    for label, quota in enumerate(class_quotas(np.bincount(targets), power, data_seed, epoch)):
        members = favoured[targets[favoured] == label]
        if len(members):
            times[members] = quota // len(members)
            times[members[: quota % len(members)]] += 1
    return times


def class_quotas(sizes: np.ndarray, power: float, data_seed: int, epoch: int) -> np.ndarray:
    """(K,) showings of each class, their sum that of `sizes`; a class without images has none.

    Systematic rounding: each quota is its wish rounded up or down, and its mean over epochs is the wish.
    """
    weights = np.where(sizes > 0, sizes.astype(float) ** power, 0)
    mixed = permutation(mix("classes", data_seed, epoch), len(sizes))
    reached = weights[mixed].cumsum() * (sizes.sum() / weights.sum())
    reached[-1] = sizes.sum()  # whatever the floats' sum
    start = mix("round", data_seed, epoch) / 2**64
    whole = np.minimum(np.floor(reached + start).astype(np.int64), sizes.sum())
    quotas = np.empty(len(sizes), dtype=np.int64)
    quotas[mixed] = np.diff(whole, prepend=0)
    return quotas
