"""Projectors from one width to another, and the teacher's classifier read through one."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from fgkd.methods.base import Setting
from fgkd.methods.numerics import raised
from fgkd.methods.orthogonal import orthogonal_linear
from fgkd.signals import Head, Needs, Signals, SignalShapes

ProjectorKind = Literal["auto", "identity", "linear", "conv_bn", "conv_bn_relu", "orthogonal"]


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that falls back on its running statistics where a batch holds one value per channel."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        if self.training and input.numel() == input.shape[1]:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class OnVectors(nn.Module):
    """Lets a layer for maps act on vectors, as maps of one cell."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, D) -> (B, D')."""
        return self.layer(vectors[:, :, None, None])[:, :, 0, 0]


class OnCells(nn.Module):
    """Lets a layer for vectors act on every cell of a map."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        return self.layer(maps.movedim(1, -1)).movedim(-1, 1)


def conv_bn(d_in: int, d_out: int, *, kernel: int = 1, relu: bool = True) -> nn.Sequential:
    """Bias-free convolution of the same size, batch norm, and ReLU where asked; He initialisation by fan-out."""
    conv = nn.Conv2d(d_in, d_out, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, BatchNorm(d_out), *([nn.ReLU()] if relu else []))


def resolve_kind(kind: ProjectorKind, d_in: int, d_out: int) -> ProjectorKind:
    """What ``auto`` stands for: identity where the widths match, otherwise linear."""
    if kind != "auto":
        return kind
    return "identity" if d_in == d_out else "linear"


def make_projector(kind: ProjectorKind, d_in: int, d_out: int, spatial: bool = False) -> nn.Module:
    """A trainable layer from `d_in` to `d_out` channels.

    Args:
        kind: ``auto`` (see `resolve_kind`), ``identity``, ``linear`` (with bias), ``conv_bn`` and ``conv_bn_relu``
            (1x1 convolution without bias, He initialisation by fan-out, as the connector of SRRL), or
            ``orthogonal`` (bias-free linear layer with orthonormal rows or columns, as in VkD, arXiv:2403.06213).
        spatial: whether it maps (B, d_in, H, W) to (B, d_out, H, W); otherwise (B, d_in) to (B, d_out).

    Raises:
        ValueError: ``identity`` between unequal widths, or an unknown kind.

    Example:
        >>> import torch
        >>> make_projector("conv_bn", 8, 4, spatial=True)(torch.zeros(2, 8, 3, 3)).shape
        torch.Size([2, 4, 3, 3])
    """
    kind = resolve_kind(kind, d_in, d_out)
    if kind == "identity":
        if d_in != d_out:
            raise ValueError(f"projector identity: expected equal widths, got {d_in} and {d_out}")
        return nn.Identity()
    if kind in ("conv_bn", "conv_bn_relu"):
        layer = conv_bn(d_in, d_out, relu=kind == "conv_bn_relu")
        return layer if spatial else OnVectors(layer)
    if kind == "linear":
        dense: nn.Module = nn.Linear(d_in, d_out)
    elif kind == "orthogonal":
        dense = orthogonal_linear(d_in, d_out)
    else:
        raise ValueError(f"projector: expected one of {ProjectorKind.__args__}, got {kind!r}")  # type: ignore[attr-defined]
    return OnCells(dense) if spatial else dense


class FrozenHead(nn.Module):
    """A linear classifier that never learns: buffers, so neither gradients nor weight decay reach it."""

    weight: Tensor  # (K, D)
    bias: Tensor | None  # (K,)

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.register_buffer("weight", head.weight.detach().clone())
        self.register_buffer("bias", None if head.bias is None else head.bias.detach().clone())

    @property
    def head(self) -> Head:
        """Its values as a `Head`."""
        return Head(self.weight, self.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, D) -> (B, K)."""
        return raised(self.head(pooled))


class Embedder(nn.Module):
    """A student's embedding brought to another width.

    Convolutional projectors act on the final map, which is then averaged, where the student's own embedding is that
    average; in other students they act on the embedding as a map of one cell. The other kinds act on the embedding.
    """

    def __init__(self, kind: ProjectorKind, student: SignalShapes, width: int) -> None:
        super().__init__()
        self.spatial = acts_on_maps(kind) and student.pooled_is_mean and student.final is not None
        self.projector = make_projector(kind, student.pooled, width, self.spatial)

    def embed(self, student: Signals) -> Tensor:
        """What the student shows -> (B, width)."""
        x = student.final if self.spatial else student.pooled
        assert x is not None
        x = raised(self.projector(raised(x)))
        return x.mean((2, 3)) if self.spatial else x


class TeacherHead(Embedder):
    """A foreign classifier read through a student's embedding: logits = W projector(z) + b, with W and b frozen."""

    def __init__(self, kind: ProjectorKind, student: SignalShapes, head: Head) -> None:
        super().__init__(kind, student, head.weight.shape[1])
        self.classifier = FrozenHead(head)

    def forward(self, student: Signals) -> Tensor:
        """The foreign head's logits for the student's embedding, (B, K)."""
        return self.classifier(self.embed(student))


def acts_on_maps(kind: ProjectorKind) -> bool:
    """Whether `kind` prefers the final map to the embedding."""
    return kind.startswith("conv")


def embedding_needs(kind: ProjectorKind) -> Needs:
    """What an `Embedder` of this kind may read of a student."""
    return Needs(pooled=True, final=acts_on_maps(kind))


def width_problems(kind: ProjectorKind, setting: Setting, method: str) -> list[str]:
    """``projector: identity`` between unequal widths. Those for maps take the embedding where there is no map."""
    student, wide = setting.student, head_width(setting)
    if kind == "identity" and wide is not None and wide != student.pooled:
        return [
            f"{method}.projector: identity needs equal embedding widths, found {student.pooled} (student) and "
            f"{wide} (teacher); choose linear, orthogonal, conv_bn or conv_bn_relu, or leave it at auto"
        ]
    return []


def head_width(setting: Setting) -> int | None:
    """Width that the teacher's head reads, known or None."""
    if setting.teacher_head is not None:
        return setting.teacher_head.weight.shape[1]
    return None if setting.teacher is None else setting.teacher.pooled
