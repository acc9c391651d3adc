"""Whether an embedding tells two images of one class from two of different classes, by one threshold on the cosine."""

from __future__ import annotations

from math import isnan

import torch
from torch import Tensor

from fgkd.metrics.retrieval import unit_rows

GENUINE_PAIRS, IMPOSTOR_PAIRS = 50_000, 200_000
FARS = (1e-1, 1e-2, 1e-3, 1e-4)
ROC_FARS = tuple(10 ** (-4 + i / 4) for i in range(17))  # 1e-4 .. 1
_PAIRS_AT_A_TIME = 16_384


def pairs(
    labels: Tensor, *, seed: int = 0, genuine: int = GENUINE_PAIRS, impostor: int = IMPOSTOR_PAIRS
) -> tuple[Tensor, Tensor]:
    """Pairs of equal and of different labels, as indices (P, 2) each.

    All pairs where there are no more of them than `impostor`; otherwise drawn with replacement, each pair as likely as
    any other of its kind, and the same for a seed on every device.

    Args:
        labels: (N,) int64.
        seed: of the draw.
        genuine: how many pairs of equal labels to draw.
        impostor: how many of different labels.

    Returns:
        Genuine and impostor pairs; empty (0, 2) where the labels allow none.
    """
    n = len(labels)
    if n * (n - 1) // 2 <= impostor:
        every = torch.triu_indices(n, n, 1, device=labels.device).T
        same = labels[every[:, 0]] == labels[every[:, 1]]
        return every[same], every[~same]
    draw = torch.Generator().manual_seed(seed)
    order = labels.cpu().argsort(stable=True)  # samples of a class stand side by side, in a block
    _, block, sizes = labels.cpu()[order].unique_consecutive(return_inverse=True, return_counts=True)
    first, size = (sizes.cumsum(0) - sizes)[block], sizes[block]
    ours, step = _choose(size - 1, genuine, draw)
    within = first[ours] + (ours - first[ours] + 1 + step) % size[ours]  # onwards from ours, round its block
    drawn = torch.stack([order[ours], order[within]], 1)
    ours, step = _choose(n - size, impostor, draw)
    outside = (first[ours] + size[ours] + step) % n  # onwards from the end of its block, round the whole
    return drawn.to(labels.device), torch.stack([order[ours], order[outside]], 1).to(labels.device)


def _choose(choices: Tensor, count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """`count` places by their number of choices (N,), and for each one of 0 .. choices - 1; none without any choice."""
    if not choices.any():
        return choices.new_empty(0), choices.new_empty(0)
    places = torch.multinomial(choices.double(), count, replacement=True, generator=draw)
    return places, (torch.rand(count, generator=draw, dtype=torch.float64) * choices[places]).long()


def pair_scores(embeddings: Tensor, indices: Tensor) -> Tensor:
    """Cosines (P,) of the pairs `indices` (P, 2) of rows of `embeddings` (N, D)."""
    rows = unit_rows(embeddings)
    blocks = [(rows[block[:, 0]] * rows[block[:, 1]]).sum(1) for block in indices.split(_PAIRS_AT_A_TIME)]
    return torch.cat(blocks)


def tar_at_far(genuine: Tensor, impostor: Tensor, far: float = 1e-3) -> Tensor:
    """Share of genuine scores above the lowest threshold that lets at most `far` of the impostor scores above it.

    Args:
        genuine: (P,) scores of pairs that belong together.
        impostor: (Q,) scores of pairs that do not.
        far: false accept rate in (0, 1].

    Returns:
        Scalar in [0, 1]; NaN without genuine scores, or with fewer than 1/far impostors, who cannot tell such a rate.
    """
    allowed = int(far * len(impostor) + 1e-9)
    if not len(genuine) or allowed < 1:
        return torch.tensor(torch.nan, dtype=torch.float64, device=genuine.device)
    if allowed >= len(impostor):
        return torch.ones((), dtype=torch.float64, device=genuine.device)
    threshold = impostor.topk(allowed + 1).values[-1]
    return (genuine > threshold).double().mean()


def roc(genuine: Tensor, impostor: Tensor) -> list[list[float]]:
    """The ROC as ``[false accept rate, true accept rate]`` at those of `ROC_FARS` that so many impostors can tell."""
    tars = torch.stack([tar_at_far(genuine, impostor, far) for far in ROC_FARS]).tolist()
    return [[round(far, 6), round(tar, 6)] for far, tar in zip(ROC_FARS, tars, strict=True) if not isnan(tar)]


def equal_error_rate(genuine: Tensor, impostor: Tensor) -> Tensor:
    """The rate at which false accepts and false rejects are equal, between thresholds by a straight line of the ROC.

    Returns:
        Scalar in [0, 1]; NaN without genuine or without impostor scores.
    """
    if not len(genuine) or not len(impostor):
        return torch.tensor(torch.nan, dtype=torch.float64, device=genuine.device)
    thresholds = torch.cat([genuine, impostor]).unique()
    accept_none = torch.ones(1, dtype=torch.float64, device=genuine.device)
    far = torch.cat([1 - _share_below(impostor, thresholds), 1 - accept_none])  # a score at the threshold is accepted
    frr = torch.cat([_share_below(genuine, thresholds), accept_none])
    after = ((frr - far) >= 0).double().argmax()  # >= 1: at the lowest threshold all are accepted
    before = after - 1
    gap_before, gap_after = (frr - far)[before], (frr - far)[after]
    share = gap_before / (gap_before - gap_after)
    return frr[before] + share * (frr[after] - frr[before])


def _share_below(scores: Tensor, thresholds: Tensor) -> Tensor:
    return torch.searchsorted(scores.sort().values, thresholds).double() / len(scores)
