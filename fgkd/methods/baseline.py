"""Methods without a teacher: plain and smoothed cross-entropy, and the teacher-free regulariser."""

from __future__ import annotations

from pydantic import Field

from fgkd.methods.base import METHODS, LossTerms, Method, cross_entropy
from fgkd.signals import Lesson, Signals


@METHODS.register("scratch")
class Scratch(Method):
    """Cross-entropy of the logits (B, K) with the labels (B,), mean over the batch: the student without help.

    Defaults: none. Departures: none (no paper).
    """

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        return {"ce": cross_entropy(student, lesson)}


@METHODS.register("label_smoothing", paper="arXiv:1512.00567")
class LabelSmoothing(Method):
    """Cross-entropy with smoothed labels (Szegedy et al., arXiv:1512.00567, section 7).

    The target of a sample (logits (B, K), label y) is ``1 - smoothing + smoothing / K`` at y, ``smoothing / K`` elsewhere.

    Defaults: smoothing 0.1, the paper's. Departures: none.
    """

    smoothing: float = Field(0.1, ge=0, lt=1)

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        return {"ce": cross_entropy(student, lesson, label_smoothing=self.smoothing)}
