"""letKD: layers in the student look up semantic vectors by templates; the teacher says which template matches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from fgkd.errors import UserError
from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, Survey, cross_entropy
from fgkd.methods.checks import no_teacher
from fgkd.methods.clusters import decision_matrix, kmeans, kmeans_by_class, lda, list_cells, own_sub_class, sample_cells
from fgkd.methods.maps import Stage
from fgkd.methods.numerics import full_precision
from fgkd.methods.semantic import INTERMEDIATE, PENULTIMATE, BeforePooling, Inserted, SemanticLayer
from fgkd.signals import Lesson, Needs, Signals

CELLS_PER_CENTRE = 10


@full_precision
def soft_assignment(points: Tensor, centres: Tensor, *, sharpness: float = 1.0) -> Tensor:
    """softmax over centres of -sharpness * squared distance: (P, D), (K, D) -> (P, K).

    Example:
        >>> import torch
        >>> soft_assignment(torch.tensor([[0.0]]), torch.tensor([[0.0], [100.0]])).tolist()
        [[1.0, 0.0]]
    """
    closeness = 2 * points @ centres.T - centres.square().sum(1)  # |point|^2 is the same for all centres
    return F.softmax(sharpness * closeness, dim=1)


@full_precision
def matching_loss(scores: Tensor, target: Tensor) -> Tensor:
    """KL(target || softmax(scores)), mean over cells.

    Args:
        scores: (B, K, H, W).
        target: (B*H*W, K), distributions, cells in the order of `clusters.list_cells`.

    Returns:
        Scalar.

    Example:
        >>> import torch
        >>> matching_loss(torch.zeros(1, 2, 1, 1), torch.tensor([[1.0, 0.0]])).item()  # log 2
        0.693...
    """
    log_p = F.log_softmax(scores.movedim(1, -1).flatten(0, 2), dim=1)
    return F.kl_div(log_p, target, reduction="batchmean")


@METHODS.register("letkd", paper="BMVC 2023: Gorgun, Gurbuz, Alatan")
class LetKD(Method):
    """The student gets layers that stay when it is deployed; the teacher teaches which template matches each cell.

    Penultimate layer, on the map before pooling: targets are soft assignments of the teacher's cells to `clusters`
    centres (k-means). Intermediate layer: `sub_classes` centres within every class, in the discriminant space of the
    teacher's cells; the target is a row of the matrix "sub-class -> sub-class decided for", that of the nearest centre
    of the true class. Both: `matching_loss` over the cells of the student's grid, to which the teacher's map is pooled.

    Defaults: weights 1, 4096 centres, 8 per class, sharpness 1, 60 discriminants (CIFAR-100; 8 on CIFAR-10), alpha 1
    (ResNet-50 -> MobileNetV2: penultimate 0.1, intermediate 0.2), as published.
    Departures: the published intermediate layer sits after the first block of the last stage, here at the end of
    `stage`, by default the stage before. The published clusters are of features before the last ReLU, here of the final
    map, which in ResNets comes after it. The fits see at most `cells` random cells, and there is at most one centre per
    10 cells of the training split.
    """

    penultimate: bool = True
    intermediate: bool = True
    ce_weight: float = Field(1.0, ge=0)
    penultimate_weight: float = Field(1.0, ge=0)
    intermediate_weight: float = Field(1.0, ge=0)
    alpha_penultimate: float = Field(1.0, ge=0)
    alpha_intermediate: float = Field(1.0, ge=0)
    clusters: int = Field(4096, ge=2)
    sharpness: float = Field(1.0, gt=0)
    sub_classes: int = Field(8, ge=1)
    discriminants: int = Field(60, ge=1)
    stage: Stage = -2
    cells: int = Field(160_000, ge=100)

    @model_validator(mode="after")
    def _some_layer(self) -> Self:
        if not (self.penultimate or self.intermediate):
            raise ValueError("expected `penultimate` or `intermediate` to be on, found both off")
        return self

    @property
    def term_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One term for each layer that is on."""
        named = {"letkd_penultimate": self.penultimate, "letkd_intermediate": self.intermediate}
        return ("ce", *(name for name, on in named.items() if on))

    @property
    def deploys_more(self) -> bool:  # type: ignore[override]
        """Always: the layers stay."""
        return True

    @property
    def teacher_needs(self) -> Needs:  # type: ignore[override]
        """The maps that the targets come from."""
        return Needs(final=self.penultimate, stages=frozenset({self.stage} if self.intermediate else ()))

    def problems(self, setting: Setting) -> list[str]:
        """No teacher, or a network without the maps that the layers need."""
        found, student, teacher = no_teacher(setting, self.name), setting.student, setting.teacher
        if self.penultimate and not (student.final and student.final_classifies):
            found.append(
                "letkd: the penultimate layer needs a student that classifies from its final map alone, this one reads "
                "something else (a class token, a second branch); set `penultimate: false`"
            )
        if self.penultimate and teacher and not teacher.final:
            found.append("letkd: the teacher has no final map to cluster; set `penultimate: false`")
        for name, shapes in {"student": student, "teacher": teacher}.items():
            if self.intermediate and shapes and self.stage not in shapes.stages:
                have = sorted(shapes.stages)
                found.append(f"letkd: expected stage {self.stage} in the {name}, found {have}; set `stage`")
        return found

    def reshape_student(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Put the layers in.

        Raises:
            UserError: `model` takes none.
        """
        shapes = setting.student
        for on, hook in ((self.intermediate, "insert"), (self.penultimate, "classify")):
            if on and not hasattr(model, hook):
                raise UserError(
                    f"letkd: expected a network with `{hook}`, found {type(model).__name__}; put letkd first"
                )
        if self.intermediate:
            templates = self.sub_classes * setting.num_classes
            layer = SemanticLayer(shapes.stages[self.stage][0], templates, self.alpha_intermediate)
            model.insert(self.stage, Inserted(layer, INTERMEDIATE))  # type: ignore[operator]
        if self.penultimate:
            assert shapes.final is not None
            layer = SemanticLayer(shapes.final[0], self.num_centres(setting), self.alpha_penultimate)
            return BeforePooling(model, layer, shapes)
        return model

    def build(self, setting: Setting) -> Objective:
        """What the targets are read from, fitted once per teacher and data."""
        return LetKDObjective(
            self,
            self.fit_penultimate(setting) if self.penultimate else {},
            self.fit_intermediate(setting) if self.intermediate else {},
        )

    def num_centres(self, setting: Setting) -> int:
        """`clusters`, or fewer where the training split is small."""
        assert setting.student.final is not None
        _, height, width = setting.student.final
        seen = min(self.cells, len(setting.train_targets) * height * width)
        return max(2, min(self.clusters, seen // CELLS_PER_CENTRE))

    def fit_penultimate(self, setting: Setting) -> dict[str, Tensor]:
        """``centres`` (K, D) of the teacher's final cells."""
        assert setting.student.final is not None
        sides, count = setting.student.final[1:], self.num_centres(setting)

        def fit() -> dict[str, Tensor]:
            points, _ = self._sample(setting, None, sides)
            return {"centres": kmeans(points, count, seed=0)}

        return _survey(setting).fitted(f"letkd penultimate {count} {sides} {self.cells}", fit)

    def fit_intermediate(self, setting: Setting) -> dict[str, Tensor]:
        """``mean`` (D,), ``directions`` (D, M), ``sub_centres`` (S, M) and ``decisions`` (S, S) of S sub-classes."""
        sides, count, classes = setting.student.stages[self.stage][1:], self.sub_classes, setting.num_classes

        def fit() -> dict[str, Tensor]:
            points, labels = self._sample(setting, self.stage, sides)
            mean, directions = lda(points, labels, min(self.discriminants, classes - 1, points.shape[1]))
            points = project(points, mean, directions)
            centres = kmeans_by_class(points, labels, classes, count, seed=0)
            decisions = decision_matrix(points, labels, centres, count)
            return {"mean": mean, "directions": directions, "sub_centres": centres, "decisions": decisions}

        key = f"letkd intermediate {self.stage} {count} {sides} {self.cells} {self.discriminants}"
        return _survey(setting).fitted(key, fit)

    def _sample(self, setting: Setting, stage: int | None, sides: tuple[int, int]) -> tuple[Tensor, Tensor]:
        share = min(1.0, self.cells / (len(setting.train_targets) * sides[0] * sides[1]))
        return sample_cells(_survey(setting), stage, sides, share=share, seed=0)


def _survey(setting: Setting) -> Survey:
    if setting.survey is None:
        raise UserError("letkd: fits its targets to the teacher's maps of the training split, but was given none")
    return setting.survey


@full_precision
def project(points: Tensor, mean: Tensor, directions: Tensor) -> Tensor:
    """(P, D), (D,), (D, M) -> (P, M)."""
    return (points - mean) @ directions


def sides_of(maps: Tensor) -> tuple[int, int]:
    """(B, C, H, W) -> (H, W)."""
    return maps.shape[2], maps.shape[3]


class LetKDObjective(Objective):
    """Reads the targets off the teacher's maps; what was fitted lies in its buffers.

    Args:
        method: its parameters.
        penultimate: see `LetKD.fit_penultimate`; empty where that layer is off.
        intermediate: see `LetKD.fit_intermediate`; likewise.
    """

    def __init__(self, method: LetKD, penultimate: Mapping[str, Tensor], intermediate: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.method = method
        self.centres: Tensor
        self.mean: Tensor
        self.directions: Tensor
        self.sub_centres: Tensor
        self.decisions: Tensor
        for name, value in {**penultimate, **intermediate}.items():
            self.register_buffer(name, value)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        method = self.method
        terms = {"ce": method.ce_weight * cross_entropy(student, lesson)}
        if method.penultimate:
            terms["letkd_penultimate"] = method.penultimate_weight * self.penultimate_loss(student, lesson)
        if method.intermediate:
            terms["letkd_intermediate"] = method.intermediate_weight * self.intermediate_loss(student, lesson)
        return terms

    def penultimate_loss(self, student: Signals, lesson: Lesson) -> Tensor:
        """Against the soft assignment of the teacher's final cells."""
        scores, maps = student.extras[PENULTIMATE], lesson.teacher.final
        assert maps is not None
        target = soft_assignment(list_cells(maps, sides_of(scores)), self.centres, sharpness=self.method.sharpness)
        return matching_loss(scores, target)

    def intermediate_loss(self, student: Signals, lesson: Lesson) -> Tensor:
        """Against the teacher's decisions at the nearest sub-class of the true class."""
        scores, maps = student.extras[INTERMEDIATE], lesson.teacher.stages[self.method.stage]
        points = project(list_cells(maps, sides_of(scores)), self.mean, self.directions)
        labels = lesson.target.repeat_interleave(scores.shape[2] * scores.shape[3])
        own = own_sub_class(points, labels, self.sub_centres, self.method.sub_classes)
        return matching_loss(scores, self.decisions[own])
