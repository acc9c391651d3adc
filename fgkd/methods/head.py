"""TH-KD: the teacher's classifier lent to the student while it trains; and its companions on the embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from fgkd.methods.adapters import (
    ProjectorKind,
    TeacherHead,
    embedding_needs,
    width_problems,
)
from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, cross_entropy
from fgkd.methods.checks import no_teacher, other_classes
from fgkd.methods.logit import kd_loss
from fgkd.methods.numerics import full_precision, raised
from fgkd.signals import Head, Lesson, Needs, Signals, SignalShapes

# names in Signals.extras of a student with two heads
TEACHER_HEAD, OWN_HEAD, EMBEDDING = "teacher_head", "own_head", "teacher_head_embedding"


@full_precision
def mixed_log_probs(own: Tensor, other: Tensor, *, weight: float) -> Tensor:
    """log((1 - w) softmax(own) + w softmax(other)), so that its softmax is the mixture.

    Args:
        own, other: logits (B, K).
        weight: w in [0, 1].
    """
    if weight in (0.0, 1.0):
        return F.log_softmax(other if weight else own, dim=-1)
    shares = torch.tensor([1 - weight, weight], device=own.device, dtype=own.dtype).log()
    both = torch.stack((F.log_softmax(own, dim=-1), F.log_softmax(other, dim=-1)))
    return torch.logsumexp(both + shares[:, None, None], dim=0)


def compare_heads(student: Head, teacher: Head) -> dict[str, float]:
    """How alike two classifiers of one shape are: cosine per class, and the distance between biases.

    Args:
        student, teacher: weight (K, D), bias (K,) or None.

    Returns:
        ``head_cos_{mean,mean_abs,std,max_abs}`` over classes; with biases ``head_bias_{l2,abs,cos}``:
        norm of the difference, mean absolute difference, cosine.
    """
    cosine = F.cosine_similarity(student.weight.float().cpu(), teacher.weight.float().cpu(), dim=1)
    found = {
        "head_cos_mean": cosine.mean(),
        "head_cos_mean_abs": cosine.abs().mean(),
        "head_cos_std": cosine.std(correction=0),
        "head_cos_max_abs": cosine.abs().max(),
    }
    if student.bias is not None and teacher.bias is not None:
        a, b = student.bias.float().cpu(), teacher.bias.float().cpu()
        found["head_bias_l2"] = (a - b).norm()
        found["head_bias_abs"] = (a - b).abs().mean()
        found["head_bias_cos"] = F.cosine_similarity(a, b, dim=0)
    return {name: float(value) for name, value in found.items()}


class TwoHeads(nn.Module):
    """A student that keeps the teacher's head when deployed.

    While it trains, `Signals.logits` are its own head's and the teacher head's lie in `Signals.extras`. In evaluation
    `Signals.logits` are the logarithms of the mixed probabilities ``(1 - w) p_own + w p_teacher_head``.
    """

    def __init__(self, inner: nn.Module, teacher_head: TeacherHead, needs: Needs, weight: float, shapes: SignalShapes):
        super().__init__()
        self.inner, self.teacher_head = inner, teacher_head
        self.needs, self.weight, self.shapes = needs, weight, shapes

    def forward(self, image: Tensor, needs: Needs) -> Signals:
        """(B, 3, H, W) -> what `needs` asks for."""
        if not needs.logits:
            return self.inner(image, needs)
        signals = self.inner(image, needs | self.needs)
        assert signals.logits is not None
        embedding = self.teacher_head.embed(signals)
        other = self.teacher_head.classifier(embedding)
        extras = {**signals.extras, TEACHER_HEAD: other, OWN_HEAD: signals.logits, EMBEDDING: embedding}
        logits = signals.logits if self.training else mixed_log_probs(signals.logits, other, weight=self.weight)
        return replace(signals, logits=logits, extras=extras).only(needs)

    def head(self) -> Head:
        """The student's own classifier."""
        return self.inner.head()  # type: ignore[operator]


class TeacherHeadObjective(Objective):
    """The loss of TH-KD; owns the projector and the frozen head unless the student itself carries them."""

    def __init__(self, method: THKD, setting: Setting) -> None:
        super().__init__()
        assert setting.teacher_head is not None
        self.method = method
        self.reference = setting.teacher_head.detached()
        self.teacher_head = None if method.deploys_more else method.teacher_head(setting)

    def through_head(self, student: Signals) -> tuple[Tensor, Tensor]:
        """The student's embedding in the teacher head's space (B, D_t), and that head's logits for it (B, K)."""
        if self.teacher_head is None:
            return student.extras[EMBEDDING], student.extras[TEACHER_HEAD]
        embedding = self.teacher_head.embed(student)
        return embedding, self.teacher_head.classifier(embedding)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        return self.method.head_terms(student, *self.through_head(student), lesson)

    def readouts(self, student: Signals) -> Mapping[str, Tensor]:
        assert student.logits is not None
        other, own = self.through_head(student)[1], student.extras.get(OWN_HEAD, student.logits)
        found = {"teacher_head": other, "mixed": mixed_log_probs(own, other, weight=self.method.readout_weight)}
        return {**found, "own_head": own} if self.teacher_head is None else found

    def diagnostics(self, student: Head | None = None) -> Mapping[str, float]:
        if student is None or student.weight.shape != self.reference.weight.shape:
            return {}
        return compare_heads(student.detached(), self.reference)


@METHODS.register("th_kd", paper="arXiv:2201.06945")
class THKD(Method):
    """TH-KD: the student's embedding z_s (B, D_s) is also classified by the teacher's frozen head, W_t P(z_s) + b_t.

    Source: Ben-Baruch et al., "It's All in the Head: Representation Knowledge Distillation through Classifier Sharing"
    (arXiv:2201.06945), and its released code (Alibaba-MIIL/HeadSharingKD). All logits (B, K), all terms batch means,
    KL_T as in ``kd`` with T^2.

    * ``form: released`` (what the code trains): ce_weight CE(own) + kd_weight KL_T(teacher || own)
      + head_weight KL_T(teacher || teacher head on z_s). Defaults 1, 1.5, 0.02, temperature 4: the example command.
    * ``form: paper`` (the equations): with a = head_weight in [0, 1], ce_weight [(1 - a) CE(own) + a CE(head)]
      + kd_weight [(1 - a) KL_T(own) + a KL_T(head)]. The paper's a is not known to us: default 0.5, ours; the other
      defaults are those of the code.

    `inference_weight` w > 0 deploys the mixture (1 - w) p_own + w p_head (the paper's inference, with w = a); the
    released code's default is 0, the student's own head alone.

    Departures: where widths differ, a trained projector P (neither source has one; see `make_projector`). A paper form
    with a = 1 that would deploy the student's own head, which it never trains, is refused.

    Readouts: ``teacher_head``, and ``mixed`` at w, or where w is 0 at a (paper) or one half (released).
    """

    form: Literal["released", "paper"] = "released"
    ce_weight: float = Field(1.0, ge=0)
    kd_weight: float = Field(1.5, ge=0)
    head_weight: float = Field(0.02, ge=0)
    temperature: float = Field(4.0, gt=0)
    projector: ProjectorKind = "auto"
    inference_weight: float = Field(0.0, ge=0, le=1)

    teacher_needs = Needs(logits=True)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_form(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("form") == "paper":
            return {"head_weight": 0.5, **value}
        return value

    @model_validator(mode="after")
    def _share(self) -> THKD:
        if self.form == "paper" and self.head_weight > 1:
            raise ValueError(f"head_weight: form paper mixes two heads, so expected 0 to 1, found {self.head_weight}")
        if self.form == "paper" and self.head_weight == 1 and self.inference_weight == 0:
            raise ValueError(
                "head_weight: form paper at 1 teaches the student's own head nothing, and inference_weight 0 deploys "
                "that head; set inference_weight: 1, or use copy_head+kd"
            )
        return self

    @property
    def student_needs(self) -> Needs:  # type: ignore[override]
        """Logits and what the projector reads."""
        return Needs(logits=True) | embedding_needs(self.projector)

    @property
    def deploys_more(self) -> bool:  # type: ignore[override]
        """Whether the teacher's head stays in the student."""
        return self.inference_weight > 0

    @property
    def keeps_classifier(self) -> bool:  # type: ignore[override]
        """Whether the student's own head is mixed with the teacher's."""
        return self.deploys_more

    @property
    def term_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The keys of the loss terms."""
        return ("ce", "kd", "th_ce", "th_kd") if self.form == "paper" else ("ce", "kd", "th_kd")

    @property
    def readout_weight(self) -> float:
        """Share of the teacher's head in the readout ``mixed``."""
        return self.inference_weight or (self.head_weight if self.form == "paper" else 0.5)

    def problems(self, setting: Setting) -> list[str]:
        found = no_teacher(setting, self.name) + other_classes(setting, self.name)
        return found + width_problems(self.projector, setting, self.name)

    def teacher_head(self, setting: Setting) -> TeacherHead:
        """Projector and frozen head for this student."""
        assert setting.teacher_head is not None
        return TeacherHead(self.projector, setting.student, setting.teacher_head)

    def build(self, setting: Setting) -> Objective:
        return TeacherHeadObjective(self, setting)

    def reshape_student(self, model: nn.Module, setting: Setting) -> nn.Module:
        if not self.deploys_more:
            return model
        return TwoHeads(model, self.teacher_head(setting), self.student_needs, self.inference_weight, setting.student)

    def head_terms(self, student: Signals, embedding: Tensor, head: Tensor, lesson: Lesson) -> LossTerms:
        """Loss terms from what the student shows, its projected embedding (B, D_t) and the teacher head's logits."""
        assert student.logits is not None
        assert lesson.teacher.logits is not None
        teacher = lesson.teacher.logits
        own_kd, head_kd = (kd_loss(x, teacher, temperature=self.temperature).mean() for x in (student.logits, head))
        own_ce, head_ce = cross_entropy(student, lesson), F.cross_entropy(raised(head), lesson.target)
        if self.form == "released":
            return {"ce": self.ce_weight * own_ce, "kd": self.kd_weight * own_kd, "th_kd": self.head_weight * head_kd}
        own, other = 1 - self.head_weight, self.head_weight
        return {
            "ce": self.ce_weight * own * own_ce,
            "kd": self.kd_weight * own * own_kd,
            "th_ce": self.ce_weight * other * head_ce,
            "th_kd": self.kd_weight * other * head_kd,
        }
