"""A split judged sample by sample: a few numbers of each are kept, however many the classes.

What is computed of a sample depends on that sample alone, so that neither batches nor processes change a figure.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fgkd.metrics.accuracy import accuracies, target_ranks
from fgkd.metrics.calibration import brier_by_sample, calibration_error, confidence, nll_by_sample
from fgkd.metrics.fidelity import agree_by_sample, kl_by_sample

Samples = Mapping[str, Tensor]  # (N,) each


def judge(
    logits: Tensor, targets: Tensor, *, teacher_logits: Tensor | None = None, temperature: float | None = None
) -> dict[str, Tensor]:
    """What one network says of each sample.

    Args:
        logits: (B, K).
        targets: (B,) int64.
        teacher_logits: (B, K).
        temperature: fitted elsewhere, > 0.

    Returns:
        (B,) each: ``predicted`` (the argmax), ``rank`` of the target, ``nll``, ``brier``, ``confidence``; with a
        teacher ``agrees`` and ``kl``; with a temperature ``calibrated``, the confidence of ``logits / temperature``.
    """
    found = {
        "predicted": logits.argmax(1),
        "rank": target_ranks(logits, targets),
        "nll": nll_by_sample(logits, targets),
        "brier": brier_by_sample(logits, targets),
        "confidence": confidence(logits),
    }
    if teacher_logits is not None:
        found["agrees"] = agree_by_sample(logits, teacher_logits).double()
        found["kl"] = kl_by_sample(logits, teacher_logits)
    if temperature is not None:
        found["calibrated"] = confidence(logits, temperature)
    return found


def figures(samples: Samples, targets: Tensor) -> dict[str, float]:
    """The metrics of a whole split, from what `judge` found of its samples.

    Returns:
        ``top1``, ``top5``, ``mean_class_accuracy``, ``nll``, ``brier``, ``ece`` (bins of equal width), ``ece_mass``;
        ``agreement``, ``kl_to_teacher``, ``ece_calibrated`` where the samples tell. What is not finite is left out.
    """
    right = samples["rank"] == 0
    found = {
        "nll": samples["nll"].mean(),
        "brier": samples["brier"].mean(),
        "ece": calibration_error(samples["confidence"], right),
        "ece_mass": calibration_error(samples["confidence"], right, binning="mass"),
    }
    if "agrees" in samples:
        found |= {"agreement": samples["agrees"].mean(), "kl_to_teacher": samples["kl"].mean()}
    if "calibrated" in samples:
        found["ece_calibrated"] = calibration_error(samples["calibrated"], right)
    return accuracies(samples["rank"], targets) | finite(found)


def finite(found: Mapping[str, Tensor]) -> dict[str, float]:
    """Scalars as floats, without those that are not finite."""
    values = torch.stack(list(found.values())).cpu()
    return {name: float(value) for name, value in zip(found, values, strict=True) if value.isfinite()}
