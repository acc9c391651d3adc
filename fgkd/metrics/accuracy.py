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


def accuracies(ranks: Tensor, targets: Tensor) -> dict[str, float]:
    """Shares of a split that is right.

    Args:
        ranks: (N,), of the targets, see `target_ranks`.
        targets: (N,) int64.

    Returns:
        ``top1`` and ``top5`` over samples, and ``mean_class_accuracy``: top-1 by class, then the mean of classes with
        samples. Of five classes or fewer the top-5 of finite logits is 1.

    Raises:
        ValueError: there are no samples.

    Example:
        >>> accuracies(torch.tensor([0, 0, 6, 0]), torch.tensor([0, 0, 0, 2]))
        {'top1': 0.75, 'top5': 0.75, 'mean_class_accuracy': 0.8333333333333333}
    """
    if not len(targets):
        raise ValueError("accuracies: expected at least one sample, got none")
    samples = targets.bincount().double()
    right = targets[ranks < 1].bincount(minlength=len(samples)).double()
    by_class = (right / samples)[samples > 0]
    top1, top5 = ((ranks < k).double().mean() for k in (1, 5))
    return {"top1": float(top1), "top5": float(top5), "mean_class_accuracy": float(by_class.mean())}
