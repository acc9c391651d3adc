"""How well an embedding finds other images of the class: every sample asks all others, by cosine."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK_BYTES = 64 * 2**20  # of one block of similarities; a few such blocks are alive at a time


def unit_rows(embeddings: Tensor) -> Tensor:
    """(N, D) -> float32 rows of length 1; a row that is zero or not finite becomes zero, alike to nothing."""
    rows = embeddings.float()
    finite = rows.isfinite().all(1, keepdim=True)
    return F.normalize(rows if finite.all() else rows.where(finite, 0))


def retrieval(
    embeddings: Tensor, labels: Tensor, *, ks: tuple[int, ...] = (1,), chunk: int | None = None
) -> dict[str, Tensor]:
    """Recall@k, R-precision and MAP@R, leave-one-out: each sample is a query, all others are its gallery.

    With R other samples of the query's class and rel(i) in {0, 1} saying whether the i-th nearest is one of them:

        recall@k = max_{i<=k} rel(i);  R-precision = sum_{i<=R} rel(i) / R
        MAP@R = 1/R sum_{i<=R} rel(i) * (sum_{j<=i} rel(j)) / i

    Samples alone in their class ask nothing, but stand in the galleries. Among equally near samples, those of other
    classes come first, so that a collapsed embedding earns nothing from the order of the files.

    Args:
        embeddings: (N, D).
        labels: (N,) int64, >= 0.
        ks: for recall.
        chunk: queries per block; None: what fits `CHUNK_BYTES`.

    Returns:
        ``recall_at_{k}``, ``r_precision``, ``map_at_r``: scalars, float64; NaN where every sample is alone.

    References:
        arXiv:2003.08505.
    """
    relevant_count = labels.bincount()[labels] - 1  # (N,)
    depth = min(max(*ks, int(relevant_count.max()), 1), len(labels) - 1)
    sums = torch.zeros(len(ks) + 2, dtype=torch.float64, device=embeddings.device)
    for hits, wanted in _hits(unit_rows(embeddings), labels, relevant_count, depth, chunk):
        sums += torch.stack([*(hits[:, :k].any(1).double().sum() for k in ks), *_precisions(hits, wanted)])
    means = sums / (relevant_count > 0).sum()
    return dict(zip([*(f"recall_at_{k}" for k in ks), "r_precision", "map_at_r"], means, strict=True))


def _hits(
    rows: Tensor, labels: Tensor, relevant_count: Tensor, depth: int, chunk: int | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Block by block: which of a query's `depth` nearest are of its class (q, depth), and how many there are (q,)."""
    queries = (relevant_count > 0).nonzero().squeeze(1)
    for block in queries.split(chunk or max(1, CHUNK_BYTES // (4 * len(rows)))):
        similarity = rows[block] @ rows.T
        same = labels[block, None] == labels
        below = torch.nextafter(similarity, similarity.new_tensor(-torch.inf))
        similarity = torch.where(same, below, similarity)
        similarity.scatter_(1, block[:, None], -torch.inf)
        nearest = similarity.topk(depth, dim=1).indices
        yield same.gather(1, nearest), relevant_count[block]


def _precisions(hits: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over the block of R-precision and of MAP@R."""
    place = torch.arange(1, hits.shape[1] + 1, device=hits.device)
    counted = (hits & (place <= wanted[:, None])).double()
    precision = counted.cumsum(1) / place
    return (counted.sum(1) / wanted).sum(), ((precision * counted).sum(1) / wanted).sum()
