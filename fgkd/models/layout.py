"""How a trunk lays out its features, and the way to a (B, C, H, W) map and back."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layout:
    """The order of a feature tensor's axes: NCHW or NHWC maps, or NLC tokens of a square grid after `prefix` others."""

    order: Literal["NCHW", "NHWC", "NLC"]
    prefix: int = 0

    def fold(self, features: Tensor) -> Tensor:
        """Features in this layout -> (B, C, H, W); prefix tokens (class, register) are left out."""
        if self.order == "NCHW":
            return features
        if self.order == "NHWC":
            return features.permute(0, 3, 1, 2)
        tokens = features[:, self.prefix :]
        side = isqrt(tokens.shape[1])
        return tokens.transpose(1, 2).unflatten(2, (side, side))

    def unfold(self, grid: Tensor, like: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> features in this layout; prefix tokens are taken from `like`, or are zeros without it."""
        if self.order == "NCHW":
            return grid
        if self.order == "NHWC":
            return grid.permute(0, 2, 3, 1)
        tokens = grid.flatten(2).transpose(1, 2)
        if not self.prefix:
            return tokens
        prefix = tokens.new_zeros(len(tokens), self.prefix, tokens.shape[2]) if like is None else like[:, : self.prefix]
        return torch.cat([prefix, tokens], dim=1)


def layout_of(features: object, net: nn.Module) -> Layout | None:
    """The layout of what `net` made of a square image; None where it is no single map but branches or a vector."""
    if not isinstance(features, Tensor):
        return None
    if features.ndim == 4:
        return Layout(_map_order(features.shape, str(getattr(net, "output_fmt", "NCHW"))))
    if features.ndim == 3:
        tokens = features.shape[1]
        for prefix in (int(getattr(net, "num_prefix_tokens", 0)), 0, 1):
            if prefix < tokens and isqrt(tokens - prefix) ** 2 == tokens - prefix:
                return Layout("NLC", prefix)
    return None


def _map_order(shape: torch.Size, declared: str) -> Literal["NCHW", "NHWC"]:
    """The two equal axes are the image's; where all three are equal, what the network declares decides."""
    _, a, b, c = shape
    if a == b == c:
        return "NHWC" if "NHWC" in declared else "NCHW"
    return "NHWC" if a == b else "NCHW"
