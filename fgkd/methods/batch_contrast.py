"""Contrastive distillation without memory: negatives from the batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, cross_entropy
from fgkd.methods.checks import no_teacher
from fgkd.methods.numerics import full_precision, raised
from fgkd.signals import Lesson, Needs, Signals


@full_precision
def batch_contrast_loss(student: Tensor, teacher: Tensor, target: Tensor, *, temperature: float) -> Tensor:
    """InfoNCE between two nets' embeddings of one batch, against the samples of other classes, in both directions.

    With s_ij = <student_i, teacher_j> / temperature and O_i the samples of other classes than i's:
    ``-log exp(s_ii) / (exp(s_ii) + sum over j in O_i of exp(s_ij))``, and the same with the nets' roles exchanged.

    Args:
        student, teacher: unit vectors (B, D).
        target: (B,).

    Returns:
        Scalar: the sum of the two directions' batch means; 0 where all samples are of one class.
    """
    similarity = student @ teacher.T / temperature
    same = target[:, None] == target
    rivals = same & ~torch.eye(len(target), dtype=torch.bool, device=target.device)
    diagonal = similarity.diagonal()
    losses = [s.masked_fill(rivals, -torch.inf).logsumexp(1) - diagonal for s in (similarity, similarity.T)]
    return torch.stack(losses).mean(1).sum()


class BatchContrastObjective(Objective):
    """Embeddings of both nets, both trained, and the in-batch loss."""

    def __init__(self, method: CRDBatch, setting: Setting) -> None:
        super().__init__()
        assert setting.teacher is not None
        self.method = method
        self.embed_student = nn.Linear(setting.student.pooled, method.dim)
        self.embed_teacher = nn.Linear(setting.teacher.pooled, method.dim)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.pooled is not None
        assert lesson.teacher.pooled is not None
        ours = F.normalize(raised(self.embed_student(raised(student.pooled))), dim=1)
        theirs = F.normalize(raised(self.embed_teacher(raised(lesson.teacher.pooled))), dim=1)
        loss = batch_contrast_loss(ours, theirs, lesson.target, temperature=self.method.temperature)
        ce = self.method.ce_weight * cross_entropy(student, lesson)
        return {"ce": ce, "crd_batch": self.method.crd_weight * loss}


@METHODS.register("crd_batch", paper="arXiv:1910.10699")
class CRDBatch(Method):
    """CRD without memory: `batch_contrast_loss` of the batch's embeddings (B, D_s) and (B, D_t).

    Our variant of CRD (Tian et al., arXiv:1910.10699), for data sets too large for banks: the same trained linear
    embeddings to `dim` unit vectors and the same temperature; negatives are the batch's samples of other classes, and
    the loss is InfoNCE (van den Oord et al., arXiv:1807.03748), which needs no normaliser. Batch mean, both directions
    added.

    Defaults: ce_weight 1, crd_weight 0.8, temperature 0.07, dim 128: CRD's. Departures: all of the above; no published
    figure stands behind it. Memory: 4 B^2 bytes a direction.
    """

    relates_samples = True
    ce_weight: float = Field(1.0, ge=0)
    crd_weight: float = Field(0.8, ge=0)
    temperature: float = Field(0.07, gt=0)
    dim: int = Field(128, ge=1)

    student_needs = Needs(logits=True, pooled=True)
    teacher_needs = Needs(pooled=True)

    def problems(self, setting: Setting) -> list[str]:
        return no_teacher(setting, self.name)

    def build(self, setting: Setting) -> Objective:
        return BatchContrastObjective(self, setting)
