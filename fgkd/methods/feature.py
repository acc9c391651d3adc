"""Feature distillation on stage maps: FitNet, attention transfer, variational information, neuron selectivity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fgkd.methods.adapters import BatchNorm
from fgkd.methods.base import METHODS, LossTerms, Objective, Setting, cross_entropy
from fgkd.methods.maps import (
    MapMethod,
    Shape,
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
from fgkd.signals import Lesson, Signals

MAX_KERNEL = 7


@full_precision
def hint_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of two maps of equal channels, after `match_sides`.

    Args:
        student: (B, C, H, W), after the regressor.
        teacher: (B, C, H', W').

    Returns:
        Scalar, mean over all elements.

    Example:
        >>> hint_loss(torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 2.0)).item()
        4.0
    """
    student, teacher = match_sides(student, teacher)
    return F.mse_loss(student, teacher)


def regressor(student: Shape, teacher: Shape, *, relu: bool) -> nn.Sequential:
    """A convolution from the student's hint map to the teacher's, with batch norm.

    Stride 2 where the student's side is twice the teacher's, transposed where it is half of it, else an unpadded
    kernel that shrinks the map by the difference. A kernel beyond 7 costs more than the student: then 1x1, and the
    loss pools.

    Args:
        student, teacher: (C, H, W).
        relu: end in a ReLU.
    """
    (width, *sides), (target_width, *target_sides) = student, teacher
    kernel = [1 + a - b for a, b in zip(sides, target_sides, strict=True)]
    conv: nn.Module
    if sides == [2 * side for side in target_sides]:
        conv = nn.Conv2d(width, target_width, 3, stride=2, padding=1)
    elif target_sides == [2 * side for side in sides]:
        conv = nn.ConvTranspose2d(width, target_width, 4, stride=2, padding=1)
    else:
        size = (kernel[0], kernel[1]) if all(1 <= k <= MAX_KERNEL for k in kernel) else (1, 1)
        conv = nn.Conv2d(width, target_width, size)
    return nn.Sequential(conv, BatchNorm(target_width), *([nn.ReLU()] if relu else []))


@METHODS.register("fitnet", paper="arXiv:1412.6550")
class FitNet(MapMethod):
    """Mean squared difference between one teacher map and the student's behind a trained `regressor` (`hint_loss`).

    Defaults: weight 100 as in RepDistiller's CIFAR-100 script, hint from its "layer 2" (the last but one of the stages
    there, so stage -2 here).
    Departures: the published regressor ends in a ReLU, which cannot reach the negative values in maps of a ViT or a
    ConvNeXt; `relu: true` restores it. The weight was chosen for maps of CIFAR networks.
    """

    fitnet_weight: float = Field(100.0, ge=0)
    stage: Stage = -2
    relu: bool = False

    @property
    def compared(self) -> tuple[int, ...]:
        """The hint stage."""
        return (self.stage,)

    def build(self, setting: Setting) -> Objective:
        """The regressor between the two shapes."""
        return _FitNetObjective(self, *stage_pairs(setting, self.compared)[self.stage])


class _FitNetObjective(Objective):
    def __init__(self, method: FitNet, student: Shape, teacher: Shape) -> None:
        super().__init__()
        self.method = method
        self.regressor = regressor(student, teacher, relu=method.relu)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        stage, method = self.method.stage, self.method
        hint = hint_loss(self.regressor(student.stages[stage]), lesson.teacher.stages[stage])
        return {"ce": method.ce_weight * cross_entropy(student, lesson), "fitnet": method.fitnet_weight * hint}


@full_precision
def attention_map(x: Tensor) -> Tensor:
    """Where a map is active: channel mean of squares, l2-normalised over positions. (B, C, H, W) -> (B, H*W)."""
    return F.normalize(x.pow(2).mean(1).flatten(1))


@full_precision
def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of two attention maps, the larger map pooled to the smaller first.

    Args:
        student: (B, C, H, W).
        teacher: (B, D, H', W').

    Returns:
        Scalar, mean over batch and positions.

    Example:
        >>> a = torch.tensor([[[[1.0, 0.0]]]])
        >>> attention_loss(a, a.flip(3)).item()
        1.0
    """
    student, teacher = match_sides(student, teacher)
    return (attention_map(student) - attention_map(teacher)).pow(2).mean()


@METHODS.register("at", paper="arXiv:1612.03928")
class AttentionTransfer(StageMethod):
    """Where each stage is active, student against teacher (`attention_loss`), summed over stages.

    Defaults: weight 1000, RepDistiller's CIFAR-100 script.
    Departures: none, but four stages where its CIFAR networks have three.
    """

    at_weight: float = Field(1000.0, ge=0)

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        """Cross-entropy and attention transfer."""
        at = sum_of(attention_loss(*pair) for pair in map_pairs(student, lesson, self.stages).values())
        return {"ce": self.ce_weight * cross_entropy(student, lesson), "at": self.at_weight * at}


@full_precision
def selectivity_loss(student: Tensor, teacher: Tensor, *, channel_chunk: int = 256) -> Tensor:
    """Squared maximum mean discrepancy between the channels of two maps, polynomial kernel of degree 2.

    Each channel is a sample: its activations over positions, l2-normalised. The larger map is pooled to the smaller.

    Args:
        student: (B, C, H, W).
        teacher: (B, D, H', W').
        channel_chunk: rows of a kernel matrix held at once, so memory is B * channel_chunk * max(C, D) values.

    Returns:
        Scalar, mean over the batch.

    Example:
        >>> a = torch.eye(4).reshape(1, 4, 2, 2)
        >>> selectivity_loss(a, a).item(), selectivity_loss(a[:, :2], a[:, 2:]).item()
        (0.0, 1.0)
    """
    student, teacher = match_sides(student, teacher)
    a, b = (F.normalize(x.flatten(2), dim=2) for x in (student, teacher))
    mean = lambda x, y: squared_kernel_mean(x, y, channel_chunk)
    return mean(b, b) + mean(a, a) - 2 * mean(a, b)


def squared_kernel_mean(a: Tensor, b: Tensor, chunk: int) -> Tensor:
    """Mean of (a_i . b_j)^2 over the batch and all pairs of rows, `chunk` rows of `a` at once.

    Args:
        a: (B, C, N).
        b: (B, D, N).
        chunk: >= 1.
    """
    total = torch.zeros((), dtype=a.dtype, device=a.device)
    for rows in a.split(chunk, dim=1):
        if a.shape[1] > chunk:  # recompute in the backward pass, or every chunk would be kept
            total = total + checkpoint(_sum_of_squares, rows, b, use_reentrant=False, preserve_rng_state=False)
        else:
            total = total + _sum_of_squares(rows, b)
    return total / (a.shape[0] * a.shape[1] * b.shape[1])


@full_precision
def _sum_of_squares(rows: Tensor, b: Tensor) -> Tensor:
    return (rows @ b.transpose(1, 2)).pow(2).sum()


@METHODS.register("nst", paper="arXiv:1707.01219")
class NeuronSelectivity(StageMethod):
    """The distribution of channel activations over positions, by `selectivity_loss` summed over stages.

    Defaults: weight 50, RepDistiller's CIFAR-100 script. `channel_chunk` bounds memory and leaves the value as it is.
    Departures: none, but four stages where its CIFAR networks have three.
    """

    nst_weight: float = Field(50.0, ge=0)
    channel_chunk: int = Field(256, ge=1)

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        """Cross-entropy and the discrepancy."""
        pairs = map_pairs(student, lesson, self.stages).values()
        nst = sum_of(selectivity_loss(*pair, channel_chunk=self.channel_chunk) for pair in pairs)
        return {"ce": self.ce_weight * cross_entropy(student, lesson), "nst": self.nst_weight * nst}


@full_precision
def variational_loss(mean: Tensor, teacher: Tensor, variance: Tensor) -> Tensor:
    """Negative log-likelihood of the teacher's map under a Gaussian of the student, without its constant.

    Args:
        mean: (B, C, H, W), the student's prediction.
        teacher: (B, C, H', W'), pooled to the smaller sides as `mean` is.
        variance: (C,), > 0.

    Returns:
        Scalar, mean over all elements; may be negative.

    Example:
        >>> x = torch.zeros(1, 2, 1, 1)
        >>> variational_loss(x, x + 2, torch.tensor([1.0, 4.0])).item()
        1.596573...
    """
    mean, teacher = match_sides(mean, teacher)
    variance = variance[:, None, None]
    return (0.5 * ((mean - teacher).pow(2) / variance + variance.log())).mean()


class GaussianHead(nn.Module):
    """A Gaussian over the teacher's map given the student's: 1x1 convolutions to the mean, a variance per channel.

    Args:
        student_channels, teacher_channels: of the maps.
        init_variance: > 0.
        eps: added to every variance.
    """

    def __init__(self, student_channels: int, teacher_channels: int, init_variance: float, eps: float) -> None:
        super().__init__()
        conv = lambda width: nn.Conv2d(width, teacher_channels, 1, bias=False)
        self.mean = nn.Sequential(
            conv(student_channels), nn.ReLU(), conv(teacher_channels), nn.ReLU(), conv(teacher_channels)
        )
        above = init_variance - eps
        inverse_softplus = above + math.log(-math.expm1(-above))  # log(exp(above) - 1), which overflows from 710 on
        self.scale = nn.Parameter(torch.full((teacher_channels,), inverse_softplus))
        self.eps = eps

    @property
    def variance(self) -> Tensor:
        """(C,)."""
        return F.softplus(self.scale) + self.eps

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of one stage, see `variational_loss`."""
        return variational_loss(self.mean(student), teacher, self.variance)


@METHODS.register("vid", paper="arXiv:1904.05835")
class VariationalInformation(StageMethod):
    """A lower bound on what the student's stages tell about the teacher's: `variational_loss` summed over stages.

    Defaults: weight 1, initial variance 5, at least 1e-5, as in RepDistiller.
    Departures: none, but four stages where its CIFAR networks have three.
    """

    vid_weight: float = Field(1.0, ge=0)
    init_variance: float = Field(5.0, gt=0)
    eps: float = Field(1e-5, gt=0)

    @model_validator(mode="after")
    def _starts_above_the_floor(self) -> Self:
        if self.init_variance <= self.eps:
            raise ValueError(f"init_variance: expected more than eps = {self.eps}, got {self.init_variance}")
        return self

    def build(self, setting: Setting) -> Objective:
        """One Gaussian per stage."""
        return _VIDObjective(self, stage_pairs(setting, self.stages))


class _VIDObjective(Objective):
    def __init__(self, method: VariationalInformation, pairs: Mapping[int, ShapePair]) -> None:
        super().__init__()
        self.method = method
        head = lambda s, t: GaussianHead(s[0], t[0], method.init_variance, method.eps)
        self.heads = per_stage({stage: head(*shapes) for stage, shapes in pairs.items()})

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        method, pairs = self.method, map_pairs(student, lesson, self.method.stages)
        vid = sum_of(self.heads[str(stage)](*pair) for stage, pair in pairs.items())
        return {"ce": method.ce_weight * cross_entropy(student, lesson), "vid": method.vid_weight * vid}
