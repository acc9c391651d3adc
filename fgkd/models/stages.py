"""Which of a trunk's feature maps are its four stages."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from fgkd.signals import STAGES


def feature_info(net: nn.Module) -> list[dict[str, Any]]:
    """timm's account of a trunk's feature maps, shallowest first."""
    return list(cast(Any, net).feature_info)


def is_isotropic(net: nn.Module) -> bool:
    """Whether all feature maps are of one resolution, as in a ViT or a mixer."""
    return len({info["reduction"] for info in feature_info(net)}) == 1


def stage_indices(net: nn.Module) -> dict[int, int]:
    """Stage -> index into the trunk's feature maps.

    A pyramid's stages are its last four maps; an isotropic trunk's are the blocks that end its quarters (2, 5, 8 and 11
    of twelve). A trunk of fewer than four maps has that many stages, counted from the end: nothing is repeated.
    """
    count = len(feature_info(net))
    if count < len(STAGES) or not is_isotropic(net):
        return {stage: count + stage for stage in STAGES if count + stage >= 0}
    return {stage: -(-count * (stage + 5) // 4) - 1 for stage in STAGES}
