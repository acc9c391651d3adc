"""All metrics of one network on one split, under the names that records use."""

from __future__ import annotations

import torch
from torch import Tensor

from fgkd.metrics.accuracy import TopK
from fgkd.metrics.calibration import brier, ece, nll
from fgkd.metrics.fidelity import agreement, kl_to_teacher
from fgkd.metrics.retrieval import retrieval
from fgkd.metrics.verification import equal_error_rate, pair_scores, pairs, tar_at_far

RECALLS = (1, 2, 4, 8)  # where embeddings are all that is judged


def summarise(
    logits: Tensor,
    targets: Tensor,
    *,
    teacher_logits: Tensor | None = None,
    pooled: Tensor | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Every metric that the given outputs allow.

    Args:
        logits: (N, K), N >= 1.
        targets: (N,) int64.
        teacher_logits: (N, K); gives ``agreement`` and ``kl_to_teacher``.
        pooled: (N, D); gives ``recall_at_1``, ``r_precision``, ``map_at_r``, ``tar_at_far_1e-3`` and ``eer``.
        seed: of the pairs of verification.

    Returns:
        Name -> value; always ``top1``, ``top5`` (top-K where K < 5), ``mean_class_accuracy``, ``nll``, ``ece``,
        ``brier``. Shares are in [0, 1]. What is not finite, or cannot be told from so few samples, is left out.

    Raises:
        ValueError: shapes that do not fit.
    """
    _check(logits, targets, teacher_logits, pooled)
    meter = TopK(logits.shape[1])
    meter.update(logits, targets)
    found = {"nll": nll(logits, targets), "ece": ece(logits, targets), "brier": brier(logits, targets)}
    if teacher_logits is not None:
        found["agreement"] = agreement(logits, teacher_logits)
        found["kl_to_teacher"] = kl_to_teacher(logits, teacher_logits)
    if pooled is not None and len(targets) > 1:
        found |= _of_embeddings(pooled, targets, seed)
    return meter.compute() | _finite(found)


def _finite(found: dict[str, Tensor]) -> dict[str, float]:
    values = torch.stack(list(found.values())).cpu()
    return {name: float(value) for name, value in zip(found, values, strict=True) if value.isfinite()}


def summarise_embeddings(pooled: Tensor, targets: Tensor, *, seed: int = 0) -> dict[str, float]:
    """Every metric of embeddings alone, for classes that the classifier does not know.

    Args:
        pooled: (N, D), N >= 2.
        targets: (N,) int64, >= 0.
        seed: of the pairs of verification.

    Returns:
        ``recall_at_1``, ``_2``, ``_4``, ``_8``, ``r_precision``, ``map_at_r``, ``tar_at_far_1e-3``, ``eer``, in [0, 1].
        What cannot be told from so few samples is left out.

    Raises:
        ValueError: shapes that do not fit.
    """
    if pooled.ndim != 2 or targets.ndim != 1 or len(pooled) != len(targets) or len(targets) < 2:
        raise ValueError(
            f"pooled, targets: expected (N, D), (N,) with N >= 2, got {(*pooled.shape,)}, {(*targets.shape,)}"
        )
    return _finite(_of_embeddings(pooled, targets, seed, RECALLS))


def _of_embeddings(pooled: Tensor, targets: Tensor, seed: int, ks: tuple[int, ...] = (1,)) -> dict[str, Tensor]:
    genuine, impostor = (pair_scores(pooled, indices) for indices in pairs(targets, seed=seed))
    return {
        **retrieval(pooled, targets, ks=ks),
        "tar_at_far_1e-3": tar_at_far(genuine, impostor),
        "eer": equal_error_rate(genuine, impostor),
    }


def _check(logits: Tensor, targets: Tensor, teacher_logits: Tensor | None, pooled: Tensor | None) -> None:
    n = len(targets)
    if logits.ndim != 2 or targets.ndim != 1 or len(logits) != n or n == 0:
        raise ValueError(
            f"logits, targets: expected (N, K), (N,) with N >= 1, got {(*logits.shape,)}, {(*targets.shape,)}"
        )
    if teacher_logits is not None and teacher_logits.shape != logits.shape:
        raise ValueError(f"teacher_logits: expected {(*logits.shape,)}, got {(*teacher_logits.shape,)}")
    if pooled is not None and (pooled.ndim != 2 or len(pooled) != n):
        raise ValueError(f"pooled: expected ({n}, D), got {(*pooled.shape,)}")
