"""VGG (arXiv:1409.1556) for 32 px images: batch norm, five blocks, global mean and one linear layer.

Between blocks the map is halved, except before the last, as in CRD's tables (arXiv:1910.10699).
"""

from __future__ import annotations

from functools import partial

from torch import nn

from fgkd.models.cifar.net import CifarNet, Part, enter

WIDTHS = (64, 128, 256, 512, 512)
HALVED = (False, True, True, True, False)  # before which block


def _block(inside: int, outside: int, convolutions: int, halve: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.MaxPool2d(2)] if halve else []
    for channels in [inside, *[outside] * (convolutions - 1)]:
        layers += [nn.Conv2d(channels, outside, 3, 1, 1), nn.BatchNorm2d(outside), nn.ReLU()]
    return nn.Sequential(*layers)


def vgg(convolutions: int, *, num_classes: int = 100, in_chans: int = 3, drop_rate: float = 0.0) -> CifarNet:
    """VGG with so many convolutions in each block."""
    parts, reduction = [], 1
    for inside, outside, halve in zip((in_chans, *WIDTHS), WIDTHS, HALVED, strict=False):
        reduction *= 2 if halve else 1
        parts.append(Part(_block(inside, outside, convolutions, halve), outside, reduction))
    return CifarNet(parts[0], parts[1:], None, num_classes=num_classes, drop_rate=drop_rate)


enter("cifar_vgg8", partial(vgg, 1), "stem.0")
enter("cifar_vgg13", partial(vgg, 2), "stem.0")
