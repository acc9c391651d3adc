"""What a network's signals look like, found by running a copy on noise: no state and no random stream changes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from fgkd.errors import UserError
from fgkd.models.classifier import classify, linear_layers, read_head
from fgkd.models.layout import Layout, layout_of
from fgkd.models.stages import stage_indices
from fgkd.signals import SignalShapes

LOWEST_ACTIVATION = -0.5  # no SiLU, GELU, Mish or hard swish goes as low; the lowest, hard swish, ends at -0.375


@dataclass(frozen=True)
class Anatomy:
    """The shapes of a network's signals, and the layout of its final features (None where they are no single map)."""

    shapes: SignalShapes
    layout: Layout | None


def trunk(net: nn.Module, image: Tensor, indices: Mapping[int, int]) -> tuple[Tensor, dict[int, Tensor]]:
    """(B, 3, S, S) -> what the head reads, and the maps (B, C, H, W) at `indices`: stage -> feature index."""
    if not indices:
        return cast(Callable[[Tensor], Tensor], net.forward_features)(image), {}
    features, maps = cast(Any, net).forward_intermediates(image, indices=sorted(indices.values()), output_fmt="NCHW")
    return features, dict(zip(sorted(indices), maps, strict=True))


def stages_alone(net: nn.Module, image: Tensor, indices: Mapping[int, int]) -> dict[int, Tensor]:
    """The maps of `trunk` without the features, going no deeper than the deepest."""
    wanted = sorted(indices.values())
    maps = cast(Any, net).forward_intermediates(
        image, indices=wanted, output_fmt="NCHW", stop_early=True, intermediates_only=True
    )
    return dict(zip(sorted(indices), maps, strict=True))


def meta_copy(module: nn.Module) -> nn.Module:
    """The same module without values: every tensor on the meta device, so that running it costs next to nothing."""
    memo: dict[int, Any] = {}
    for tensor in [*module.parameters(), *module.buffers()]:
        empty = torch.empty_like(tensor, device="meta")
        memo[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
    return copy.deepcopy(module, memo)


@torch.no_grad()
def examine(net: nn.Module, size: int) -> Anatomy:
    """Run a copy of `net` on noise of (2, 3, size, size).

    A copy, because the weights are disturbed first: at initialisation many layers are the identity, and what only looks
    like a mean would pass for one. UserError where the logits are not a linear function of one pooled vector. On the
    meta device there are no values to look at, and the flags of `SignalShapes` that need them stay False.
    """
    full_precision = nullcontext() if _device(net).type == "meta" else torch.autocast(_device(net).type, enabled=False)
    with torch.random.fork_rng(devices=[]), full_precision:
        twin = copy.deepcopy(net).eval()
        _disturb(twin)
        image = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0)).to(_device(net))
        return _anatomy(twin, image)


def _device(net: nn.Module) -> torch.device:
    return next(net.parameters()).device


def _disturb(net: nn.Module) -> None:
    """Move norms, biases, statistics and the classifier away from their initial values."""
    draw = torch.Generator().manual_seed(1)
    noise = lambda tensor: torch.rand(tensor.shape, generator=draw).to(tensor)
    for tensor in [*net.parameters(), *net.buffers()]:
        if tensor.is_floating_point() and tensor.ndim <= 1:
            tensor.mul_(1 + 0.1 * noise(tensor)).add_(noise(tensor), alpha=0.05)
    for layer in linear_layers(net):
        layer.weight.copy_(noise(layer.weight) - 0.5)


def _anatomy(net: nn.Module, image: Tensor) -> Anatomy:
    features, maps = trunk(net, image, stage_indices(net))
    layout = layout_of(features, net)
    pooled, logits = classify(net, features)
    final = None if layout is None else layout.fold(features)
    same = lambda a, b: not image.is_meta and _equal(a, b)
    if not image.is_meta:
        _check_linear(net, image, pooled, logits)
    shapes = SignalShapes(
        num_classes=logits.shape[1],
        pooled=pooled.shape[1],
        final=None if final is None else _sides(final),
        stages={stage: _sides(m) for stage, m in maps.items()},
        pooled_is_mean=final is not None and same(final.mean((2, 3)), pooled),
        final_classifies=layout is not None and same(classify(net, layout.unfold(final))[1], logits),  # type: ignore[arg-type]
        tokens=layout is not None and layout.order == "NLC",
        final_is_signed=final is not None and not image.is_meta and bool(final.min() < LOWEST_ACTIVATION),
    )
    return Anatomy(shapes, layout)


def _sides(grid: Tensor) -> tuple[int, int, int]:
    channels, height, width = grid.shape[1:]
    return channels, height, width


def _equal(a: Tensor, b: Tensor) -> bool:
    """Equal but for rounding, and not merely because everything vanished."""
    if a.shape != b.shape:
        return False
    scale = float(b.abs().max())
    return scale > 0 and bool(((a - b).abs().max() <= 1e-4 * scale).item())


def _check_linear(net: nn.Module, image: Tensor, pooled: Tensor, logits: Tensor) -> None:
    name = type(net).__name__
    if not torch.isfinite(logits).all():
        raise UserError(
            f"{name} gives logits that are not finite on noise of {image.shape[-1]} px; are its weights sound?"
        )
    if not _equal(read_head(net)(pooled), logits) or not _equal(net(image), logits):
        raise UserError(f"{name} cannot be used: its logits are not one linear layer's answer to one pooled vector")
