"""Deployed networks that are plain timm networks in other clothes: found, and undressed without changing an answer.

A linear projector before a linear classifier is one linear classifier. What is not linear (letKD's layers, SimKD's
projector, a mixture of two heads' probabilities) cannot be folded.
"""

from __future__ import annotations

import copy

import timm
import torch
from torch import Tensor, nn

from fgkd.methods.adapters import OnVectors
from fgkd.methods.reuse import BorrowedHead
from fgkd.models import Backbone
from fgkd.models.classifier import linear_layers, write_head
from fgkd.signals import Head

Affine = tuple[Tensor, Tensor]  # float64: (D', D), (D',)


def as_timm(network: nn.Module) -> nn.Module | None:
    """A timm network with `network`'s logits in evaluation; None where there is none that timm alone can build."""
    if isinstance(network, Backbone):
        return network.net if _is_plain(network) else None
    if isinstance(network, BorrowedHead) and isinstance(network.inner, Backbone) and _is_plain(network.inner):
        affine = as_affine(network.foreign.projector, network.inner.shapes.pooled)
        return None if affine is None else _with_head(network.inner.net, _behind(affine, network.head()))
    return None


def of_timm(backbone: Backbone) -> bool:
    """Whether timm itself registers the architecture."""
    architecture = getattr(backbone.net, "pretrained_cfg", {}).get("architecture", "")
    return timm.is_model(architecture) and timm.model_entrypoint(architecture).__module__.startswith("timm.")


def _is_plain(backbone: Backbone) -> bool:
    """Without inserted layers, and of an architecture that timm itself registers."""
    return of_timm(backbone) and not backbone.inserted


@torch.no_grad()
def as_affine(layer: nn.Module, width: int) -> Affine | None:
    """(D', D), (D',) of a layer that is affine in evaluation, in float64; None for any other.

    Args:
        layer: a projector, see `fgkd.methods.adapters.make_projector`; one on maps counts, for the mean of an affine
            map of cells is that map of their mean.
        width: D.
    """
    if isinstance(layer, OnVectors):
        return as_affine(layer.layer, width)
    if isinstance(layer, nn.Identity | nn.Sequential):
        return _chain([*layer.children()], width)
    if isinstance(layer, nn.BatchNorm2d):
        return _of_norm(layer)
    one_cell = isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1
    if isinstance(layer, nn.Linear | nn.Conv2d) and (one_cell or layer.weight.ndim == 2):
        return layer.weight.double().flatten(1), _or_zeros(layer.bias, len(layer.weight))
    return None


def _or_zeros(bias: Tensor | None, width: int) -> Tensor:
    return torch.zeros(width, dtype=torch.float64) if bias is None else bias.double()


def _of_norm(norm: nn.BatchNorm2d) -> Affine | None:
    if norm.running_mean is None or norm.running_var is None:
        return None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return torch.diag(scale), norm.bias.double() - scale * norm.running_mean.double()


def _chain(layers: list[nn.Module], width: int) -> Affine | None:
    matrix, offset = torch.eye(width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
    for layer in layers:
        affine = as_affine(layer, len(offset))
        if affine is None:
            return None
        matrix, offset = affine[0] @ matrix, affine[0] @ offset + affine[1]
    return matrix, offset


def _behind(affine: Affine, head: Head) -> Head:
    """The head that reads, before the affine layer, what `head` reads behind it."""
    weight = head.weight.detach().double()
    bias = weight @ affine[1] + _or_zeros(head.bias, len(weight)).detach()
    return Head((weight @ affine[0]).float(), bias.float())


@torch.no_grad()
def _with_head(net: nn.Module, head: Head) -> nn.Module:
    """A copy of a network whose classifier was retired, with another one in its place."""
    net = copy.deepcopy(net)
    num_classes = len(head.weight)
    for layer in linear_layers(net):
        layer.weight = nn.Parameter(layer.weight.new_zeros(num_classes, *layer.weight.shape[1:]))
        layer.bias = nn.Parameter(layer.weight.new_zeros(num_classes))
        setattr(layer, "out_channels" if isinstance(layer, nn.Conv2d) else "out_features", num_classes)
    write_head(net, head, frozen=False)
    return net
