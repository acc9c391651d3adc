"""All metrics of one network on one split, under the names that records use."""

from __future__ import annotations

from torch import Tensor

from fgkd.metrics.retrieval import retrieval
from fgkd.metrics.samples import figures, finite, judge
from fgkd.metrics.verification import FARS, equal_error_rate, pair_scores, pairs, roc, tar_at_far

RECALLS = (1, 2, 4, 8)


def summarise(
    logits: Tensor,
    targets: Tensor,
    *,
    teacher_logits: Tensor | None = None,
    pooled: Tensor | None = None,
    temperature: float | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Every metric that the given outputs allow.

    Args:
        logits: (N, K), N >= 1.
        targets: (N,) int64.
        teacher_logits: (N, K); gives ``agreement`` and ``kl_to_teacher``.
        pooled: (N, D); gives what `summarise_embeddings` does.
        temperature: fitted on other samples, > 0; gives ``ece_calibrated``.
        seed: of the pairs of verification.

    Returns:
        Name -> value; always ``top1``, ``top5`` (top-K where K < 5), ``mean_class_accuracy``, ``nll``, ``ece``,
        ``ece_mass``, ``brier``. Shares are in [0, 1]. What is not finite, or cannot be told from so few
        samples, is left out.

    Raises:
        ValueError: shapes that do not fit.
    """
    _check(logits, targets, teacher_logits, pooled)
    samples = judge(logits, targets, teacher_logits=teacher_logits, temperature=temperature)
    found = figures(samples, targets)
    return (
        found | summarise_embeddings(pooled, targets, seed=seed) if pooled is not None and len(targets) > 1 else found
    )


def summarise_embeddings(pooled: Tensor, targets: Tensor, *, seed: int = 0) -> dict[str, float]:
    """Every metric of embeddings alone, for classes that the classifier does not know.

    Args:
        pooled: (N, D), N >= 2.
        targets: (N,) int64, >= 0.
        seed: of the pairs of verification.

    Returns:
        ``recall_at_1``, ``_2``, ``_4``, ``_8``, ``r_precision``, ``map_at_r``, ``tar_at_far_1e-1`` .. ``_1e-4`` and
        ``eer``, in [0, 1]. What cannot be told from so few samples is left out.

    Raises:
        ValueError: shapes that do not fit.
    """
    if pooled.ndim != 2 or targets.ndim != 1 or len(pooled) != len(targets) or len(targets) < 2:
        raise ValueError(
            f"pooled, targets: expected (N, D), (N,) with N >= 2, got {(*pooled.shape,)}, {(*targets.shape,)}"
        )
    genuine, impostor = _scores(pooled, targets, seed)
    return finite(
        {
            **retrieval(pooled, targets, ks=RECALLS),
            **{f"tar_at_far_{far:.0e}".replace("e-0", "e-"): tar_at_far(genuine, impostor, far) for far in FARS},
            "eer": equal_error_rate(genuine, impostor),
        }
    )


def verification_roc(pooled: Tensor, targets: Tensor, *, seed: int = 0) -> list[list[float]]:
    """``[false accept rate, true accept rate]`` over the pairs that `summarise_embeddings` takes; (N, D), (N,)."""
    return roc(*_scores(pooled, targets, seed))


def _scores(pooled: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Cosines of the genuine and of the impostor pairs."""
    genuine, impostor = pairs(targets, seed=seed)
    return pair_scores(pooled, genuine), pair_scores(pooled, impostor)


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
