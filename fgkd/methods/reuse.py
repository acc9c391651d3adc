"""Methods that deploy somebody else's classifier behind the network: a copied head, and SimKD."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fgkd.methods.adapters import (
    FrozenHead,
    ProjectorKind,
    TeacherHead,
    conv_bn,
    embedding_needs,
    resolve_kind,
    width_problems,
)
from fgkd.methods.base import METHODS, LossTerms, Method, Setting, cross_entropy
from fgkd.methods.checks import no_teacher, not_mean_pooled, other_classes
from fgkd.methods.maps import match_sides
from fgkd.methods.numerics import full_precision, raised
from fgkd.signals import Head, Lesson, Needs, Signals, SignalShapes


def retire_head(network: nn.Module) -> None:
    """Give up a classifier that nobody reads any more: neither deployed, nor waited for by DDP."""
    if callable(retire := getattr(network, "retire_head", None)):
        retire()
        return
    own = getattr(network, "head", None)
    if not callable(own):
        return
    head = own()
    for parameter in (head.weight, head.bias):
        if isinstance(parameter, nn.Parameter):
            parameter.requires_grad_(False)


class BorrowedHead(nn.Module):
    """A network whose classifier is a frozen foreign head behind a projector.

    `Signals.pooled` is the projected embedding that the head reads, `Signals.head` the foreign head.
    """

    def __init__(self, inner: nn.Module, foreign: TeacherHead, reads: Needs, shapes: SignalShapes) -> None:
        super().__init__()
        retire_head(inner)
        self.inner, self.foreign, self.reads = inner, foreign, reads
        num_classes, width = foreign.classifier.weight.shape
        self.shapes = replace(
            shapes, num_classes=num_classes, pooled=width, pooled_is_mean=False, final_classifies=False
        )

    def forward(self, image: Tensor, needs: Needs) -> Signals:
        """(B, 3, H, W) -> what `needs` asks for."""
        asked = replace(needs, logits=False, pooled=False, head=False)
        signals = self.inner(image, asked | self.reads)
        pooled = self.foreign.embed(signals)
        logits = self.foreign.classifier(pooled) if needs.logits else None
        return replace(signals, logits=logits, pooled=pooled, head=self.head()).only(needs)

    def head(self) -> Head:
        """The foreign head."""
        return self.foreign.classifier.head


class HeadReuse(Method):
    """What methods with a foreign classifier share.

    Attributes:
        ce_weight: multiplies the cross-entropy of the foreign head's logits, >= 0.
        projector: from the network's width to the head's; ``auto`` is none where they match, otherwise linear.
    """

    ce_weight: float = Field(1.0, ge=0)
    projector: ProjectorKind = "auto"

    deploys_more = True
    replaces_classifier = True
    term_names = ("ce",)

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        return {"ce": self.ce_weight * cross_entropy(student, lesson)}

    def reshape_student(self, model: nn.Module, setting: Setting) -> nn.Module:
        """The network with the head of the setting; one that can take the head as its own stays what it is."""
        head = setting.teacher_head
        assert head is not None
        kind = resolve_kind(self.projector, setting.student.pooled, head.weight.shape[1])
        take = getattr(model, "replace_head", None)
        if kind == "identity" and callable(take):
            take(head, frozen=True)
            return model
        foreign = TeacherHead(self.projector, setting.student, head)
        return BorrowedHead(model, foreign, embedding_needs(self.projector), setting.student)


@METHODS.register("copy_head", paper="arXiv:2201.06945")
class CopyHead(HeadReuse):
    """The student's classifier is the teacher's, copied and frozen: TH-KD at a = 1 (arXiv:2201.06945).

    Cross-entropy of ``W_t P(z_s) + b_t`` (B, K) with the labels, batch mean, z_s (B, D_s); P is a trained projector
    where widths differ. Deployed with projector and teacher head. Distillation joins by composition: ``copy_head+kd``.

    Defaults: ce_weight 1, as the released switch ``copy_head`` leaves it. Departures: the projector, of which neither
    paper nor code speaks.
    """

    def problems(self, setting: Setting) -> list[str]:
        found = no_teacher(setting, self.name) + other_classes(setting, self.name)
        return found + width_problems(self.projector, setting, self.name)


@METHODS.register("frozen_head", paper="arXiv:2201.06945")
class FrozenHeadTraining(HeadReuse):
    """A teacher trained under a given frozen head: stage I1 of SH-KD (arXiv:2201.06945).

    The network's classifier is replaced by the head of a student trained before (`Setting.teacher_head`, (K, D_s)),
    behind a projector from the network's width (B, D_t) to that head's; plain cross-entropy, batch mean. It needs no
    teacher.

    Defaults: ce_weight 1, the released training. Departures: the projector, where widths differ.
    """

    takes_mixed_labels = True

    def problems(self, setting: Setting) -> list[str]:
        if setting.teacher_head is None and setting.teacher is None:
            return [f"{self.name}: needs a head to train under; name the student run that it is taken from"]
        if setting.teacher_head is not None and len(setting.teacher_head.weight) != setting.num_classes:
            found = len(setting.teacher_head.weight)
            return [f"{self.name}: expected a head of {setting.num_classes} classes, found one of {found}"]
        return width_problems(self.projector, setting, self.name)


class SimKDStudent(nn.Module):
    """A student whose final map is projected into the teacher's, averaged, and read by the teacher's frozen head."""

    def __init__(self, inner: nn.Module, reduction: int, setting: Setting) -> None:
        super().__init__()
        assert setting.student.final is not None
        assert setting.teacher is not None
        assert setting.teacher.final is not None
        assert setting.teacher_head is not None
        retire_head(inner)
        channels, *self.sides = setting.teacher.final
        narrow = max(1, channels // reduction)
        self.inner = inner
        self.projector = nn.Sequential(
            *conv_bn(setting.student.final[0], narrow), *conv_bn(narrow, narrow, kernel=3), *conv_bn(narrow, channels)
        )
        self.classifier = FrozenHead(setting.teacher_head)
        sides = [min(pair) for pair in zip(setting.student.final[1:], self.sides, strict=True)]
        self.shapes = replace(
            setting.student,
            num_classes=setting.num_classes,
            pooled=channels,
            final=(channels, sides[0], sides[1]),
            pooled_is_mean=True,
            final_classifies=False,
            final_is_signed=False,
        )

    def forward(self, image: Tensor, needs: Needs) -> Signals:
        """(B, 3, H, W) -> what `needs` asks for; `Signals.final` is the projected map."""
        asked = replace(needs, logits=False, pooled=False, head=False)
        signals = self.inner(image, asked | Needs(final=True))
        assert signals.final is not None
        height, width = (min(pair) for pair in zip(signals.final.shape[2:], self.sides, strict=True))
        final = self.projector(F.adaptive_avg_pool2d(raised(signals.final), (height, width)))
        pooled = raised(final).mean((2, 3))
        logits = self.classifier(pooled) if needs.logits else None
        return replace(signals, logits=logits, pooled=pooled, final=final, head=self.head()).only(needs)

    def head(self) -> Head:
        """The teacher's head."""
        return self.classifier.head


@full_precision
def map_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of maps (B, C, H, W) and (B, C, H', W'), the larger average-pooled to the smaller."""
    return F.mse_loss(*match_sides(student, teacher))


@METHODS.register("simkd", paper="arXiv:2203.14001")
class SimKD(Method):
    """SimKD (Chen et al., arXiv:2203.14001): only imitate the teacher's final map, and deploy the teacher's classifier.

    The student's final map (B, C_s, H, W) passes a projector 1x1, 3x3, 1x1 (each with batch norm and ReLU; C_t /
    `reduction` channels inside) to C_t channels; the loss is the mean squared difference from the teacher's final map.
    There is no cross-entropy. Deployed: student, projector, and the teacher's frozen head on the projected map's mean.

    Defaults: weight 1, reduction 2: the authors'. Departures: a student's map larger than the teacher's is pooled to
    its sides before the projector, by adaptive pooling, as theirs; a teacher's larger map is pooled in the loss.
    Teachers whose embedding is not the mean of their final map are refused: the head could not read it. So are those
    whose final map ends in a norm, as Swin's and the mixers': the projector ends in a ReLU and never goes below 0.
    """

    weight: float = Field(1.0, ge=0)
    reduction: int = Field(2, ge=1)

    student_needs = Needs(final=True)
    teacher_needs = Needs(final=True)
    deploys_more = True
    replaces_classifier = True
    term_names = ("simkd",)

    def problems(self, setting: Setting) -> list[str]:
        found = no_teacher(setting, self.name) + other_classes(setting, self.name)
        unreadable = not_mean_pooled(setting.teacher, "teacher", self.name)
        found += unreadable
        if setting.teacher is not None and setting.teacher.final_is_signed and not unreadable:
            found.append(
                f"{self.name}: its projector ends in a ReLU and cannot follow the teacher's final map, which goes "
                "below 0 (it ends in a norm, not in an activation); choose another teacher, or copy_head+kd"
            )
        if setting.student.final is None:
            found.append(f"{self.name}: projects the student's final map, but this student has none")
        return found

    def reshape_student(self, model: nn.Module, setting: Setting) -> nn.Module:
        return SimKDStudent(model, self.reduction, setting)

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.final is not None
        assert lesson.teacher.final is not None
        return {"simkd": self.weight * map_mse(student.final, lesson.teacher.final)}
