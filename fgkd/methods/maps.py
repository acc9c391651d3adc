"""What the methods on stage maps share: which stages both networks have, and equal sides.

Shapes: B batch, C channels, H W sides; a map's shape without the batch axis is (C, H, W).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fgkd.methods.base import Method, Setting
from fgkd.methods.checks import no_teacher
from fgkd.signals import Lesson, Needs, Signals

Stage = Literal[-4, -3, -2, -1]
Shape = tuple[int, int, int]
ShapePair = tuple[Shape, Shape]  # student's, teacher's


def match_sides(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool the larger of two maps to the sides of the smaller, each axis for itself.

    Args:
        student: (B, C, H, W).
        teacher: (B, D, H', W').

    Returns:
        Both maps, with sides (min(H, H'), min(W, W')).

    Example:
        >>> a, b = match_sides(torch.ones(1, 2, 8, 8), torch.ones(1, 3, 7, 9))
        >>> a.shape[2:], b.shape[2:]
        (torch.Size([7, 8]), torch.Size([7, 8]))
    """
    height, width = (min(a, b) for a, b in zip(student.shape[2:], teacher.shape[2:], strict=True))
    return _pool(student, (height, width)), _pool(teacher, (height, width))


def _pool(x: Tensor, sides: tuple[int, int]) -> Tensor:
    return x if x.shape[2:] == sides else F.adaptive_avg_pool2d(x, sides)


def stage_pairs(setting: Setting, wanted: Sequence[int]) -> dict[int, ShapePair]:
    """Stage -> (student's shape, teacher's shape), for the stages that both have, earliest first."""
    assert setting.teacher is not None, "problems() lets no setting without a teacher through"
    student, teacher = setting.student.stages, setting.teacher.stages
    common = sorted(stage for stage in set(wanted) if stage in student and stage in teacher)
    return {stage: (student[stage], teacher[stage]) for stage in common}


def map_pairs(student: Signals, lesson: Lesson, stages: Sequence[int]) -> dict[int, tuple[Tensor, Tensor]]:
    """Stage -> (student's map, teacher's map), for those of `stages` that both gave, earliest first."""
    mine, theirs = student.stages, lesson.teacher.stages
    return {stage: (mine[stage], theirs[stage]) for stage in sorted(set(stages)) if stage in mine and stage in theirs}


def sum_of(values: Iterable[Tensor]) -> Tensor:
    """The sum of at least one scalar."""
    return torch.stack(list(values)).sum()


def per_stage(modules: Mapping[int, nn.Module]) -> nn.ModuleDict:
    """A ModuleDict, whose keys must be strings, from stages."""
    return nn.ModuleDict({str(stage): module for stage, module in modules.items()})


class MapMethod(Method):
    """A method that compares maps of stages; a subclass says of which through `compared`."""

    ce_weight: float = Field(1.0, ge=0)

    @property
    def compared(self) -> tuple[int, ...]:
        """The stages to compare; those that one of the networks lacks are left out."""
        raise NotImplementedError

    @property
    def student_needs(self) -> Needs:  # type: ignore[override]
        """Logits for the cross-entropy, and the maps."""
        return Needs(logits=True, stages=frozenset(self.compared))

    @property
    def teacher_needs(self) -> Needs:  # type: ignore[override]
        """The maps alone."""
        return Needs(stages=frozenset(self.compared))

    def problems(self, setting: Setting) -> list[str]:
        """No teacher, or no stage in common."""
        if setting.teacher is None or stage_pairs(setting, self.compared):
            return no_teacher(setting, self.name)
        return [
            f"{self.name}: expected both networks to have one of the stages {sorted(self.compared)}, found "
            f"{sorted(setting.student.stages)} in the student and {sorted(setting.teacher.stages)} in the teacher; "
            "name others in the method's parameters"
        ]


class StageMethod(MapMethod):
    """A `MapMethod` over several stages, all four unless told."""

    stages: tuple[Stage, ...] = Field((-4, -3, -2, -1), min_length=1)

    @property
    def compared(self) -> tuple[int, ...]:
        """The parameter `stages`."""
        return self.stages
