"""Methods in two stages: first the features alone are brought near the teacher's, then the student learns to classify.

The first stage is a share of the training, see `schedule.in_first_stage`: 30 epochs, or 30/240 of a shorter training;
all 240 would leave no second stage, and are refused. Published, the 30 come on top, with an optimiser of their own;
here one optimiser and one schedule serve both, so that no method trains longer than the others. A term that rests is
a constant 0, so what only it would train is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fgkd.methods.adapters import BatchNorm
from fgkd.methods.base import METHODS, LossTerms, Objective, Setting, cross_entropy
from fgkd.methods.feature import attention_map, hint_loss
from fgkd.methods.maps import (
    MapMethod,
    ShapePair,
    Stage,
    StageMethod,
    map_pairs,
    match_sides,
    per_stage,
    stage_pairs,
    sum_of,
)
from fgkd.methods.numerics import full_precision
from fgkd.methods.schedule import RECIPE_EPOCHS, in_first_stage
from fgkd.signals import Lesson, Needs, Progress, Signals


def resting(student: Signals) -> Tensor:
    """A term of another stage: 0, without a gradient."""
    assert student.logits is not None
    return student.logits.new_zeros(())


@full_precision
def boundary_loss(student: Tensor, teacher: Tensor, *, margin: float = 1.0) -> Tensor:
    """Squared hinge on the wrong side of the teacher's activation boundary.

    A neuron that is on in the teacher (> 0) should exceed `margin` in the student, one that is off be below -`margin`.

    Args:
        student: (B, C, H, W), signed, before any ReLU.
        teacher: (B, C, H', W'); whether it is on is all that matters. The larger map is pooled to the smaller: a
            teacher's cell is then on where more than half of what it covers is.
        margin: > 0.

    Returns:
        Scalar: sum over a map, mean over the batch.

    Example:
        >>> teacher = torch.tensor([2.0, 2.0, -2.0]).reshape(1, 3, 1, 1)
        >>> boundary_loss(torch.tensor([0.0, 3.0, 0.5]).reshape(1, 3, 1, 1), teacher).item()  # 1 + 0 + 1.5^2
        3.25
    """
    student, share_on = match_sides(student, (teacher > 0).to(student.dtype))
    short = torch.where(share_on > 0.5, margin - student, margin + student).clamp(min=0)
    return short.pow(2).sum() / len(student)


def boundary_losses(pairs: Sequence[tuple[Tensor, Tensor]], *, margin: float = 1.0) -> Tensor:
    """`boundary_loss` over L stages, earliest first, weighted 2^(i-L+1) and by 3/1000 as RepDistiller does. Scalar."""
    last = len(pairs) - 1
    losses = (2.0 ** (i - last) * boundary_loss(*pair, margin=margin) for i, pair in enumerate(pairs))
    return sum_of(losses) * 3 / 1000


@METHODS.register("ab", paper="arXiv:1811.03233")
class ActivationBoundary(StageMethod):
    """First stage: the student's activation boundaries follow the teacher's (`boundary_loss`). Then cross-entropy.

    Defaults: weight 1, margin 1, 30 epochs, RepDistiller. As published the loss sums over a map, so it grows with it.
    Departures: the signals are stage ends, often after a ReLU, where the paper reads maps before it; "on" is the same
    there. Of maps of unequal sides, which the paper does not have, the larger is pooled, a teacher's by the majority of
    its cells. The student's side always gets a connector (1x1 convolution, batch norm), not only where widths differ.
    The first stage is within the epochs, not before them, and takes 30/240 of a training shorter than 240.
    """

    ab_weight: float = Field(1.0, ge=0)
    margin: float = Field(1.0, gt=0)
    init_epochs: float = Field(30.0, ge=0, lt=RECIPE_EPOCHS)

    def build(self, setting: Setting) -> Objective:
        """One connector per stage."""
        return _ABObjective(self, stage_pairs(setting, self.stages))


class _ABObjective(Objective):
    def __init__(self, method: ActivationBoundary, pairs: Mapping[int, ShapePair]) -> None:
        super().__init__()
        self.method = method
        self.connectors = per_stage({stage: _connector(s[0], t[0]) for stage, (s, t) in pairs.items()})

    def asks(self, declared: Needs, progress: Progress) -> Needs:
        return declared if in_first_stage(progress, self.method.init_epochs) else Needs()

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        method = self.method
        if not in_first_stage(lesson.progress, method.init_epochs):
            return {"ce": method.ce_weight * cross_entropy(student, lesson), "ab": resting(student)}
        pairs = map_pairs(student, lesson, method.stages).items()
        hidden = [(self.connectors[str(stage)](mine), theirs) for stage, (mine, theirs) in pairs]
        return {"ce": resting(student), "ab": method.ab_weight * boundary_losses(hidden, margin=method.margin)}


def _connector(channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, out_channels, 1, bias=False), BatchNorm(out_channels))


@full_precision
def flow(earlier: Tensor, later: Tensor) -> Tensor:
    """Flow of solution procedure: the products of the channels of two maps, mean over positions.

    Args:
        earlier: (B, C, H, W).
        later: (B, D, H', W'); the larger map is pooled to the smaller.

    Returns:
        (B, C, D).

    Example:
        >>> flow(torch.ones(1, 1, 4, 4), torch.full((1, 2, 2, 2), 3.0)).tolist()
        [[[3.0, 3.0]]]
    """
    earlier, later = (x.flatten(2) for x in match_sides(earlier, later))
    return earlier @ later.transpose(1, 2) / earlier.shape[2]


def flow_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Mean squared difference of the flows between consecutive stages, summed over the pairs of stages.

    Args:
        student, teacher: at least two maps (B, C, H, W) each, earliest first; equal channels stage by stage, any sides.

    Returns:
        Scalar.
    """
    return sum_of(F.mse_loss(flow(*s), flow(*t)) for s, t in zip(pairwise(student), pairwise(teacher), strict=True))


@METHODS.register("fsp", paper="doi:10.1109/CVPR.2017.754")
class FlowOfSolution(StageMethod):
    """First stage: channel products of consecutive stages follow the teacher's, by `flow_loss`. Then cross-entropy.

    Defaults: weight 1, 30 epochs, RepDistiller. (The 50 of its scripts multiplies nothing: its first stage is the plain
    sum of the flows, and its second has no other loss than the cross-entropy.)
    Departures: the first stage is within the epochs, not before them, and takes 30/240 of a training shorter than 240;
    the published form needs equal channels; where they differ, a 1x1 convolution brings the student's map to the
    teacher's width, unless `project` is off, which refuses such pairs.
    """

    fsp_weight: float = Field(1.0, ge=0)
    init_epochs: float = Field(30.0, ge=0, lt=RECIPE_EPOCHS)
    project: bool = True

    def problems(self, setting: Setting) -> list[str]:
        """Also: fewer than two stages in common; unequal channels without `project`."""
        if found := super().problems(setting):
            return found
        pairs = stage_pairs(setting, self.stages)
        if len(pairs) < 2:
            found.append(f"fsp: expected two stages in both networks, found {sorted(pairs)}; set `stages`")
        unequal = {stage: (s[0], t[0]) for stage, (s, t) in pairs.items() if s[0] != t[0]}
        if unequal and not self.project:
            found.append(
                "fsp: expected equal channels of student and teacher, found "
                + ", ".join(f"{s} and {t} at stage {stage}" for stage, (s, t) in unequal.items())
                + "; set `project: true`"
            )
        return found

    def build(self, setting: Setting) -> Objective:
        """One projection per stage of unequal channels."""
        return _FSPObjective(self, stage_pairs(setting, self.stages))


class _FSPObjective(Objective):
    def __init__(self, method: FlowOfSolution, pairs: Mapping[int, ShapePair]) -> None:
        super().__init__()
        self.method = method
        fit = lambda a, b: nn.Identity() if a == b else nn.Conv2d(a, b, 1, bias=False)
        self.projections = per_stage({stage: fit(s[0], t[0]) for stage, (s, t) in pairs.items()})

    def asks(self, declared: Needs, progress: Progress) -> Needs:
        return declared if in_first_stage(progress, self.method.init_epochs) else Needs()

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        method = self.method
        if not in_first_stage(lesson.progress, method.init_epochs):
            return {"ce": method.ce_weight * cross_entropy(student, lesson), "fsp": resting(student)}
        pairs = map_pairs(student, lesson, method.stages)
        mine = [self.projections[str(stage)](s) for stage, (s, _) in pairs.items()]
        theirs = [t for _, t in pairs.values()]
        return {"ce": resting(student), "fsp": method.fsp_weight * flow_loss(mine, theirs)}


@full_precision
def factor_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of the factors' attention maps, see `feature.attention_map`.

    Args:
        student: (B, C, H, W).
        teacher: (B, D, H', W'); the larger map is pooled to the smaller.

    Returns:
        Scalar, mean over batch and positions.

    Example:
        >>> a = torch.tensor([[[[1.0, 0.0]]]])
        >>> factor_loss(a, a.flip(3)).item()
        1.0
    """
    student, teacher = match_sides(student, teacher)
    return (attention_map(student) - attention_map(teacher)).abs().mean()


class Paraphraser(nn.Module):
    """An autoencoder of the teacher's map; its code are the teacher's factors.

    Args:
        channels: C of the teacher's map.
        factors: F, channels of the code.
    """

    def __init__(self, channels: int, factors: int) -> None:
        super().__init__()
        layers = lambda conv, *widths: [m for a, b in pairwise(widths) for m in (conv(a, b, 3, padding=1), _leaky())]
        self.encoder = nn.Sequential(*layers(nn.Conv2d, channels, channels, factors, factors))
        self.decoder = nn.Sequential(*layers(nn.ConvTranspose2d, factors, factors, channels, channels))

    def forward(self, teacher: Tensor) -> Tensor:
        """(B, C, H, W) -> scalar, mean squared error of the reconstruction."""
        return hint_loss(self.decoder(self.encoder(teacher)), teacher)


def translator(channels: int, factors: int) -> nn.Sequential:
    """Three 3x3 convolutions from the student's map to its factors: (B, C, H, W) -> (B, F, H, W)."""
    block = lambda a, b: [nn.Conv2d(a, b, 3, padding=1), BatchNorm(b), _leaky()]
    return nn.Sequential(*block(channels, channels), *block(channels, factors), *block(factors, factors))


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.1)


@METHODS.register("ft", paper="arXiv:1802.04977")
class FactorTransfer(MapMethod):
    """First stage: a paraphraser learns to code the teacher's map. Then the student follows that code (`factor_loss`).

    Defaults: weight 200, code of half the teacher's channels, 30 epochs, the last map; RepDistiller.
    Departures: the paraphraser takes the learner's optimiser (published: lr 0.01), and the student learns from labels
    meanwhile, where the published student waits; so all epochs of a fixed number serve the student. The first stage
    takes 30/240 of a training shorter than 240 epochs.
    """

    term_names: ClassVar[tuple[str, ...]] = ("ce", "ft_paraphraser", "ft")
    ft_weight: float = Field(200.0, ge=0)
    paraphraser_weight: float = Field(1.0, gt=0)
    factor_share: float = Field(0.5, gt=0, le=1)
    init_epochs: float = Field(30.0, ge=0, lt=RECIPE_EPOCHS)
    stage: Stage = -1

    @property
    def compared(self) -> tuple[int, ...]:
        """The one stage."""
        return (self.stage,)

    def build(self, setting: Setting) -> Objective:
        """Paraphraser and translator."""
        student, teacher = stage_pairs(setting, self.compared)[self.stage]
        return _FTObjective(self, student[0], teacher[0])


class _FTObjective(Objective):
    def __init__(self, method: FactorTransfer, channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.method = method
        factors = max(1, int(teacher_channels * method.factor_share))
        self.paraphraser = Paraphraser(teacher_channels, factors)
        self.translator = translator(channels, factors)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        method, stage = self.method, self.method.stage
        ce = method.ce_weight * cross_entropy(student, lesson)
        teacher, rest = lesson.teacher.stages[stage], resting(student)
        if in_first_stage(lesson.progress, method.init_epochs):
            return {"ce": ce, "ft_paraphraser": method.paraphraser_weight * self.paraphraser(teacher), "ft": rest}
        with torch.no_grad():  # the teacher's factors are fixed from here on
            factors = self.paraphraser.encoder(teacher)
        ft = factor_loss(self.translator(student.stages[stage]), factors)
        return {"ce": ce, "ft_paraphraser": rest, "ft": method.ft_weight * ft}
