"""Methods that compare class scores: the Hinton loss, its decoupled, relational and reweighted forms."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from fgkd.methods.base import METHODS, LossTerms, Method, Setting, cross_entropy
from fgkd.methods.checks import no_teacher, other_classes
from fgkd.methods.numerics import full_precision
from fgkd.signals import Lesson, Needs, Progress, Signals


def standardize_logits(logits: Tensor) -> Tensor:
    """Z-scores of each sample's logits (Sun et al., arXiv:2403.01427, eq. 9).

    Args:
        logits: (..., K).

    Returns:
        (..., K), mean 0 and standard deviation 1 (unbiased) over the last axis.
    """
    return (logits - logits.mean(-1, keepdim=True)) / (logits.std(-1, keepdim=True) + 1e-7)


@full_precision
def kd_loss(student: Tensor, teacher: Tensor, *, temperature: float | Tensor) -> Tensor:
    """Kullback-Leibler divergence of softened scores, times the squared temperature (Hinton et al., arXiv:1503.02531).

    Args:
        student, teacher: logits (B, K).
        temperature: > 0.

    Returns:
        (B,): T^2 KL(softmax(teacher / T) || softmax(student / T)) for each sample.

    Example:
        >>> import torch
        >>> round(kd_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]]), temperature=1.0).item(), 4)
        0.4621
    """
    log_p, log_q = (F.log_softmax(x / temperature, dim=-1) for x in (student, teacher))
    return F.kl_div(log_p, log_q, log_target=True, reduction="none").sum(-1) * temperature**2


class LogitMethod(Method):
    """What the methods on class scores share: a weighted cross-entropy, a weighted loss, and logit standardisation.

    Subclasses define `loss`, on logits that are standardised already where that is asked for.

    Attributes:
        ce_weight: multiplies the cross-entropy, >= 0.
        kd_weight: multiplies the method's loss, >= 0.
        standardize: replace both nets' logits by their z-scores per sample before the loss (not in the
            cross-entropy). The published setting on top of kd is temperature 2, kd_weight 9, ce_weight 0.1
            (CIFAR-100; the weight varies from 9 to 18 by pair).
    """

    ce_weight: float = Field(1.0, ge=0)
    kd_weight: float = Field(1.0, ge=0)
    standardize: bool = False

    teacher_needs = Needs(logits=True)

    def problems(self, setting: Setting) -> list[str]:
        return no_teacher(setting, self.name) + other_classes(setting, self.name)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        """Logits (B, K) twice and labels (B,) -> per sample (B,), or a scalar where samples are compared."""
        raise NotImplementedError

    def compare(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        """`loss` after standardisation where that is asked for."""
        if self.standardize:
            student, teacher = standardize_logits(student.float()), standardize_logits(teacher.float())
        return self.loss(student, teacher, target)

    def warmup(self, progress: Progress) -> float:
        """Multiplies the loss, in [0, 1]."""
        return 1.0

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.logits is not None and lesson.teacher.logits is not None
        loss = self.compare(student.logits, lesson.teacher.logits, lesson.target).mean()
        return {
            "ce": self.ce_weight * cross_entropy(student, lesson),
            self.name: self.kd_weight * self.warmup(lesson.progress) * loss,
        }


@METHODS.register("kd", paper="arXiv:1503.02531")
class KD(LogitMethod):
    """Knowledge distillation (Hinton, Vinyals, Dean, arXiv:1503.02531, section 2): `kd_loss` on logits (B, K), batch mean.

    Defaults: temperature 4, kd_weight 0.9, ce_weight 0.1, as RepDistiller and mdistiller run it on CIFAR-100.
    Departures: none. Published companions use other weights: with ``crd``, ce_weight 1 and kd_weight 1.
    """

    ce_weight: float = Field(0.1, ge=0)
    kd_weight: float = Field(0.9, ge=0)
    temperature: float = Field(4.0, gt=0)

    def loss(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return kd_loss(student, teacher, temperature=self.temperature)
