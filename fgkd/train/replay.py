"""A student's pass in training, captured once as CUDA graphs and replayed: a small student waits for the host else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import fields
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from fgkd.models.surgery import Inserted
from fgkd.signals import Needs, Signals

MAPPINGS = ("stages", "extras")  # fields of Signals that hold tensors by name


class _Flat(nn.Module):
    """The network with tensors for signals; torch captures nothing else."""

    def __init__(
        self, network: nn.Module, needs: Needs, autocast: Callable[[], AbstractContextManager[object]]
    ) -> None:
        super().__init__()
        self.network, self.needs, self.autocast = network, needs, autocast
        self.names: list[tuple[str, Any]] = []  # of the tensors: field, and key where the field is a mapping

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        with self.autocast():
            signals = self.network(image, self.needs)
        named = _named(signals)
        self.names = list(named)
        return tuple(named.values())


def _named(signals: Signals) -> dict[tuple[str, Any], Tensor]:
    """All tensors of `signals` but the head's, which are parameters."""
    found: dict[tuple[str, Any], Tensor] = {}
    for field in fields(signals):
        value = getattr(signals, field.name)
        if isinstance(value, Tensor):
            found[field.name, None] = value
        elif isinstance(value, Mapping):
            found |= {(field.name, key): tensor for key, tensor in value.items()}
    return found


def _signals(named: Mapping[tuple[str, Any], Tensor]) -> dict[str, Any]:
    """The fields of Signals from what `_named` gave."""
    given: dict[str, Any] = {name: {} for name in MAPPINGS}
    for (name, key), tensor in named.items():
        if name in MAPPINGS:
            given[name][key] = tensor
        else:
            given[name] = tensor
    return given


def can_replay(network: nn.Module) -> bool:
    """Whether every kernel of the network can be captured: no method's layer decides on the host or calls a solver."""
    return not any(isinstance(module, Inserted) or is_parametrized(module) for module in network.modules())


def replayed(
    network: nn.Module, needs: Needs, image: Tensor, autocast: Callable[[], AbstractContextManager[object]]
) -> Callable[[Tensor], Signals]:
    """``image -> network(image, needs)`` in training, forward and backward replayed from CUDA graphs.

    The kernels and their order are those of an ordinary pass. Every network keeps its activations for itself, where
    they are else freed for the next one. The network must stay on its device; weights may change in place.

    Args:
        network: on a CUDA device, in training mode.
        needs: what is asked of it, always.
        image: (B, 3, S, S) an example; all others have its shape and type.
        autocast: the precision's.
    """
    flat = _Flat(network, needs, autocast)
    state = {name: buffer.clone() for name, buffer in network.named_buffers()}
    with torch.random.fork_rng(devices=[image.device] if image.is_cuda else []):
        captured = torch.cuda.make_graphed_callables(flat, (image,), allow_unused_input=True)
    pass_through = cast(Callable[[Tensor], tuple[Tensor, ...]], captured)
    with torch.no_grad():
        for name, buffer in network.named_buffers():  # capturing takes passes, which move running statistics
            buffer.copy_(state[name])
    names, head = flat.names, getattr(network, "head", None)

    def look(image: Tensor) -> Signals:
        given = _signals(dict(zip(names, pass_through(image), strict=True)))
        return Signals(**given, head=head() if needs.head and callable(head) else None)

    return look
