"""Methods without a teacher: plain and smoothed cross-entropy, and the teacher-free regulariser."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from fgkd.methods.base import METHODS, LossTerms, Method, Setting, cross_entropy
from fgkd.methods.numerics import full_precision
from fgkd.signals import Lesson, Signals


@METHODS.register("scratch")
class Scratch(Method):
    """Cross-entropy of the logits (B, K) with the labels (B,), mean over the batch: the student without help.

    Defaults: none. Departures: none (no paper).
    """

    term_names = ("ce",)
    takes_mixed_labels = True

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        return {"ce": cross_entropy(student, lesson)}


@METHODS.register("label_smoothing", paper="arXiv:1512.00567")
class LabelSmoothing(Method):
    """Cross-entropy with smoothed labels (Szegedy et al., arXiv:1512.00567, section 7).

    The target of a sample (logits (B, K), label y) is ``1 - smoothing + smoothing / K`` at y and ``smoothing / K``
    elsewhere; mean over the batch.

    Defaults: smoothing 0.1, the paper's. Departures: none.
    """

    smoothing: float = Field(0.1, ge=0, lt=1)

    term_names = ("ce",)
    takes_mixed_labels = True

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        return {"ce": cross_entropy(student, lesson, label_smoothing=self.smoothing)}


@full_precision
def virtual_teacher_loss(student: Tensor, target: Tensor, *, confidence: float, temperature: float) -> Tensor:
    """KL(softmax(p / T) || softmax(student)), with p the virtual teacher's probabilities.

    p is `confidence` at the label and shares the rest evenly among the other classes.

    Args:
        student: logits (B, K), K >= 2.
        target: (B,).
        temperature: T > 0.

    Returns:
        Batch mean.
    """
    num_classes = student.shape[1]
    virtual = torch.full_like(student, (1 - confidence) / (num_classes - 1))
    virtual = virtual.scatter(1, target[:, None], confidence)
    return F.kl_div(F.log_softmax(student, dim=1), F.softmax(virtual / temperature, dim=1), reduction="batchmean")


@METHODS.register("tf_kd", paper="arXiv:1909.11723")
class TeacherFree(Method):
    """Teacher-free KD by regularisation, the virtual-teacher form (Yuan et al., arXiv:1909.11723, section 5).

    ``(1 - alpha) CE + alpha KL(teacher || student)`` on logits (B, K), batch mean, where the teacher is made by hand:
    probability `confidence` for the label, the rest shared evenly, softened as in `virtual_teacher_loss`.

    Defaults: alpha 0.1, temperature 20, confidence 0.99, the released ResNet-18 setting; both alpha (0.1 to 0.95) and
    temperature (20 to 40) are chosen per network there.

    Departures: the paper writes the student's probabilities at the same temperature; like the released code, this
    leaves the student at temperature 1. The KL is a sum over classes (the code takes the mean over classes times a
    multiplier, which is 100 for its 100 classes). The self-training form of the paper is ``kd`` from a teacher of the
    student's own architecture.
    """

    alpha: float = Field(0.1, ge=0, le=1)
    temperature: float = Field(20.0, gt=0)
    confidence: float = Field(0.99, gt=0, lt=1)

    def problems(self, setting: Setting) -> list[str]:
        if setting.num_classes >= 2:
            return []
        return [f"{self.name}: shares probability among the other classes, but there is one class only"]

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.logits is not None
        loss = virtual_teacher_loss(
            student.logits, lesson.target, confidence=self.confidence, temperature=self.temperature
        )
        return {"ce": (1 - self.alpha) * cross_entropy(student, lesson), "tf_kd": self.alpha * loss}
