"""Whether a network's probabilities can be believed."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean negative log-likelihood of the targets in nats; scalar, float64."""
    return F.cross_entropy(logits.double(), targets)


def brier(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean squared distance of the probabilities to the one-hot target, summed over classes; scalar in [0, 2]."""
    probabilities = logits.double().softmax(1)
    picked = probabilities.gather(1, targets[:, None]).squeeze(1)
    return (probabilities.square().sum(1) - 2 * picked + 1).mean()


def ece(logits: Tensor, targets: Tensor, *, bins: int = 15, binning: Literal["width", "mass"] = "width") -> Tensor:
    """Expected calibration error: mean gap of confidence and accuracy over bins of confidence, weighted by their size.

    Args:
        logits: (N, K).
        targets: (N,) int64.
        bins: how many.
        binning: ``width``: bins ((i-1)/bins, i/bins]; ``mass``: bins of N/bins samples each, sizes differing by one at
            most. Samples of equal confidence share their accuracy, so that their order is of no consequence.

    Returns:
        Scalar in [0, 1], float64.

    References:
        arXiv:1706.04599 (equal width); arXiv:1904.01685 (equal mass).
    """
    confidence, predicted = logits.double().softmax(1).max(1)
    right = (predicted == targets).double()
    if binning == "width":
        inner_edges = torch.arange(1, bins, device=logits.device, dtype=torch.float64) / bins
        index = torch.bucketize(confidence, inner_edges)
    else:
        confidence, order = confidence.sort()
        right = _shared_among_equals(confidence, right[order])
        index = torch.arange(len(confidence), device=logits.device) * bins // len(confidence)
    gaps = torch.zeros(bins, dtype=torch.float64, device=logits.device).index_add_(0, index, confidence - right)
    return gaps.abs().sum() / len(confidence)


def _shared_among_equals(keys: Tensor, values: Tensor) -> Tensor:
    """Each value replaced by the mean over the run of equal (sorted) keys that it stands in."""
    starts = torch.ones_like(keys, dtype=torch.long)
    starts[1:] = keys[1:] != keys[:-1]
    run = starts.cumsum(0) - 1
    sums = torch.zeros_like(values).index_add_(0, run, values)
    sizes = torch.zeros_like(values).index_add_(0, run, torch.ones_like(values))
    return (sums / sizes.clamp(min=1))[run]


def fit_temperature(logits: Tensor, targets: Tensor, *, low: float = 0.01, high: float = 100.0) -> float:
    """The temperature in [low, high] that minimises the nll of ``logits / temperature``.

    The nll is convex in 1/temperature, so its slope there has one sign change, which halving finds to 1e-6 relative.
    Fit it on held-out samples, never on those that are then reported.
    """
    scores = logits.double()
    own = scores.gather(1, targets[:, None]).squeeze(1).mean()
    while high / low > 1 + 1e-6:
        middle = (low * high) ** 0.5
        expected = ((scores / middle).softmax(1) * scores).sum(1).mean()
        if expected > own:  # too much weight on the other classes' high scores: overconfident, so warmer
            low = middle
        else:
            high = middle
    return (low * high) ** 0.5
