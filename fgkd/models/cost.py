"""What a network costs, counted on tensors without values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fgkd.models.probe import meta_copy
from fgkd.signals import Needs


@dataclass(frozen=True)
class Cost:
    """What one network costs to keep and to use.

    Attributes:
        params: see `count_params`.
        macs: multiply-accumulates of one image (matrix products and convolutions only).
        size_bytes: see `count_bytes`.
    """

    params: int
    macs: int
    size_bytes: int


def cost(network: nn.Module, size: int) -> Cost:
    """The cost of one image's logits in evaluation mode.

    Args:
        network: called as ``network(image, needs)``: a `Backbone`, or what a method made of one.
        size: side of the image in px.
    """
    macs = count_macs(meta_copy(network).eval(), size, Needs(logits=True))
    return Cost(count_params(network), macs, count_bytes(network))


def count_params(module: nn.Module) -> int:
    """All parameters, frozen ones included; shared ones once. Buffers called weight or bias are parameters too."""
    frozen = {id(b): b for name, b in module.named_buffers() if name.rpartition(".")[2] in ("weight", "bias")}
    return sum(p.numel() for p in [*module.parameters(), *frozen.values()])


def count_bytes(module: nn.Module) -> int:
    """Bytes of all tensors that its state holds, each once: what a file of its weights holds, but for the header."""
    tensors = {id(t): t for t in module.state_dict(keep_vars=True).values()}
    return sum(t.numel() * t.element_size() for t in tensors.values())


@torch.no_grad()
def count_macs(module: nn.Module, size: int, *more: object) -> int:
    """Multiply-accumulates of ``module(image, *more)`` for one image: half of what PyTorch's counter finds.

    `module` lies on the meta device, and stops taking gradients.
    """
    module.requires_grad_(False)  # or the counter hooks gradients that no_grad does not make
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, size, size, device="meta"), *more)
    return counter.get_total_flops() // 2
