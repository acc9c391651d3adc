"""Whether a network's probabilities can be believed."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Binning = Literal["width", "mass"]


def nll_by_sample(logits: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of each target in nats; (N, K), (N,) -> (N,) float64."""
    return F.cross_entropy(logits.double(), targets, reduction="none")


def nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean negative log-likelihood of the targets in nats; scalar, float64."""
    return nll_by_sample(logits, targets).mean()


def brier_by_sample(logits: Tensor, targets: Tensor) -> Tensor:
    """Squared distance of the probabilities to the one-hot target, summed over classes; (N,) in [0, 2], float64."""
    probabilities = logits.double().softmax(1)
    picked = probabilities.gather(1, targets[:, None]).squeeze(1)
    return probabilities.square().sum(1) - 2 * picked + 1


def brier(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of `brier_by_sample`; scalar in [0, 2]."""
    return brier_by_sample(logits, targets).mean()


def confidence(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The probability of the predicted class of ``logits / temperature``; (N, K) -> (N,) float64."""
    return (logits.double() / temperature).softmax(1).amax(1)


def ece(logits: Tensor, targets: Tensor, *, bins: int = 15, binning: Binning = "width") -> Tensor:
    """`calibration_error` of logits (N, K) and targets (N,)."""
    return calibration_error(confidence(logits), logits.argmax(1) == targets, bins=bins, binning=binning)


def calibration_error(confidence: Tensor, right: Tensor, *, bins: int = 15, binning: Binning = "width") -> Tensor:
    """Expected calibration error: mean gap of confidence and accuracy over bins of confidence, weighted by their size.

    Args:
        confidence: (N,) float64 in [0, 1].
        right: (N,) bool, whether the predicted class is the target.
        bins: how many.
        binning: ``width``: bins ((i-1)/bins, i/bins]; ``mass``: bins of N/bins samples each, sizes differing by one at
            most. Samples of equal confidence share their accuracy, so that their order is of no consequence.

    Returns:
        Scalar in [0, 1], float64.

    References:
        arXiv:1706.04599 (equal width); arXiv:1904.01685 (equal mass).
    """
    right = right.double()
    if binning == "width":
        index = _width_bin(confidence, bins)
    else:
        confidence, order = confidence.sort()
        right = _shared_among_equals(confidence, right[order])
        index = torch.arange(len(confidence), device=right.device) * bins // len(confidence)
    gaps = torch.zeros(bins, dtype=torch.float64, device=right.device).index_add_(0, index, confidence - right)
    return gaps.abs().sum() / len(confidence)


def _width_bin(confidence: Tensor, bins: int) -> Tensor:
    return torch.bucketize(confidence, torch.arange(1, bins, device=confidence.device, dtype=torch.float64) / bins)


def reliability(confidence: Tensor, right: Tensor, *, bins: int = 15) -> list[list[float]]:
    """The reliability diagram: ``[mean confidence, accuracy, share of the samples]`` of each bin that is not
    empty, to six decimals.

    Args:
        confidence: (N,) float64 in [0, 1].
        right: (N,) bool.
        bins: of equal width, as in `calibration_error`.
    """
    index = _width_bin(confidence, bins)
    rows = torch.stack([confidence, right.double(), torch.ones_like(confidence)])
    sums = torch.zeros(3, bins, dtype=torch.float64, device=right.device).index_add_(1, index, rows)
    sums = sums[:, sums[2] > 0]
    rows = torch.stack([sums[0] / sums[2], sums[1] / sums[2], sums[2] / len(confidence)], 1)
    return rows.round(decimals=6).tolist()


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
