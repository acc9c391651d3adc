"""Curriculum temperature: a temperature that learns to make the student's task harder."""

from __future__ import annotations

import math
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from fgkd.methods.base import METHODS, LossTerms, Objective, Setting, cross_entropy
from fgkd.methods.logit import LogitMethod, kd_loss, standardize_logits
from fgkd.methods.numerics import raised
from fgkd.methods.schedule import carried_over
from fgkd.signals import Lesson, Progress, Signals


class ScaledGradient(torch.autograd.Function):
    """The identity, with its gradient multiplied by a constant (negative: reversed)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.scale * grads[0], None


class CurriculumObjective(Objective):
    """KD at a learned temperature."""

    def __init__(self, method: CTKD) -> None:
        super().__init__()
        self.method = method
        self.theta = nn.Parameter(torch.ones(()))

    def temperature(self, progress: Progress) -> Tensor:
        """start + span * sigmoid(theta); its gradient is reversed little by little."""
        theta = ScaledGradient.apply(self.theta, self.method.reversal(progress))
        return self.method.temperature_start + self.method.temperature_span * torch.sigmoid(theta)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        assert student.logits is not None
        assert lesson.teacher.logits is not None
        pair = (student.logits, lesson.teacher.logits)
        if self.method.standardize:
            pair = (standardize_logits(raised(pair[0])), standardize_logits(raised(pair[1])))
        loss = kd_loss(*pair, temperature=self.temperature(lesson.progress)).mean()
        return {
            "ce": self.method.ce_weight * cross_entropy(student, lesson),
            "ctkd": self.method.kd_weight * loss,
        }

    def diagnostics(self, student: Any = None) -> dict[str, float]:
        with torch.no_grad():
            return {"ctkd_temperature": float(self.temperature(Progress(0, 1, 1)))}


@METHODS.register("ctkd", paper="arXiv:2211.16231")
class CTKD(LogitMethod):
    """Curriculum temperature (Li et al., arXiv:2211.16231, its global temperature), on logits (B, K).

    The loss of ``kd`` (T^2 included) at ``T = temperature_start + temperature_span * sigmoid(theta)``. theta climbs the
    loss: its gradient is multiplied by a factor that falls from 0 to -1 on a cosine over `curriculum_epochs`.

    Defaults: ce_weight 0.1, kd_weight 0.9, temperature_start 1, temperature_span 20, theta 1 at first,
    curriculum_epochs 10 (of 240): the authors' on CIFAR-100; 5 epochs on ImageNet.
    Departures: the factor moves with every step, not every epoch, and its course shrinks in shorter trainings. theta is
    not decayed where the recipe spares vectors. The instance-wise temperature of the paper is left out.
    """

    ce_weight: float = Field(0.1, ge=0)
    kd_weight: float = Field(0.9, ge=0)
    temperature_start: float = Field(1.0, gt=0)
    temperature_span: float = Field(20.0, ge=0)
    curriculum_epochs: float = Field(10.0, ge=0)

    def reversal(self, progress: Progress) -> float:
        """What the gradient of theta is multiplied by, from 0 to -1."""
        length = carried_over(self.curriculum_epochs, progress)
        done = min(progress.epoch / length, 1.0) if length else 1.0
        return (math.cos(math.pi * done) - 1) / 2

    def build(self, setting: Setting) -> Objective:
        return CurriculumObjective(self)
