"""Methods made for pairs of unlike families, CNN and ViT: VkD's orthogonal projector and OFA-KD's stage branches."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fgkd.methods.adapters import BatchNorm
from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, cross_entropy
from fgkd.methods.checks import no_teacher, other_classes
from fgkd.methods.logit import kd_loss
from fgkd.methods.maps import Shape, Stage, per_stage, sum_of
from fgkd.methods.numerics import full_precision, of_class
from fgkd.methods.orthogonal import orthogonal_linear
from fgkd.signals import Lesson, Needs, Signals, SignalShapes


@full_precision
def standardised_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Smooth L1 distance to the teacher's embedding, each of whose rows is brought to mean 0 and variance 1 first.

    Args:
        student: (B, D), after the projector.
        teacher: (B, D).

    Returns:
        Scalar, mean over all elements.

    Example:
        >>> import torch
        >>> round(standardised_loss(torch.zeros(1, 2), torch.tensor([[3.0, 7.0]])).item(), 4)  # teacher: -1, 1
        0.5
    """
    return F.smooth_l1_loss(student, F.layer_norm(teacher, teacher.shape[1:]))


@METHODS.register("vkd", paper="arXiv:2403.06213")
class VkD(Method):
    """Embeddings compared (`standardised_loss`) through a projector whose matrix stays orthogonal.

    Such a matrix rotates, and neither stretches nor shrinks, so the projector cannot do the student's work.

    Defaults: all weights 1, KL at temperature 1, as published.
    Departures: the published student is a DeiT, whose distillation token has a head of its own and takes the KL; here
    it is on the logits of the student's one head.
    """

    student_needs: ClassVar[Needs] = Needs(logits=True, pooled=True)
    teacher_needs: ClassVar[Needs] = Needs(logits=True, pooled=True)
    term_names: ClassVar[tuple[str, ...]] = ("ce", "kd", "vkd")
    ce_weight: float = Field(1.0, ge=0)
    kd_weight: float = Field(1.0, ge=0)
    vkd_weight: float = Field(1.0, ge=0)
    temperature: float = Field(1.0, gt=0)

    def problems(self, setting: Setting) -> list[str]:
        """No teacher, or one of other classes."""
        return no_teacher(setting, self.name) + other_classes(setting, self.name)

    def build(self, setting: Setting) -> Objective:
        """The projector."""
        assert setting.teacher is not None
        return _VkDObjective(self, setting.student.pooled, setting.teacher.pooled)


class _VkDObjective(Objective):
    def __init__(self, method: VkD, width: int, teacher_width: int) -> None:
        super().__init__()
        self.method = method
        self.projector = orthogonal_linear(width, teacher_width)

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        method, teacher = self.method, lesson.teacher
        assert student.logits is not None
        assert student.pooled is not None
        assert teacher.logits is not None
        assert teacher.pooled is not None
        kd = kd_loss(student.logits, teacher.logits, temperature=method.temperature).mean()
        return {
            "ce": method.ce_weight * cross_entropy(student, lesson),
            "kd": method.kd_weight * kd,
            "vkd": method.vkd_weight * standardised_loss(self.projector(student.pooled), teacher.pooled),
        }


@full_precision
def ofa_loss(student: Tensor, teacher: Tensor, target: Tensor, *, eps: float) -> Tensor:
    """Distillation in which the true class counts the more, the larger `eps`.

    -sum_c [(p_c + 1[c = y])^eps - 1[c = y]] log q_c, with p the teacher's and q the student's probabilities; at eps 1
    this is the cross-entropy to p.

    Args:
        student, teacher: logits (B, K).
        target: (B,) labels.
        eps: > 0.

    Returns:
        Scalar, mean over the batch.

    Example:
        >>> import torch
        >>> even = torch.zeros(1, 2)
        >>> ofa_loss(even, even, torch.tensor([0]), eps=1.0).item()  # log 2
        0.693...
    """
    truth = of_class(target, student.shape[1]).long()
    weight = (F.softmax(teacher, dim=1) + truth) ** eps - truth
    return -(weight * F.log_softmax(student, dim=1)).sum(1).mean()


class _Merge(nn.Module):
    """Patch merging: each 2x2 block of tokens becomes one, (B, C, H, W) -> (B, D, ceil(H/2), ceil(W/2))."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduce = nn.Linear(4 * channels, out_channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        blocks = F.pixel_unshuffle(x, 2).movedim(1, -1)
        return self.reduce(self.norm(blocks)).movedim(-1, 1)


def _halve(channels: int, out_channels: int) -> nn.Sequential:
    """Separable convolution of stride 2: (B, C, H, W) -> (B, D, ceil(H/2), ceil(W/2))."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, out_channels, 1, bias=False),
        BatchNorm(out_channels),
        nn.ReLU(),
    )


class Branch(nn.Module):
    """From a stage's map to class scores: halvings to the last stage's size and width, average, linear layer.

    Args:
        shape: (C, H, W) of the stage.
        last: (C, H, W) of the last stage.
        num_classes: K.
        tokens: merge patches, and normalise the average, rather than convolve; once at least, since all stages of a ViT
            are of one size.
    """

    def __init__(self, shape: Shape, last: Shape, num_classes: int, *, tokens: bool) -> None:
        super().__init__()
        halve = _Merge if tokens else _halve
        times = max(_halvings(shape[1:], last[1:]), int(tokens))
        widths = [shape[0]] + [last[0]] * times
        self.downs = nn.Sequential(*(halve(a, b) for a, b in pairwise(widths)))
        self.norm = nn.LayerNorm(widths[-1]) if tokens else nn.Identity()
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K)."""
        return self.head(self.norm(self.downs(x).mean((2, 3))))


def _halvings(sides: tuple[int, int], last: tuple[int, int]) -> int:
    return max(0, round(math.log2(max(sides) / max(last))))


@METHODS.register("ofa_kd", paper="arXiv:2310.19444")
class OFAKD(Method):
    """The student's stages, each through a branch to class scores, learn from the teacher's logits by `ofa_loss`.

    Class scores compare across families where maps do not.

    Defaults: eps 1 (1.5 in an ImageNet example), temperature 1, all weights 1, four stages and logits, as published.
    Departures: one plain branch for each kind of network, see `Branch`; the published token branch ends in a
    transformer block.
    """

    teacher_needs: ClassVar[Needs] = Needs(logits=True)
    term_names: ClassVar[tuple[str, ...]] = ("ce", "ofa_kd", "ofa_stages")
    ce_weight: float = Field(1.0, ge=0)
    ofa_weight: float = Field(1.0, ge=0)
    stages_weight: float = Field(1.0, ge=0)
    eps: float = Field(1.0, gt=0)
    stages: tuple[Stage, ...] = Field((-4, -3, -2, -1), min_length=1)

    @property
    def student_needs(self) -> Needs:  # type: ignore[override]
        """Logits and maps."""
        return Needs(logits=True, stages=frozenset(self.stages))

    def problems(self, setting: Setting) -> list[str]:
        """No teacher, one of other classes, or a student without the stages."""
        found = no_teacher(setting, self.name) + other_classes(setting, self.name)
        if not set(self.stages) & set(setting.student.stages):
            have = sorted(setting.student.stages)
            found.append(
                f"ofa_kd: expected a student with a stage of {sorted(self.stages)}, found {have}; set `stages`"
            )
        return found

    def build(self, setting: Setting) -> Objective:
        """One branch per stage."""
        return _OFAObjective(self, setting.student)


class _OFAObjective(Objective):
    def __init__(self, method: OFAKD, shapes: SignalShapes) -> None:
        super().__init__()
        self.method = method
        last = shapes.stages[max(shapes.stages)]
        branch = lambda stage: Branch(shapes.stages[stage], last, shapes.num_classes, tokens=shapes.tokens)
        used = sorted(set(method.stages) & set(shapes.stages))
        self.branches = per_stage({stage: branch(stage) for stage in used})

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        method, teacher = self.method, lesson.teacher.logits
        assert student.logits is not None
        assert teacher is not None
        loss = lambda logits: ofa_loss(logits, teacher, lesson.target, eps=method.eps)
        stages = sum_of(loss(branch(student.stages[int(stage)])) for stage, branch in self.branches.items())
        return {
            "ce": method.ce_weight * cross_entropy(student, lesson),
            "ofa_kd": method.ofa_weight * loss(student.logits),
            "ofa_stages": method.stages_weight * stages,
        }
