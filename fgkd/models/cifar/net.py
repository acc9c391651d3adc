"""The frame that all networks for 32 px images share, with the interface of a timm model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models._features import feature_take_indices
from torch import Tensor, nn

MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)  # CIFAR-100's training images


@dataclass(frozen=True)
class Part:
    """A piece of a trunk: what it gives, and how many px of the image one cell of it covers along a side."""

    layers: nn.Module
    channels: int
    reduction: int


class CifarNet(nn.Module):
    """Stem, stages, tail, global mean, one linear layer. Its feature maps are the stem's and every stage's.

    Args:
        stem, stages: the trunk in order.
        tail: what follows the last stage before pooling, (layers, channels); None for nothing.
        num_classes: K; 0 for no classifier.
        drop_rate: dropout before the classifier, in [0, 1).
        drawn: draw convolutions from a normal of fan-out variance (He et al.); else PyTorch's own initialisation stays.
    """

    def __init__(
        self,
        stem: Part,
        stages: Sequence[Part],
        tail: tuple[nn.Module, int] | None,
        *,
        num_classes: int,
        drop_rate: float = 0.0,
        drawn: bool = True,
    ) -> None:
        super().__init__()
        self.drop_rate = drop_rate
        self.stem = stem.layers
        self.stages = nn.Sequential(*(part.layers for part in stages))
        self.tail, self.num_features = tail or (nn.Identity(), stages[-1].channels)
        self.head_hidden_size = self.num_features
        names = ["stem", *(f"stages.{i}" for i in range(len(stages)))]
        self.feature_info = [
            {"num_chs": part.channels, "reduction": part.reduction, "module": name}
            for name, part in zip(names, [stem, *stages], strict=True)
        ]
        if drawn:
            self.apply(_draw)
        self.reset_classifier(num_classes)

    def get_classifier(self) -> nn.Module:
        """The last linear layer."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Draw a new classifier; the pooling is always the mean."""
        if global_pool not in (None, "avg"):
            raise ValueError(f"global_pool: expected avg, got {global_pool!r}")
        self.num_classes = num_classes
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def forward_features(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) -> the map before pooling."""
        return self.tail(self.stages(self.stem(image)))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        *,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> Any:
        """As in timm: the maps at `indices`, after the map before pooling unless `intermediates_only`."""
        wanted, _ = feature_take_indices(len(self.feature_info), indices)
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        taken = [maps[i] for i in wanted]
        return taken if intermediates_only else (self.tail(maps[-1]), taken)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The map before pooling -> logits (B, K), or what the classifier reads."""
        pooled = F.dropout(x.mean((2, 3)), self.drop_rate, self.training)
        return pooled if pre_logits else self.head(pooled)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) -> logits (B, K)."""
        return self.forward_head(self.forward_features(image))


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def conv_norm(inside: int, outside: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution that keeps the sides at stride 1, without bias, and its batch norm."""
    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outside)]


default_cfgs: dict[str, Any] = {}


def enter(name: str, build: Callable[..., CifarNet], first_conv: str) -> None:
    """Register a network with timm.

    Args:
        build: called with `num_classes`, `in_chans` and what else a spec's kwargs say.
        first_conv: name of the first convolution.
    """

    def create(pretrained: bool = False, **kwargs: Any) -> nn.Module:
        return build_model_with_cfg(build, name, pretrained, **kwargs)

    config = {"num_classes": 100, "input_size": (3, 32, 32), "crop_pct": 1.0, "mean": MEAN, "std": STD}
    default_cfgs.update(generate_default_cfgs({name: config | {"first_conv": first_conv, "classifier": "head"}}))
    create.__name__ = create.__qualname__ = name
    create.__module__ = __name__
    setattr(sys.modules[__name__], name, register_model(create))
