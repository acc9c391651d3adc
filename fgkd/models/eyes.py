"""One batch of uint8 squares, seen by networks with different input sizes and normalisations."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Sight(Protocol):
    """What eyes need to know of a network's input."""

    @property
    def size(self) -> int: ...
    @property
    def mean(self) -> tuple[float, float, float]: ...
    @property
    def std(self) -> tuple[float, float, float]: ...
    @property
    def interpolation(self) -> str: ...


class Eyes:
    """Shows the batch to each network as it expects it, once per distinct way of seeing.

    Args:
        image: (B, 3, S, S) uint8, on the device.

    `seen_by` divides by 255, resizes (antialiased) where the network's size differs, subtracts the mean and divides
    by the standard deviation, in float32. Two networks that see alike get the same tensor, so nobody may write to it.
    """

    def __init__(self, image: Tensor) -> None:
        self.image = image
        self._pixels: dict[tuple[int, str], Tensor] = {}
        self._views: dict[tuple[object, ...], Tensor] = {}

    def _resized(self, size: int, interpolation: str) -> Tensor:
        same = self.image.shape[-1] == size
        key = (size, "" if same else interpolation)
        if key not in self._pixels:
            pixels = self.image.to(torch.float32, memory_format=torch.channels_last).div_(255)
            if not same:
                pixels = F.interpolate(pixels, size=(size, size), mode=interpolation, antialias=True).clamp_(0, 1)
            self._pixels[key] = pixels
        return self._pixels[key]

    def seen_by(self, sight: Sight) -> Tensor:
        """(B, 3, size, size) float32, channels_last."""
        same = self.image.shape[-1] == sight.size
        key = (sight.size, sight.mean, sight.std, "" if same else sight.interpolation)
        if key not in self._views:
            pixels = self._resized(sight.size, sight.interpolation)
            mean, std = (torch.tensor(v, device=pixels.device).view(1, 3, 1, 1) for v in (sight.mean, sight.std))
            self._views[key] = (pixels - mean) / std
        return self._views[key]
