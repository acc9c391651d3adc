"""What two classifiers' answers to the same images tell of their difference: exact tests and bootstraps.

S runs (seeds) of each, N images. Every draw comes from a fixed seed and every sum is of whole numbers, so that the
figures are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr  # scipy.stats is the same numbers behind a second of imports

DRAWS, RANK_DRAWS = 2000, 1000
_WEIGHTS_AT_A_TIME = 4_000_000  # numbers of one block of draws


@dataclass(frozen=True)
class Paired:
    """Ours against theirs on the same images.

    Attributes:
        wins: images that ours got right in more runs than theirs did.
        losses: images that theirs did.
        mean: difference of the accuracies in points.
        low: of the 95 % bootstrap interval over images, in points.
        high: of the same.
        p: McNemar's exact test, two-sided.
    """

    images: int
    wins: int
    losses: int
    mean: float
    low: float
    high: float
    p: float | None


def mcnemar(wins: int, losses: int) -> float:
    """The two-sided p of McNemar's exact test: how likely so uneven a split of the images on which one is right is.

    Example:
        >>> mcnemar(9, 1), mcnemar(0, 0)
        (0.021484375, 1.0)
    """
    return min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5)))


def paired(ours: np.ndarray, theirs: np.ndarray) -> Paired:
    """Compare hits (S, N) bool, row by row of the same seeds.

    With several runs an image counts once, for the side that got it right in more of them: the runs of an image are not
    independent of each other, and counting them all would overstate the evidence.

    Example:
        >>> found = paired(np.array([[1, 1, 1, 0]], bool), np.array([[1, 0, 0, 0]], bool))
        >>> found.wins, found.losses, found.mean, found.p
        (2, 0, 50.0, 0.5)
    """
    gains = ours.sum(0, dtype=np.int64) - theirs.sum(0, dtype=np.int64)
    wins, losses = int((gains > 0).sum()), int((gains < 0).sum())
    scale = 100 / ours.size
    low, high = bootstrap_interval(gains)
    return Paired(len(gains), wins, losses, int(gains.sum()) * scale, low * scale, high * scale, mcnemar(wins, losses))


def bootstrap_interval(values: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """The 2.5 and 97.5 % points of the sum of N whole numbers (N,), drawn again with replacement.

    Equal numbers are alike, so that a draw is one of how often each different number comes: cheap for any N.
    """
    different, counts = np.unique(values, return_counts=True)
    often = np.random.default_rng(seed).multinomial(len(values), counts / len(values), size=draws)
    low, high = np.quantile(often @ different, [0.025, 0.975])
    return float(low), float(high)


def rank_intervals(hits: np.ndarray, *, draws: int = RANK_DRAWS, seed: int = 0) -> np.ndarray:
    """The 95 % interval of each classifier's rank by mean accuracy, over runs and images drawn again.

    Args:
        hits: (M, S, N) bool, of M classifiers on the same seeds and images; a drawn seed or image is drawn for all.

    Returns:
        (M, 2) int: lowest and highest rank; 1 is best, equals share the better rank.
    """
    m, runs, images = hits.shape
    draw = np.random.default_rng(seed)
    flat = hits.reshape(m * runs, images).T.astype(np.float32)  # float32 holds whole numbers up to 2**24
    ranks = []
    for weights in _image_weights(images, draws, draw):
        often = draw.multinomial(runs, np.full(runs, 1 / runs), size=len(weights))
        right = (weights @ flat).astype(np.int64).reshape(-1, m, runs)
        score = (right * often[:, None, :]).sum(2)
        ranks.append(1 + (score[:, None, :] > score[:, :, None]).sum(2))
    return np.quantile(np.concatenate(ranks), [0.025, 0.975], axis=0, method="inverted_cdf").T.astype(int)


def _image_weights(images: int, draws: int, draw: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each image is drawn, (some draws, N) float32, block by block."""
    at_a_time = max(1, min(draws, _WEIGHTS_AT_A_TIME // images))
    for first in range(0, draws, at_a_time):
        count = min(at_a_time, draws - first)
        places = draw.integers(0, images, (count, images)) + images * np.arange(count)[:, None]
        yield np.bincount(places.ravel(), minlength=count * images).reshape(count, images).astype(np.float32)
