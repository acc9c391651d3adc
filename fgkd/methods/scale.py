"""Scale-decoupled distillation: the class scores of every cell of a grid laid over the final map."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, ValidationError, model_validator
from torch import Tensor

from fgkd.methods.base import METHODS, LossTerms, Setting, cross_entropy
from fgkd.methods.checks import not_mean_pooled
from fgkd.methods.logit import DKD, KD, NKD, LogitMethod
from fgkd.methods.numerics import linear_warmup, raised
from fgkd.methods.schedule import carried_over
from fgkd.signals import Head, Lesson, Needs, Progress, Signals, SignalShapes

BASES: dict[str, type[LogitMethod]] = {"kd": KD, "dkd": DKD, "nkd": NKD}
NOT_OF_BASE = ("ce_weight", "kd_weight", "warmup_epochs", "standardize")  # `sdd` has its own


def cell_logits(final: Tensor, head: Head, scales: tuple[int, ...]) -> Tensor:
    """The linear head on each cell of average-pooled maps.

    Args:
        final: (B, C, H, W), whose mean the head reads.
        scales: sides m of the grids, each at most H and W.

    Returns:
        (sum of m^2, B, K), in the order of `scales`, cells row by row.
    """
    cells = [F.adaptive_avg_pool2d(raised(final), m).flatten(2) for m in scales]
    return raised(head(torch.cat(cells, dim=2).permute(2, 0, 1)))


def complementary(teacher: Tensor, whole: Tensor, target: Tensor) -> Tensor:
    """Where a cell knows better than the whole image or the reverse: exactly one of them is right.

    Args:
        teacher: cells' logits (M, B, K).
        whole: the image's logits (B, K).
        target: (B,).

    Returns:
        (M, B) bool.
    """
    return (teacher.argmax(-1) == target) != (whole.argmax(-1) == target)


@METHODS.register("sdd", paper="arXiv:2403.13512")
class SDD(LogitMethod):
    """Scale-decoupled distillation (Wei, Luo, Luo, arXiv:2403.13512).

    Both nets' linear heads read every cell of their final maps (B, C, H, W) averaged to m x m, for m in `scales`; a
    logit loss (`base`, with `base_params`) compares the cells' logits (B, K). A cell counts `complementary_weight` fold
    where the teacher is right in exactly one of the cell and the whole image, once elsewhere.

    Defaults: base kd, scales (1, 2) for similar architectures ((1, 2, 4) for unlike ones), complementary_weight 2,
    warmup_epochs 30 (linear, of 240), weights 1 and the base's own parameters. The losses of cells are averaged over
    cells and batch (``cells: mean``) except for dkd, where they are summed over cells (``cells: sum``): as released.

    Departures: the whole image's correctness is read from the teacher's logits, scale 1 listed or not.
    The warm-up moves with every step and shrinks in shorter trainings. Grids come from adaptive pooling, so that maps
    of unequal sides have the same cells. ce_weight is 1, the suite's habit; the released KD configuration is not known.
    """

    base: Literal["kd", "dkd", "nkd"] = "kd"
    base_params: dict[str, Any] = {}
    scales: tuple[int, ...] = Field((1, 2), min_length=1)
    cells: Literal["mean", "sum"] = "mean"
    complementary_weight: float = Field(2.0, ge=0)
    warmup_epochs: float = Field(30.0, ge=0)

    student_needs = Needs(logits=True, final=True, head=True)
    teacher_needs = Needs(logits=True, final=True, head=True)

    @model_validator(mode="before")
    @classmethod
    def _resolve_base(cls, value: Any) -> Any:
        """Spell out the base's parameters, and the reduction that its release uses."""
        base = value.get("base", "kd") if isinstance(value, dict) else None
        if not (isinstance(base, str) and base in BASES and isinstance(value.get("base_params", {}), dict)):
            return value  # pydantic tells what is wrong with it
        known = {name: field.default for name, field in BASES[base].model_fields.items() if name not in NOT_OF_BASE}
        given = value.get("base_params", {})
        if strange := sorted(set(given) - set(known)):
            raise ValueError(f"base_params: expected some of {', '.join(known)}, found {', '.join(map(str, strange))}")
        return {"cells": "sum" if base == "dkd" else "mean", **value, "base_params": {**known, **given}}

    @model_validator(mode="after")
    def _check(self) -> SDD:
        if min(self.scales) < 1 or len(set(self.scales)) < len(self.scales):
            raise ValueError(f"scales: expected distinct whole numbers from 1 up, found {self.scales}")
        try:
            _ = self.base_method
        except ValidationError as error:
            details = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ValueError(f"base_params.{details}") from error
        return self

    @property
    def base_method(self) -> LogitMethod:
        """The loss applied to each cell."""
        return BASES[self.base](standardize=self.standardize, **self.base_params)

    def problems(self, setting: Setting) -> list[str]:
        found = super().problems(setting)
        for shapes, whose in ((setting.student, "student"), (setting.teacher, "teacher")):
            found += not_mean_pooled(shapes, whose, self.name) + self._coarse_map(shapes, whose)
        return found

    def _coarse_map(self, shapes: SignalShapes | None, whose: str) -> list[str]:
        if shapes is None or shapes.final is None or min(shapes.final[1:]) >= max(self.scales):
            return []
        side = min(shapes.final[1:])
        return [f"{self.name}.scales: expected at most {side}, the side of the {whose}'s map, found {max(self.scales)}"]

    def warmup(self, progress: Progress) -> float:
        return linear_warmup(progress, carried_over(self.warmup_epochs, progress))

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        ours = cell_logits(*_map_and_head(student), self.scales)
        theirs = cell_logits(*_map_and_head(lesson.teacher), self.scales)
        assert lesson.teacher.logits is not None
        target = lesson.target.expand(len(ours), -1)
        losses = self.base_method.compare(ours.flatten(0, 1), theirs.flatten(0, 1), target.flatten())
        counts_more = complementary(theirs, lesson.teacher.logits, lesson.target)
        weighted = losses.view(target.shape) * torch.where(counts_more, self.complementary_weight, 1.0)
        loss = weighted.mean() if self.cells == "mean" else weighted.sum(0).mean()
        return {
            "ce": self.ce_weight * cross_entropy(student, lesson),
            "sdd": self.kd_weight * self.warmup(lesson.progress) * loss,
        }


def _map_and_head(signals: Signals) -> tuple[Tensor, Head]:
    assert signals.final is not None
    assert signals.head is not None
    return signals.final, signals.head
