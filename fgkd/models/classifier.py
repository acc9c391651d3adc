"""The last linear layer of a timm network, found, read and rewritten.

Distilled networks average several linear classifiers. An average of n linear heads is one linear head on the
concatenation of what they read, so they too are seen as one `Head`, n times as wide.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from fgkd.errors import UserError
from fgkd.signals import Head


def linear_layers(net: nn.Module) -> list[nn.Linear | nn.Conv2d]:
    """The linear layers (or 1x1 convolutions) whose outputs, averaged, are `net`'s logits; UserError without any."""
    classifier = cast(Any, net).get_classifier() if hasattr(net, "get_classifier") else ()
    parts = classifier if isinstance(classifier, tuple | list) else (classifier,)
    layers = [layer for part in parts for layer in _outputs(part)]
    if not layers:
        raise UserError(f"{type(net).__name__} has no linear classifier; choose a network made for classification")
    return layers


def _outputs(part: nn.Module) -> list[nn.Linear | nn.Conv2d]:
    """The linear layers of `part` that are as wide as its last: its outputs, not the hidden layers of an MLP head."""
    linear = [m for m in part.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return [layer for layer in linear if len(layer.weight) == len(linear[-1].weight)]


def linear_names(net: nn.Module) -> list[str]:
    """The names of `linear_layers` within `net`."""
    wanted = {id(layer) for layer in linear_layers(net)}
    return [name for name, module in net.named_modules() if id(module) in wanted]


def read_head(net: nn.Module) -> Head:
    """The classifier as one head, live: gradients reach its parameters."""
    layers = linear_layers(net)
    biases = [layer.bias for layer in layers if layer.bias is not None]
    if len(layers) == 1:
        weight = layers[0].weight
        return Head(weight if weight.ndim == 2 else weight.flatten(1), layers[0].bias)
    weight = torch.cat([layer.weight.flatten(1) for layer in layers], dim=1) / len(layers)
    return Head(weight, torch.stack(biases).sum(0) / len(layers) if biases else None)


@torch.no_grad()
def write_head(net: nn.Module, head: Head, frozen: bool) -> None:
    """Copy `head` into `net`'s classifier; UserError where the shapes differ.

    Args:
        frozen: whether the classifier's parameters stop taking gradients.
    """
    layers = linear_layers(net)
    here = read_head(net)
    if here.weight.shape != head.weight.shape:
        (classes, width), (given_classes, given_width) = here.weight.shape, head.weight.shape
        raise UserError(
            f"cannot replace the head: {type(net).__name__} has {classes} classes on {width} features, "
            f"the given head {given_classes} on {given_width}; bring the features to {given_width} by a projector"
        )
    for layer, weight in zip(layers, head.weight.chunk(len(layers), dim=1), strict=True):
        layer.weight.copy_((weight * len(layers)).reshape(layer.weight.shape))
        _write_bias(layer, head.bias)
        layer.requires_grad_(not frozen)


@torch.no_grad()
def retire_head(net: nn.Module) -> None:
    """Shrink a classifier that nobody reads any more to one frozen row.

    It cannot go altogether: the embedding is read at its door. One row is what it costs the deployed network.
    """
    for layer in linear_layers(net):
        layer.weight = nn.Parameter(layer.weight[:1].clone(), requires_grad=False)
        if layer.bias is not None:
            layer.bias = nn.Parameter(layer.bias[:1].clone(), requires_grad=False)
        setattr(layer, "out_channels" if isinstance(layer, nn.Conv2d) else "out_features", 1)


def _write_bias(layer: nn.Linear | nn.Conv2d, bias: Tensor | None) -> None:
    if layer.bias is None and bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone().to(layer.weight))
    elif layer.bias is not None:
        layer.bias.copy_(torch.zeros_like(layer.bias) if bias is None else bias)


def classify(net: nn.Module, features: Tensor) -> tuple[Tensor, Tensor]:
    """Features as `forward_features` gives them -> (pooled, logits).

    Pooled is read at the door of the last linear layer, after every pooling, norm and dropout before it, so that the
    two belong to one pass.
    """
    layers = linear_layers(net)
    read: dict[int, Tensor] = {}
    hooks = [layer.register_forward_pre_hook(partial(_note_input, read, i)) for i, layer in enumerate(layers)]
    try:
        logits = cast(Callable[[Tensor], Tensor], net.forward_head)(features)
    finally:
        for hook in hooks:
            hook.remove()
    parts = [_vector(read[i], net) for i in range(len(layers))]
    return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)), logits


def _vector(read: Tensor, net: nn.Module) -> Tensor:
    """What a classifier read, as (B, D)."""
    if read[0].numel() != read.shape[-1 if read.ndim < 4 else 1]:
        raise UserError(f"{type(net).__name__} classifies from {tuple(read.shape[1:])}, not from one pooled vector")
    return read.flatten(1)


def _note_input(read: dict[int, Tensor], key: int, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    read[key] = inputs[0]
