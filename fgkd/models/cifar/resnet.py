"""Residual networks for 32 px images: ResNet (arXiv:1512.03385, section 4.2) and wide ResNet (arXiv:1605.07146).

The narrow ones have 16 channels in stem and first stage and 1x1 projections where the shape changes; ``x4`` has a stem
of 32 and stages of 64, 128 and 256, as in the tables of CRD (arXiv:1910.10699) and its successors. Theirs too is the
ResNet-50: ImageNet's, with a 3x3 stem and no pooling, so that its first stage keeps the full resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from fgkd.models.cifar.net import CifarNet, Part, conv_norm, enter


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, norm after each convolution."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv_norm(inside, outside, 3, stride), nn.ReLU(), *conv_norm(outside, outside))
        same = stride == 1 and inside == outside
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(inside, outside, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, outside, H / stride, W / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1 to a quarter of the width, 3x3, 1x1 back, and a shortcut, norm after each convolution."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        narrow = outside // 4
        self.body = nn.Sequential(
            *conv_norm(inside, narrow, 1),
            nn.ReLU(),
            *conv_norm(narrow, narrow, 3, stride),
            nn.ReLU(),
            *conv_norm(narrow, outside, 1),
        )
        same = stride == 1 and inside == outside
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(inside, outside, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, outside, H / stride, W / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


class PreactBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, norm before each; a projection reads the normed input."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inside)
        self.body = nn.Sequential(
            *conv_norm(inside, outside, 3, stride), nn.ReLU(), nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        )
        self.project = None if inside == outside else nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, outside, H / stride, W / stride)."""
        ready = F.relu(self.norm(x))
        return self.body(ready) + (x if self.project is None else self.project(ready))


def _stages(
    block: Callable[[int, int, int], nn.Module], widths: tuple[int, ...], blocks: int | Sequence[int]
) -> list[Part]:
    """Stages of `blocks` blocks behind a stem: `widths` are the stem's and theirs; all but the first halve the map."""
    counts = [blocks] * (len(widths) - 1) if isinstance(blocks, int) else blocks
    parts = []
    for stage, (inside, outside) in enumerate(pairwise(widths)):
        first = block(inside, outside, 1 if stage == 0 else 2)
        rest = [block(outside, outside, 1) for _ in range(counts[stage] - 1)]
        parts.append(Part(nn.Sequential(first, *rest), outside, 2**stage))
    return parts


def resnet(
    depth: int, widths: tuple[int, ...], *, num_classes: int = 100, in_chans: int = 3, drop_rate: float = 0.0
) -> CifarNet:
    """ResNet of 6n + 2 layers."""
    stem = Part(nn.Sequential(*conv_norm(in_chans, widths[0]), nn.ReLU()), widths[0], 1)
    return CifarNet(
        stem, _stages(BasicBlock, widths, (depth - 2) // 6), None, num_classes=num_classes, drop_rate=drop_rate
    )


def resnet50(*, num_classes: int = 100, in_chans: int = 3, drop_rate: float = 0.0) -> CifarNet:
    """ResNet-50 for 32 px."""
    stem = Part(nn.Sequential(*conv_norm(in_chans, 64), nn.ReLU()), 64, 1)
    stages = _stages(Bottleneck, (64, 256, 512, 1024, 2048), (3, 4, 6, 3))
    return CifarNet(stem, stages, None, num_classes=num_classes, drop_rate=drop_rate)


def wide_resnet(
    depth: int, width: int, *, num_classes: int = 100, in_chans: int = 3, drop_rate: float = 0.0
) -> CifarNet:
    """Wide ResNet of 6n + 4 layers, `width` times as wide."""
    widths = (16, 16 * width, 32 * width, 64 * width)
    stem = Part(nn.Conv2d(in_chans, 16, 3, 1, 1, bias=False), 16, 1)
    tail = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU())
    return CifarNet(
        stem,
        _stages(PreactBlock, widths, (depth - 4) // 6),
        (tail, widths[-1]),
        num_classes=num_classes,
        drop_rate=drop_rate,
    )


for depth in (20, 32, 56, 110):
    enter(f"cifar_resnet{depth}", partial(resnet, depth, (16, 16, 32, 64)), "stem.0")
for depth in (8, 32):
    enter(f"cifar_resnet{depth}x4", partial(resnet, depth, (32, 64, 128, 256)), "stem.0")
enter("cifar_resnet50", resnet50, "stem.0")
for depth, width in ((16, 2), (40, 1), (40, 2)):
    enter(f"cifar_wrn_{depth}_{width}", partial(wide_resnet, depth, width), "stem")
