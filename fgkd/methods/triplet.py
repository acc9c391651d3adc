"""Triplet losses whose anchor is the teacher: in logits (Oki et al.), in embeddings, in the teacher's class scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from fgkd.methods.adapters import ProjectorKind, TeacherHead, embedding_needs, make_projector, width_problems
from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, cross_entropy
from fgkd.methods.checks import no_teacher, other_classes
from fgkd.methods.logit import kd_loss
from fgkd.methods.numerics import full_precision
from fgkd.signals import Lesson, Needs, Signals

Margin = Annotated[float, Field(ge=0)] | Literal["soft"]
Mining = Literal["random", "semi_hard", "batch_hard"]
Distance = Literal["cosine", "euclidean"]


def triplet_loss(positive: Tensor, negative: Tensor, *, margin: Margin, valid: Tensor | None = None) -> Tensor:
    """How far the positive is from being nearer than the negative.

    max(0, positive - negative + margin), or its smooth form log(1 + exp(positive - negative)) for a soft margin.

    Args:
        positive, negative: (B,), distances from the anchor.
        margin: >= 0 in the unit of the distances, or ``"soft"``.
        valid: (B,) bool, the rows that have a negative; all where None.

    Returns:
        Scalar, mean over the valid rows; 0, with gradient 0, where there are none.

    Example:
        >>> near, far = torch.tensor([1.0, 3.0]), torch.tensor([4.0, 2.0])
        >>> triplet_loss(near, far, margin=1.0).item()  # mean of 0 and 2
        1.0
        >>> triplet_loss(near, far, margin=1.0, valid=torch.tensor([False, False])).item()
        0.0
    """
    gap = positive - negative
    loss = F.softplus(gap) if margin == "soft" else (gap + margin).clamp(min=0)
    if valid is None:
        return loss.mean()
    return loss.where(valid, 0).sum() / valid.sum().clamp(min=1)


@full_precision
def logit_triplet_loss(
    teacher: Tensor, positive: Tensor, negative: Tensor, *, margin: Margin, valid: Tensor | None = None
) -> Tensor:
    """`triplet_loss` with Euclidean distances from the teacher's logits (Oki et al.).

    Args:
        teacher: (B, K), the anchors.
        positive: (B, K), the student's logits of the same images.
        negative: (B, K), the student's logits of images of other classes.
        margin, valid: as for `triplet_loss`.

    Returns:
        Scalar.

    Example:
        >>> anchor = torch.zeros(1, 2)
        >>> logit_triplet_loss(anchor, torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 6.0]]), margin=5.0).item()
        4.0
    """
    distance = lambda student: torch.linalg.vector_norm(teacher - student, dim=1)
    return triplet_loss(distance(positive), distance(negative), margin=margin, valid=valid)


def random_negatives(target: Tensor) -> tuple[Tensor, Tensor]:
    """For each row a random one of another class.

    Args:
        target: (B,) labels.

    Returns:
        (B,) rows, and (B,) bool: whether there was one to choose; where not, the row means nothing.
    """
    other = target[:, None] != target[None]
    lots = torch.rand(other.shape, device=target.device).masked_fill(~other, -1.0)
    return lots.argmax(1), other.any(1)


@full_precision
def pairwise_distance(anchor: Tensor, other: Tensor, kind: Distance) -> Tensor:
    """Distances of all anchors to all others after l2-normalisation, in [0, 2].

    Args:
        anchor: (A, D).
        other: (B, D).
        kind: ``"cosine"``: 1 - cos; ``"euclidean"``: sqrt(2 - 2 cos).

    Returns:
        (A, B).

    Example:
        >>> a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0], [-3.0, 0.0]])
        >>> pairwise_distance(a, b, "cosine").tolist(), pairwise_distance(a, b, "euclidean").tolist()
        ([[1.0, 2.0]], [[1.414..., 2.0]])
    """
    cosine = F.normalize(anchor, dim=1) @ F.normalize(other, dim=1).T
    if kind == "cosine":
        return 1 - cosine
    return (2 - 2 * cosine).clamp(min=1e-8).sqrt()  # the root has no slope at 0


def mine(distance: Tensor, target: Tensor, mining: Mining) -> tuple[Tensor, Tensor, Tensor]:
    """Choose a positive and a negative for each anchor.

    - random: the same image, a random image of another class;
    - semi_hard: the same image, the nearest of another class that is farther than it (the farthest where none is);
    - batch_hard: the farthest of the same class, the nearest of another class.

    Args:
        distance: (B, B) from anchor i to candidate j; row i and column i are one image.
        target: (B,) labels.
        mining: which of the three.

    Returns:
        Distances of the positives (B,) and negatives (B,), and (B,) bool: whether there is a negative.
    """
    same = target[:, None] == target[None]
    positive, valid = distance.diagonal(), ~same.all(1)
    if mining == "random":
        chosen, _ = random_negatives(target)
    elif mining == "semi_hard":
        nearest = distance.detach().masked_fill(same | (distance <= positive[:, None]), torch.inf)
        farthest = distance.detach().masked_fill(same, -torch.inf)
        chosen = torch.where(nearest.isfinite().any(1), nearest.argmin(1), farthest.argmax(1))
    else:
        positive = distance.masked_fill(~same, -torch.inf).amax(1)
        chosen = distance.detach().masked_fill(same, torch.inf).argmin(1)
    return positive, distance.gather(1, chosen[:, None])[:, 0], valid


@METHODS.register("triplet_logit", paper="arXiv:2004.08116")
class TripletLogit(Method):
    """Teacher logits as anchors, the student's of the same image as positives, of another class as negatives.

    `logit_triplet_loss` beside cross-entropy and KL.

    Defaults: cross-entropy 1, KL 1 at temperature 1, triplet 2, margin 5, as in the authors' code.
    Departures: there the negative is a random image of the training set, here one of the batch, which costs no second
    forward pass.
    """

    relates_samples: ClassVar[bool] = True
    student_needs: ClassVar[Needs] = Needs(logits=True)
    teacher_needs: ClassVar[Needs] = Needs(logits=True)
    term_names: ClassVar[tuple[str, ...]] = ("ce", "kd", "triplet_logit")
    ce_weight: float = Field(1.0, ge=0)
    kd_weight: float = Field(1.0, ge=0)
    temperature: float = Field(1.0, gt=0)
    triplet_weight: float = Field(2.0, ge=0)
    margin: Margin = 5.0

    def problems(self, setting: Setting) -> list[str]:
        """No teacher, or one of other classes."""
        return no_teacher(setting, self.name) + other_classes(setting, self.name)

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        """Cross-entropy, distillation and triplet."""
        assert student.logits is not None
        assert lesson.teacher.logits is not None
        chosen, valid = random_negatives(lesson.target)
        negative = student.logits[chosen]
        triplet = logit_triplet_loss(lesson.teacher.logits, student.logits, negative, margin=self.margin, valid=valid)
        kd = kd_loss(student.logits, lesson.teacher.logits, temperature=self.temperature).mean()
        return {
            "ce": self.ce_weight * cross_entropy(student, lesson),
            "kd": self.kd_weight * kd,
            "triplet_logit": self.triplet_weight * triplet,
        }


class MinedTriplet(Method):
    """What the triplets in a space with one point per image share.

    Attributes:
        margin: >= 0 in the unit of the distance, or ``"soft"``.
        distance: ``"cosine"`` or ``"euclidean"`` after l2-normalisation.
        mining: how positives and negatives are chosen within the batch, see `mine`.
        projector: from the student's width to the teacher's, see `make_projector`.
    """

    relates_samples: ClassVar[bool] = True
    ce_weight: float = Field(1.0, ge=0)
    triplet_weight: float = Field(1.0, ge=0)
    margin: Margin = 0.2
    distance: Distance = "cosine"
    mining: Mining = "semi_hard"
    projector: ProjectorKind = "auto"

    def triplet_terms(self, student: Signals, lesson: Lesson, anchor: Tensor, candidates: Tensor) -> LossTerms:
        """Terms from the teacher's (B, D) and the student's (B, D) points."""
        distance = pairwise_distance(anchor, candidates, self.distance)
        positive, negative, valid = mine(distance, lesson.target, self.mining)
        loss = triplet_loss(positive, negative, margin=self.margin, valid=valid)
        return {"ce": self.ce_weight * cross_entropy(student, lesson), self.name: self.triplet_weight * loss}


@METHODS.register("triplet_embedding", paper="arXiv:1503.03832")
class TripletEmbedding(MinedTriplet):
    """The teacher's embeddings (B, D) as anchors, the student's, projected to their width, as the other two points.

    The triplet loss is FaceNet's; that the teacher gives the anchors follows arXiv:2004.08116.

    Defaults: no published recipe; ours are weight 1, margin 0.2 (FaceNet's), semi-hard mining, cosine distance.
    Departures: FaceNet trains one network, whose points are all three of a triplet.
    """

    student_needs: ClassVar[Needs] = Needs(logits=True, pooled=True)
    teacher_needs: ClassVar[Needs] = Needs(pooled=True)

    def problems(self, setting: Setting) -> list[str]:
        """No teacher, or an identity between unequal widths."""
        return no_teacher(setting, self.name) + width_problems(self.projector, setting, self.name)

    def build(self, setting: Setting) -> Objective:
        """The projector."""
        assert setting.teacher is not None
        return _EmbeddingObjective(self, setting.student.pooled, setting.teacher.pooled)


class _EmbeddingObjective(Objective):
    def __init__(self, method: TripletEmbedding, width: int, teacher_width: int) -> None:
        super().__init__()
        self.method = method
        self.projector = make_projector(method.projector, width, teacher_width)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.pooled is not None
        assert lesson.teacher.pooled is not None
        return self.method.triplet_terms(student, lesson, lesson.teacher.pooled, self.projector(student.pooled))


@METHODS.register("triplet_head", paper="arXiv:2004.08116")
class TripletHead(MinedTriplet):
    """Triplets among class scores of one classifier, the teacher's, which is frozen.

    Anchors are the teacher's logits (B, K); positives and negatives are what the same head answers to the student's
    projected embedding, as in TH-KD. The head is not deployed; its accuracy on the student is the readout
    ``teacher_head``.

    Defaults: no published recipe; ours are those of ``triplet_embedding``.
    Departures: arXiv:2004.08116 compares the teacher's logits with those of the student's own head.
    """

    teacher_needs: ClassVar[Needs] = Needs(logits=True)

    @property
    def teaches_classifier(self) -> bool:
        """No: the logits compared are those of the teacher's head."""
        return False

    @property
    def student_needs(self) -> Needs:  # type: ignore[override]
        """Logits, and what the projector reads."""
        return Needs(logits=True) | embedding_needs(self.projector)

    def problems(self, setting: Setting) -> list[str]:
        """No teacher, other classes, or an identity between unequal widths."""
        found = no_teacher(setting, self.name) + other_classes(setting, self.name)
        return found + width_problems(self.projector, setting, self.name)

    def build(self, setting: Setting) -> Objective:
        """The projector and a frozen copy of the teacher's head."""
        assert setting.teacher_head is not None
        return _HeadObjective(self, TeacherHead(self.projector, setting.student, setting.teacher_head))


class _HeadObjective(Objective):
    def __init__(self, method: TripletHead, teacher_head: TeacherHead) -> None:
        super().__init__()
        self.method = method
        self.teacher_head = teacher_head

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert lesson.teacher.logits is not None
        return self.method.triplet_terms(student, lesson, lesson.teacher.logits, self.teacher_head(student))

    def readouts(self, student: Signals) -> Mapping[str, Tensor]:
        return {"teacher_head": self.teacher_head(student)}
