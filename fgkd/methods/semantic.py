"""letKD's layer: templates that match the cells of a map, and the semantic vectors that a match adds to them."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgkd.methods.adapters import BatchNorm
from fgkd.signals import Head, Needs, Signals, SignalShapes

PENULTIMATE, INTERMEDIATE = "letkd.penultimate", "letkd.intermediate"  # names in Signals.extras


class CosineConv(nn.Module):
    """1x1 convolution of cosines: scale * <w / |w|, x / |x|> at every cell, without bias.

    Args:
        channels, out_channels: of the maps.
        scale: where the one learnable scale starts.
    """

    def __init__(self, channels: int, out_channels: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, channels, 1, 1) * math.sqrt(2 / channels))
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K, H, W), values in [-scale, scale]."""
        return self.scale * F.conv2d(F.normalize(x, dim=1), F.normalize(self.weight, dim=1))


class SemanticLayer(nn.Module):
    """Matches each cell of a map with templates and adds the semantic vectors of those that match.

    x + alpha * V(ReLU(BN(a))), a = W(x): two cosine convolutions, W the templates and V the semantic vectors; batch
    norm and ReLU stand for a softmax with a threshold.

    Args:
        channels: C of the map.
        templates: K.
        alpha: share of the semantic vectors; 0 leaves the map as it is.
    """

    def __init__(self, channels: int, templates: int, alpha: float) -> None:
        super().__init__()
        self.match = CosineConv(channels, templates, scale=3.0)
        self.norm = BatchNorm(templates)
        self.value = CosineConv(templates, channels, scale=1.0)
        self.alpha = alpha

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> the map with vectors added (B, C, H, W), the scores a (B, K, H, W)."""
        scores = self.match(x)
        return x + self.alpha * self.value(F.relu(self.norm(scores))), scores


class Inserted(nn.Module):
    """A `SemanticLayer` between two stages; its scores leave the network under `name`."""

    def __init__(self, layer: SemanticLayer, name: str) -> None:
        super().__init__()
        self.layer, self.name = layer, name

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(B, C, H, W) -> the map that goes on, and the scores by name."""
        x, scores = self.layer(x)
        return x, {self.name: scores}


class BeforePooling(nn.Module):
    """A network whose final map passes a `SemanticLayer` before it is pooled and classified.

    Args:
        model: a network with ``classify(final) -> (pooled, logits)``.
        layer: for its final map.
        shapes: of its signals, which stay as they are.
    """

    def __init__(self, model: nn.Module, layer: SemanticLayer, shapes: SignalShapes) -> None:
        super().__init__()
        self.model, self.layer, self.shapes = model, layer, shapes

    def forward(self, image: Tensor, needs: Needs) -> Signals:
        """(B, 3, H, W) -> what `needs` asks for, and the scores in `extras`."""
        if not (needs.logits or needs.pooled or needs.final):
            return self.model(image, needs)
        signals = self.model(image, replace(needs, logits=False, pooled=False, final=True))
        final, scores = self.layer(signals.final)
        pooled, logits = self.model.classify(final)  # type: ignore[operator]
        return replace(
            signals,
            logits=logits if needs.logits else None,
            pooled=pooled if needs.pooled else None,
            final=final if needs.final else None,
            extras={**signals.extras, PENULTIMATE: scores},
        )

    def head(self) -> Head:
        """The classifier with its live parameters."""
        return self.model.head()  # type: ignore[operator]
