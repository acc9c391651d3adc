"""ReviewKD: the student's late stages help to explain the teacher's early ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from fgkd.methods.adapters import BatchNorm
from fgkd.methods.base import METHODS, LossTerms, Objective, Setting, cross_entropy
from fgkd.methods.maps import StageMethod, map_pairs, match_sides, stage_pairs, sum_of
from fgkd.methods.numerics import full_precision, linear_warmup
from fgkd.methods.schedule import carried_over
from fgkd.signals import Lesson, Needs, Signals

PYRAMID = (4, 2, 1)  # sides to which maps are pooled besides their own
MAX_WIDTH = 512  # of the fused maps


@full_precision
def context_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Hierarchical context loss: mean squared difference at full size and after pooling to 4x4, 2x2 and 1x1.

    The levels weigh 1, 1/2, 1/4, 1/8, divided by their sum; sides not smaller than the map's are left out.

    Args:
        student: (B, C, H, W).
        teacher: (B, C, H', W'); the larger is pooled to the smaller.

    Returns:
        Scalar.

    Example:
        >>> a = torch.tensor([[[[1.0, -1.0], [1.0, -1.0]]]])  # seen at 2x2, gone at 1x1
        >>> context_loss(a, torch.zeros_like(a)).item()
        0.666...
    """
    student, teacher = match_sides(student, teacher)
    loss, weight, weights = F.mse_loss(student, teacher), 1.0, 1.0
    for side in PYRAMID:
        if side < min(student.shape[2:]):
            weight /= 2
            weights += weight
            loss = loss + weight * F.mse_loss(
                F.adaptive_avg_pool2d(student, side), F.adaptive_avg_pool2d(teacher, side)
            )
    return loss / weights


class Fusion(nn.Module):
    """Attention-based fusion of one student map with what came down from the later ones.

    Args:
        channels: of the student's map.
        width: of the fused map that goes on down.
        out_channels: of the teacher's map.
        first: at the top, where nothing comes down yet.
    """

    def __init__(self, channels: int, width: int, out_channels: int, *, first: bool) -> None:
        super().__init__()
        reduce = nn.Conv2d(channels, width, 1, bias=False)
        out = nn.Conv2d(width, out_channels, 3, padding=1, bias=False)
        for conv in (reduce, out):
            nn.init.kaiming_uniform_(conv.weight, a=1)
        self.reduce = nn.Sequential(reduce, BatchNorm(width))
        self.attention = None if first else nn.Sequential(nn.Conv2d(2 * width, 2, 1), nn.Sigmoid())
        self.out = nn.Sequential(out, BatchNorm(out_channels))

    def forward(self, x: Tensor, above: Tensor | None, sides: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Fuse a student map with the one from above, at the teacher's sides.

        Args:
            x: (B, channels, H, W).
            above: (B, width, H', W'), None at the top.
            sides: (height, width) of the teacher's map.

        Returns:
            (B, out_channels, *sides) for the loss, (B, width, *sides) for the next map.
        """
        x = self.reduce(x)
        if self.attention is not None:
            assert above is not None
            above = _resize(above, x.shape[2:])
            mine, theirs = self.attention(torch.cat([x, above], dim=1)).split(1, dim=1)
            x = mine * x + theirs * above
        x = _resize(x, sides)
        return self.out(x), x


def _resize(x: Tensor, sides: Sequence[int]) -> Tensor:
    return x if tuple(x.shape[2:]) == tuple(sides) else F.interpolate(x, size=tuple(sides), mode="nearest")


@METHODS.register("reviewkd", paper="arXiv:2104.09044")
class ReviewKD(StageMethod):
    """Student stages fused from the last to the first, each fused map against the teacher's by `context_loss`.

    The pooled embedding is the topmost, 1x1, map where `embedding` is set, as published.

    Defaults: the published weight is per pair: 1 (ResNet-18 on ImageNet; ResNet-110 on CIFAR-100), 8 (MobileNet on
    ImageNet; ShuffleNetV2 on CIFAR-100), 5 (most pairs on CIFAR-100), 0.6 (ResNet-56). Ours is the first, whose
    networks are nearest to timm's. It grows linearly over the first 20 epochs.
    Departures: the authors' CIFAR networks compare maps before their last activation, timm's stages give those after
    it; the growth takes 20/240 of a training shorter than 240 epochs; maps of any sides fit, by nearest interpolation.
    """

    reviewkd_weight: float = Field(1.0, ge=0)
    warmup_epochs: float = Field(20.0, ge=0)
    embedding: bool = True

    @property
    def student_needs(self) -> Needs:  # type: ignore[override]
        """Logits, the maps, and the embedding where asked."""
        return super().student_needs | Needs(pooled=self.embedding)

    @property
    def teacher_needs(self) -> Needs:  # type: ignore[override]
        """The maps, and the embedding where asked."""
        return super().teacher_needs | Needs(pooled=self.embedding)

    def build(self, setting: Setting) -> Objective:
        """One fusion per map, from the top down."""
        assert setting.teacher is not None
        pairs = stage_pairs(setting, self.stages).values()
        widths = [(student[0], teacher[0]) for student, teacher in pairs][::-1]
        if self.embedding:
            widths.insert(0, (setting.student.pooled, setting.teacher.pooled))
        return _ReviewObjective(self, widths)


class _ReviewObjective(Objective):
    def __init__(self, method: ReviewKD, widths: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.method = method
        width = min(MAX_WIDTH, widths[0][0])
        self.fusions = nn.ModuleList(Fusion(s, width, t, first=i == 0) for i, (s, t) in enumerate(widths))

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        method = self.method
        pairs = list(map_pairs(student, lesson, method.stages).values())[::-1]
        if method.embedding:
            assert student.pooled is not None
            assert lesson.teacher.pooled is not None
            pairs.insert(0, (student.pooled[:, :, None, None], lesson.teacher.pooled[:, :, None, None]))
        losses, above = [], None
        for fusion, (mine, theirs) in zip(self.fusions, pairs, strict=True):
            out, above = fusion(mine, above, theirs.shape[2:])
            losses.append(context_loss(out, theirs))
        epochs = carried_over(method.warmup_epochs, lesson.progress)
        weight = method.reviewkd_weight * linear_warmup(lesson.progress, epochs)
        return {"ce": method.ce_weight * cross_entropy(student, lesson), "reviewkd": weight * sum_of(losses)}
