"""MobileNetV2 (arXiv:1801.04381) at half width for 32 px images, as in CRD's tables (arXiv:1910.10699).

It differs from the paper in what those tables use: the second group keeps its resolution, activations are plain ReLU,
and the first block has an expansion layer although its factor is one.
"""

from __future__ import annotations

from torch import Tensor, nn

from fgkd.models.cifar.net import CifarNet, Part, conv_norm, enter

# (expansion, channels at full width, blocks, stride of the first), group by group between two halvings
GROUPS = (
    ((1, 16, 1, 1), (6, 24, 2, 1)),
    ((6, 32, 3, 2),),
    ((6, 64, 4, 2), (6, 96, 3, 1)),
    ((6, 160, 3, 2), (6, 320, 1, 1)),
)


class InvertedResidual(nn.Module):
    """Widen, convolve each channel, narrow; with a shortcut where the shape stays."""

    def __init__(self, inside: int, outside: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.keeps = stride == 1 and inside == outside
        self.body = nn.Sequential(
            *conv_norm(inside, wide, 1),
            nn.ReLU(),
            *conv_norm(wide, wide, 3, stride, groups=wide),
            nn.ReLU(),
            *conv_norm(wide, outside, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, outside, H / stride, W / stride)."""
        return x + self.body(x) if self.keeps else self.body(x)


def mobilenetv2(width: float = 0.5, *, num_classes: int = 100, in_chans: int = 3, drop_rate: float = 0.0) -> CifarNet:
    """MobileNetV2 at `width` times the channels, with the full 1280 before the classifier."""
    inside = int(32 * width)
    stem = Part(nn.Sequential(*conv_norm(in_chans, inside, 3, 2), nn.ReLU()), inside, 2)
    parts, reduction = [], 2
    for group in GROUPS:
        blocks: list[nn.Module] = []
        for expansion, full, count, first in group:
            outside = int(full * width)
            for stride in [first, *[1] * (count - 1)]:
                blocks.append(InvertedResidual(inside, outside, stride, expansion))
                inside = outside
            reduction *= first
        parts.append(Part(nn.Sequential(*blocks), inside, reduction))
    tail = nn.Sequential(*conv_norm(inside, 1280, 1), nn.ReLU())
    return CifarNet(stem, parts, (tail, 1280), num_classes=num_classes, drop_rate=drop_rate)


enter("cifar_mobilenetv2_half", mobilenetv2, "stem.0")
