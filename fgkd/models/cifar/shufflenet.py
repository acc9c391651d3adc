"""ShuffleNet V1 (arXiv:1707.01083) and V2 (arXiv:1807.11164) for 32 px images, as in CRD's tables.

Both have a 1x1 stem at full resolution there, and V1 a ReLU after the depthwise convolution that its paper leaves out.
Convolutions keep PyTorch's initialisation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgkd.models.cifar.net import CifarNet, Part, conv_norm, enter

GROUPS = 3
BLOCKS = (4, 8, 4)
WIDTHS_V1 = (240, 480, 960)
WIDTHS_V2 = (116, 232, 464)
STEM = 24


class ShuffleV1(nn.Module):
    """Grouped 1x1, shuffle, depthwise 3x3, grouped 1x1; where the map is halved, the pooled input is put beside."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.halves = stride == 2
        gives = outside - inside if self.halves else outside
        between = gives // 4
        groups = 1 if inside == STEM else GROUPS  # the stem's few channels are not split
        self.reduce = nn.Sequential(*conv_norm(inside, between, 1, groups=groups), nn.ReLU(), nn.ChannelShuffle(groups))
        self.body = nn.Sequential(
            *conv_norm(between, between, 3, stride, groups=between),
            nn.ReLU(),
            *conv_norm(between, gives, 1, groups=GROUPS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inside, H, W) -> (B, outside, H / stride, W / stride)."""
        y = self.body(self.reduce(x))
        return F.relu(torch.cat([y, F.avg_pool2d(x, 3, 2, 1)], 1) if self.halves else y + x)


class ShuffleV2(nn.Module):
    """Half of the channels pass, the other half is convolved; where the map is halved, both branches read it all."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        half = outside // 2
        self.halves = stride == 2
        read = inside if self.halves else half
        self.left = (
            nn.Sequential(*conv_norm(read, read, 3, 2, groups=read), *conv_norm(read, half, 1), nn.ReLU())
            if self.halves
            else nn.Identity()
        )
        self.right = nn.Sequential(
            *conv_norm(read, half, 1),
            nn.ReLU(),
            *conv_norm(half, half, 3, stride, groups=half),
            *conv_norm(half, half, 1),
            nn.ReLU(),
        )
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inside, H, W) -> (B, outside, H / stride, W / stride)."""
        left, right = (x, x) if self.halves else x.chunk(2, dim=1)
        return self.shuffle(torch.cat([self.left(left), self.right(right)], dim=1))


def _trunk(block: type[nn.Module], widths: tuple[int, ...], in_chans: int) -> tuple[Part, list[Part]]:
    """The stem and three stages, each of which halves the map first."""
    stem = Part(nn.Sequential(*conv_norm(in_chans, STEM, 1), nn.ReLU()), STEM, 1)
    parts = []
    for stage, (inside, outside, count) in enumerate(zip((STEM, *widths), widths, BLOCKS, strict=False)):
        blocks = [block(inside, outside, 2), *(block(outside, outside, 1) for _ in range(count - 1))]
        parts.append(Part(nn.Sequential(*blocks), outside, 2 ** (stage + 1)))
    return stem, parts


def shufflenet_v1(*, num_classes: int = 100, in_chans: int = 3, drop_rate: float = 0.0) -> CifarNet:
    """ShuffleNet V1 of three groups."""
    stem, parts = _trunk(ShuffleV1, WIDTHS_V1, in_chans)
    return CifarNet(stem, parts, None, num_classes=num_classes, drop_rate=drop_rate, drawn=False)


def shufflenet_v2(*, num_classes: int = 100, in_chans: int = 3, drop_rate: float = 0.0) -> CifarNet:
    """ShuffleNet V2 1x."""
    stem, parts = _trunk(ShuffleV2, WIDTHS_V2, in_chans)
    tail = nn.Sequential(*conv_norm(WIDTHS_V2[-1], 1024, 1), nn.ReLU())
    return CifarNet(stem, parts, (tail, 1024), num_classes=num_classes, drop_rate=drop_rate, drawn=False)


enter("cifar_shufflenetv1", shufflenet_v1, "stem.0")
enter("cifar_shufflenetv2", shufflenet_v2, "stem.0")
