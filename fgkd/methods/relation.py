"""Methods that compare relations between the samples of a batch: similarities, distances, angles, correlations."""

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
def similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Similarity preservation (Tung and Mori, arXiv:1907.09682).

    Args:
        student: (B, ...), any shape after the batch.
        teacher: (B, ...).

    Returns:
        Scalar: mean over B^2 of the squared difference of row-normalised Gram matrices.
    """
    ours, theirs = (F.normalize(x.flatten(1) @ x.flatten(1).T, dim=1) for x in (student, teacher))
    return (ours - theirs).square().mean()


@full_precision
def correlation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Correlation congruence between neighbours in the batch (Peng et al., arXiv:1904.01802, as RepDistiller has it).

    Args:
        student, teacher: embeddings (B, D).

    Returns:
        Scalar: mean over the B - 1 neighbours of sum_d |D_i| |D_(i+1)|, with D = student - teacher; 0 for B = 1.
    """
    gap = (student - teacher).abs()
    return (gap[:-1] * gap[1:]).sum() / max(len(gap) - 1, 1)


@full_precision
def distance_relation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD-D (Park et al., arXiv:1904.05068): smooth L1 of pairwise distances, each net's in units of their mean.

    Args:
        student: (B, D_s).
        teacher: (B, D_t).

    Returns:
        Scalar, mean over B^2 pairs (the diagonal is 0); 0 for B = 1.
    """
    return F.smooth_l1_loss(_unit_distances(student), _unit_distances(teacher))


def _unit_distances(x: Tensor) -> Tensor:
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    mean = distances.sum() / (distances > 0).sum().clamp_min(1)
    return distances / mean.clamp_min(1e-12)


@full_precision
def angle_relation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD-A (Park et al., arXiv:1904.05068): smooth L1 of the cosines of angles in all triplets.

    Args:
        student: (B, D_s).
        teacher: (B, D_t).

    Returns:
        Scalar, mean over B^3 triplets.
    """
    return F.smooth_l1_loss(_cosines(student), _cosines(teacher))


def _cosines(x: Tensor) -> Tensor:
    """(B, D) -> (B, B, B): at [i, j, k] the cosine of the angle at i between j and k; 0 where two of them coincide."""
    edges = x[None] - x[:, None]
    squared = edges.square().sum(-1, keepdim=True)
    apart = squared > 0
    directions = torch.where(apart, edges * torch.where(apart, squared, 1.0).rsqrt(), 0.0)
    return directions @ directions.mT


@full_precision
def probabilistic_loss(student: Tensor, teacher: Tensor, *, eps: float = 1e-7) -> Tensor:
    """PKT (Passalis and Tefas, ECCV 2018, arXiv:1803.10837, cosine kernel).

    Args:
        student: (B, D_s).
        teacher: (B, D_t).

    Returns:
        Scalar: mean over B^2 of p_t log(p_t / p_s), with p the row-normalised (cosine + 1) / 2 in the batch.
    """
    p, q = (_neighbour_probabilities(x, eps) for x in (student, teacher))
    return (q * ((q + eps) / (p + eps)).log()).mean()


def _neighbour_probabilities(x: Tensor, eps: float) -> Tensor:
    x = x / (x.norm(dim=1, keepdim=True) + eps)
    similarity = (x @ x.T + 1) / 2
    return similarity / similarity.sum(1, keepdim=True)


class RelationMethod(Method):
    """What the methods on embeddings share: a weighted cross-entropy and a loss that `weight` multiplies.

    Attributes:
        ce_weight: multiplies the cross-entropy, >= 0.
        weight: multiplies the method's loss, >= 0.
    """

    relates_samples = True
    ce_weight: float = Field(1.0, ge=0)
    weight: float = Field(1.0, ge=0)

    student_needs = Needs(logits=True, pooled=True)
    teacher_needs = Needs(pooled=True)

    def problems(self, setting: Setting) -> list[str]:
        return no_teacher(setting, self.name)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Embeddings (B, D_s) and (B, D_t) -> scalar."""
        raise NotImplementedError

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.pooled is not None
        assert lesson.teacher.pooled is not None
        loss = self.loss(student.pooled, lesson.teacher.pooled)
        return {"ce": self.ce_weight * cross_entropy(student, lesson), self.name: self.weight * loss}


@METHODS.register("sp", paper="arXiv:1907.09682")
class SP(RelationMethod):
    """Similarity-preserving distillation (Tung and Mori, arXiv:1907.09682).

    ``ce_weight CE + weight`` times `similarity_loss` of the last stage's maps (B, C, H, W), of any channels and sides.

    Defaults: weight 3000, ce_weight 1: RepDistiller's. Departures: none.
    """

    weight: float = Field(3000.0, ge=0)

    student_needs = Needs(logits=True, stages=frozenset({-1}))
    teacher_needs = Needs(stages=frozenset({-1}))

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        loss = similarity_loss(student.stages[-1], lesson.teacher.stages[-1])
        return {"ce": self.ce_weight * cross_entropy(student, lesson), "sp": self.weight * loss}


@METHODS.register("rkd", paper="arXiv:1904.05068")
class RKD(RelationMethod):
    """Relational knowledge distillation (Park et al., arXiv:1904.05068) of embeddings (B, D_s) and (B, D_t).

    ``weight * (distance_weight RKD-D + angle_weight RKD-A)``, see `distance_relation_loss`, `angle_relation_loss`.

    Defaults: distance_weight 25, angle_weight 50, weight 1, ce_weight 1: RepDistiller's; the paper's ratio is
    1 to 2 too. Departures: none. Memory: at the peak, in backward, the angles take some 21 B^2 D bytes for both
    nets (0.7 GB at B = 128, D = 2048), with B the batch of all processes.
    """

    distance_weight: float = Field(25.0, ge=0)
    angle_weight: float = Field(50.0, ge=0)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        loss = self.distance_weight * distance_relation_loss(student, teacher)
        return loss + self.angle_weight * angle_relation_loss(student, teacher)


@METHODS.register("pkt", paper="arXiv:1803.10837")
class PKT(RelationMethod):
    """Probabilistic knowledge transfer (Passalis and Tefas, arXiv:1803.10837) of embeddings (B, D_s) and (B, D_t).

    ``ce_weight CE + weight`` times `probabilistic_loss`.

    Defaults: weight 30000, ce_weight 1: RepDistiller's. Departures: none.
    """

    weight: float = Field(30000.0, ge=0)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return probabilistic_loss(student, teacher)


class CorrelationObjective(Objective):
    """Correlation congruence after linear embeddings of both nets, both trained."""

    def __init__(self, method: CC, setting: Setting) -> None:
        super().__init__()
        assert setting.teacher is not None
        self.method = method
        self.embed_student = nn.Linear(setting.student.pooled, method.dim)
        self.embed_teacher = nn.Linear(setting.teacher.pooled, method.dim)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.pooled is not None
        assert lesson.teacher.pooled is not None
        ours, theirs = self.embed_student(raised(student.pooled)), self.embed_teacher(raised(lesson.teacher.pooled))
        loss = correlation_loss(ours, theirs)
        return {"ce": self.method.ce_weight * cross_entropy(student, lesson), "cc": self.method.weight * loss}


@METHODS.register("cc", paper="arXiv:1904.01802")
class CC(RelationMethod):
    """Correlation congruence (Peng et al., arXiv:1904.01802) in the form that RepDistiller trains.

    Both embeddings, (B, D_s) and (B, D_t), pass trained linear layers to `dim` units, then `correlation_loss`.

    Defaults: weight 0.02, dim 128, ce_weight 1: RepDistiller's. Departures from the paper, as there: neighbours in the
    batch instead of all pairs, products of absolute differences instead of a Gaussian kernel.
    """

    weight: float = Field(0.02, ge=0)
    dim: int = Field(128, ge=1)

    def build(self, setting: Setting) -> Objective:
        return CorrelationObjective(self, setting)
