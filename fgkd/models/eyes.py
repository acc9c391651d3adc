"""One batch of uint8 squares, seen by networks with different input sizes and normalisations."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from fgkd.models.backbone import InputSpec


class Eyes:
    """Shows the batch to each network as it expects it, once per distinct way of seeing.

    Args:
        image: (B, 3, S, S) uint8, on the device.
        crop_pct: the share of each picture's shorter side that `image` shows; None where it was augmented.

    `seen_by` divides by 255, cuts out the centre where the network's own crop_pct is less than what is shown, resizes
    (antialiased) where the network's size differs, subtracts the mean and divides by the standard deviation, in
    float32. Two networks that see alike get the same tensor, so nobody may write to it.
    """

    def __init__(self, image: Tensor, crop_pct: float | None = None) -> None:
        self.image = image
        self.crop_pct = crop_pct
        self._pixels: dict[tuple[int, int, str], Tensor] = {}
        self._views: dict[tuple[object, ...], Tensor] = {}

    def _side(self, sight: InputSpec) -> int:
        """The side in px of the central square of the batch that the network is shown."""
        side = self.image.shape[-1]
        if self.crop_pct is None or sight.crop_pct is None or sight.crop_pct >= self.crop_pct:
            return side
        return side - 2 * round(side * (1 - sight.crop_pct / self.crop_pct) / 2)  # as much is lost on either edge

    def _resized(self, side: int, size: int, interpolation: str) -> Tensor:
        key = (side, size, interpolation)
        if key not in self._pixels:
            edge = (self.image.shape[-1] - side) // 2
            shown = self.image[..., edge : edge + side, edge : edge + side]
            pixels = shown.to(torch.float32, memory_format=torch.channels_last).div_(255)
            if side != size:
                pixels = F.interpolate(pixels, size=(size, size), mode=interpolation, antialias=True).clamp_(0, 1)
            self._pixels[key] = pixels
        return self._pixels[key]

    def seen_by(self, sight: InputSpec) -> Tensor:
        """(B, 3, size, size) float32, channels_last."""
        side = self._side(sight)
        resized = (side, sight.size, "" if side == sight.size else sight.interpolation)
        key = (*resized, sight.mean, sight.std)
        if key not in self._views:
            pixels = self._resized(*resized)
            mean, std = (_per_channel(values, pixels.device) for values in (sight.mean, sight.std))
            self._views[key] = (pixels - mean) / std
        return self._views[key]


@lru_cache(maxsize=64)  # or every batch would wait for a copy of six numbers to the device
def _per_channel(values: tuple[float, float, float], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device).view(1, 3, 1, 1)
