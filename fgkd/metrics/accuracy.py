"""Top-k and per-class accuracy."""

from __future__ import annotations

import torch
from torch import Tensor


def predictions(logits: Tensor) -> Tensor:
    """(N, K) -> (N,) the first of the highest classes; -1 where a logit is NaN, so that no target can match."""
    return torch.where(logits.isnan().any(1), -1, logits.argmax(1))


def target_ranks(logits: Tensor, targets: Tensor) -> Tensor:
    """How many classes come before the target, (N,) in 0 .. K-1.

    Among equal logits the lower class comes first, as in argmax; a row with NaN ranks its target beyond any k.

    Args:
        logits: (N, K).
        targets: (N,) int64 in 0 .. K-1.

    Example:
        >>> target_ranks(torch.tensor([[0.1, 0.9, 0.9], [0.1, 0.9, 0.9]]), torch.tensor([1, 2])).tolist()
        [0, 1]
    """
    scores = logits.gather(1, targets[:, None])
    lower = torch.arange(logits.shape[1], device=logits.device) < targets[:, None]
    ranks = ((logits > scores) | ((logits == scores) & lower)).sum(1)
    return torch.where(logits.isnan().any(1), torch.iinfo(torch.int64).max, ranks)


def top_k(logits: Tensor, targets: Tensor, k: int = 1) -> Tensor:
    """Share of samples whose target is among the k highest classes; scalar. With k >= K it is 1 for finite logits."""
    return (target_ranks(logits, targets) < k).double().mean()


class TopK:
    """Counts correct answers batch by batch on the device of the first batch.

    Args:
        num_classes: K.
        ks: which top-k; one above K is taken as K.

    Example:
        >>> meter = TopK(num_classes=3, ks=(1, 2))
        >>> meter.update(torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]]), torch.tensor([1, 2]))
        >>> meter.compute()
        {'top1': 0.5, 'top2': 1.0, 'mean_class_accuracy': 0.5}
    """

    def __init__(self, num_classes: int, ks: tuple[int, ...] = (1, 5)) -> None:
        self.num_classes, self.ks = num_classes, ks
        self._hits: Tensor | None = None  # (len(ks) + 1, K): right within k by class; last row: samples of the class

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Add a batch: logits (B, K), targets (B,)."""
        self.add(target_ranks(logits, targets), targets)

    def add(self, ranks: Tensor, targets: Tensor) -> None:
        """Add a batch of which the `target_ranks` (B,) are known."""
        if self._hits is None:
            self._hits = torch.zeros(len(self.ks) + 1, self.num_classes, dtype=torch.int64, device=ranks.device)
        rows = torch.stack([*(ranks < k for k in self.ks), torch.ones_like(ranks, dtype=torch.bool)])
        self._hits.index_add_(1, targets, rows.long())

    def compute(self) -> dict[str, float]:
        """``top{k}`` over samples, and ``mean_class_accuracy``: top-1 by class, then the mean of classes with samples.

        Raises:
            ValueError: nothing was counted yet.
        """
        if self._hits is None or not self._hits[-1].any():
            raise ValueError("top-k: expected at least one sample, got none")
        counts = self._hits.double().cpu()
        hits, samples = counts[:-1], counts[-1]
        found = {f"top{k}": float(row.sum() / samples.sum()) for k, row in zip(self.ks, hits, strict=True)}
        return {**found, "mean_class_accuracy": _class_mean(hits[self.ks.index(1)], samples)} if 1 in self.ks else found


def _class_mean(hits: Tensor, samples: Tensor) -> float:
    seen = samples > 0
    return float((hits[seen] / samples[seen]).mean())
