"""Layers put into a trunk to stay: run on a stage's map as part of every pass, and deployed with the network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fgkd.errors import UserError
from fgkd.models.layout import Layout, layout_of
from fgkd.models.probe import trunk
from fgkd.models.stages import feature_info, stage_indices


class Inserted(nn.Module):
    """A module behind one stage of a trunk.

    Args:
        module: (B, C, H, W) -> a map of the same shape, or (map, extras) with tensors by name.
        layout: how the trunk lays out its features there.
    """

    def __init__(self, module: nn.Module, layout: Layout) -> None:
        super().__init__()
        self.module = module
        self.layout = layout
        self._extras: Mapping[str, Tensor] = {}

    # a method, not a closure: copies of a network (EMA, probes) must run their own copy of the module
    def hook(self, stage: nn.Module, inputs: Any, features: Tensor) -> Tensor:
        """The forward hook of the stage's last layer."""
        result = self.module(self.layout.fold(features))
        grid, self._extras = result if isinstance(result, tuple) else (result, {})
        return self.layout.unfold(grid, like=features)

    def take_extras(self) -> Mapping[str, Tensor]:
        """What the module gave beside the map in the last pass; given once, so that nothing is kept alive."""
        extras, self._extras = self._extras, {}
        return extras


def stage_module(net: nn.Module, stage: int) -> nn.Module:
    """The submodule whose output is that stage's map."""
    return net.get_submodule(str(feature_info(net)[stage_indices(net)[stage]]["module"]))


@torch.no_grad()
def stage_layout(net: nn.Module, stage: int, size: int) -> Layout:
    """The layout of what `stage_module` gives; UserError where its output is not the stage's map."""
    twin = copy.deepcopy(net).eval()
    given: list[Tensor] = []
    stage_module(twin, stage).register_forward_hook(lambda module, inputs, output: given.append(output))
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(next(net.parameters()).device)
    grid = trunk(twin, image, {stage: stage_indices(net)[stage]})[1][stage]
    layout = layout_of(given[-1], net) if given else None
    if layout is None or not torch.equal(layout.fold(given[-1]), grid):
        raise UserError(f"no layer can be put behind stage {stage} of {type(net).__name__}; choose another stage")
    return layout
