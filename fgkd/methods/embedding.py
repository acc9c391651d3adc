"""Distances between the student's and the teacher's embedding: KDE, TH-KD with KDE, and SRRL."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from fgkd.methods.adapters import Embedder, ProjectorKind, TeacherHead, embedding_needs, width_problems
from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, cross_entropy
from fgkd.methods.checks import no_teacher, other_classes
from fgkd.methods.head import THKD
from fgkd.methods.numerics import full_precision
from fgkd.signals import Lesson, Needs, Signals


@full_precision
def embedding_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of unit-length embeddings, which is 2 (1 - cosine).

    Args:
        student, teacher: (B, D).

    Returns:
        Batch mean, in [0, 4].

    Example:
        >>> import torch
        >>> embedding_distance(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 5.0]])).item()
        2.0
    """
    return (F.normalize(student, dim=1) - F.normalize(teacher, dim=1)).square().sum(1).mean()


class EmbeddingObjective(Objective):
    """KDE behind a projector."""

    def __init__(self, method: KDE, setting: Setting) -> None:
        super().__init__()
        assert setting.teacher is not None
        self.method = method
        self.embedder = Embedder(method.projector, setting.student, setting.teacher.pooled)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert lesson.teacher.pooled is not None
        distance = embedding_distance(self.embedder.embed(student), lesson.teacher.pooled)
        return {"ce": self.method.ce_weight * cross_entropy(student, lesson), "kde": self.method.kde_weight * distance}


@METHODS.register("kde", paper="arXiv:2201.06945")
class KDE(Method):
    """Distance of normalised embeddings (B, D), as HeadSharingKD's code offers it (arXiv:2201.06945).

    ``ce_weight CE + kde_weight `` times `embedding_distance`.

    Defaults: no weights are published; ours are ce_weight 1, kde_weight 1.
    Departures: batch mean where the code sums over the batch, so that the weight does not depend on the batch size
    (ours times B is theirs); where widths differ, a trained projector.
    """

    ce_weight: float = Field(1.0, ge=0)
    kde_weight: float = Field(1.0, ge=0)
    projector: ProjectorKind = "auto"

    teacher_needs = Needs(pooled=True)

    @property
    def student_needs(self) -> Needs:  # type: ignore[override]
        """Logits and what the projector reads."""
        return Needs(logits=True) | embedding_needs(self.projector)

    def problems(self, setting: Setting) -> list[str]:
        return no_teacher(setting, self.name) + width_problems(self.projector, setting, self.name)

    def build(self, setting: Setting) -> Objective:
        return EmbeddingObjective(self, setting)


@METHODS.register("th_kde", paper="arXiv:2201.06945")
class THKDE(THKD):
    """TH-KD with the embedding distance, HeadSharingKD's ``kdeth`` (arXiv:2201.06945).

    The terms of ``th_kd`` in either form, plus kde_weight times `embedding_distance` between the student's projected
    embedding and the teacher's (B, D).

    Defaults: those of ``th_kd``; no kde_weight is published, ours is 1.
    Departures: those of ``th_kd`` and ``kde``; the weights are independent of each other, whereas the code drops the
    teacher head's term where the embedding's weight is 0.
    """

    kde_weight: float = Field(1.0, ge=0)

    teacher_needs = Needs(logits=True, pooled=True)

    @property
    def term_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The keys of the loss terms."""
        return (*super().term_names, "kde")

    def head_terms(self, student: Signals, embedding: Tensor, head: Tensor, lesson: Lesson) -> LossTerms:
        assert lesson.teacher.pooled is not None
        terms = super().head_terms(student, embedding, head, lesson)
        return {**terms, "kde": self.kde_weight * embedding_distance(embedding, lesson.teacher.pooled)}


@full_precision
def mean_gap(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of embeddings (B, D), for example of spatially averaged maps; mean over B and D."""
    return F.mse_loss(student, teacher)


class RegressionObjective(Objective):
    """SRRL: a connector into the teacher's embedding, and the teacher's head behind it."""

    def __init__(self, method: SRRL, setting: Setting) -> None:
        super().__init__()
        assert setting.teacher_head is not None
        self.method = method
        self.teacher_head = TeacherHead(method.projector, setting.student, setting.teacher_head)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert lesson.teacher.pooled is not None
        assert lesson.teacher.logits is not None
        embedding = self.teacher_head.embed(student)
        logits = self.teacher_head.classifier(embedding)
        return {
            "ce": self.method.ce_weight * cross_entropy(student, lesson),
            "srrl_feature": self.method.feature_weight * mean_gap(embedding, lesson.teacher.pooled),
            "srrl_head": self.method.head_weight * F.mse_loss(logits, lesson.teacher.logits),
        }

    def readouts(self, student: Signals) -> dict[str, Tensor]:
        return {"teacher_head": self.teacher_head(student)}


@METHODS.register("srrl", paper="ICLR 2021, Softmax Regression Representation Learning")
class SRRL(Method):
    """Softmax regression representation learning (Yang et al., ICLR 2021, openreview ZzwDy_wiWv).

    ``ce_weight CE + feature_weight MSE(z, z_t) + head_weight MSE(W_t z + b_t, teacher logits)``, with z (B, D_t) the
    spatial mean of the student's final map behind a connector, z_t the teacher's embedding, and the teacher's head
    (W_t, b_t) frozen; logits (B, K), means over all elements. The connector is dropped when deployed.

    Defaults: weights 1, connector 1x1 convolution, batch norm, ReLU: the authors'.
    Departures: z_t is the teacher's embedding, which in the paper's networks is the mean of its final map; students
    whose own embedding is not such a mean get the connector on the embedding. The ReLU cannot reach negative values of
    an embedding behind a layer norm: choose ``projector: conv_bn`` or ``linear`` for such teachers.
    """

    ce_weight: float = Field(1.0, ge=0)
    feature_weight: float = Field(1.0, ge=0)
    head_weight: float = Field(1.0, ge=0)
    projector: ProjectorKind = "conv_bn_relu"

    teacher_needs = Needs(logits=True, pooled=True)
    term_names = ("ce", "srrl_feature", "srrl_head")

    @property
    def teaches_classifier(self) -> bool:
        """No: the logits compared are those of the teacher's head."""
        return False

    @property
    def student_needs(self) -> Needs:  # type: ignore[override]
        """Logits and what the connector reads."""
        return Needs(logits=True) | embedding_needs(self.projector)

    def problems(self, setting: Setting) -> list[str]:
        found = no_teacher(setting, self.name) + other_classes(setting, self.name)
        return found + width_problems(self.projector, setting, self.name)

    def build(self, setting: Setting) -> Objective:
        return RegressionObjective(self, setting)
