"""Numerical habits shared by the families: full precision inside losses, linear warm-ups."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from fgkd.signals import Progress

P = ParamSpec("P")
R = TypeVar("R")
HALF = (torch.float16, torch.bfloat16)


def raised(x: Tensor) -> Tensor:
    """`x` in float32 where it is half precision, otherwise as it is."""
    return x.float() if x.dtype in HALF else x


def full_precision(loss: Callable[P, R]) -> Callable[P, R]:
    """Let `loss` run outside autocast, its positional half-precision tensors raised to float32.

    Autocast would do matrix products in half precision: Gram matrices and contrastive scores lose their small
    differences there, and a squared norm overflows float16.
    """

    @wraps(loss)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        device = next((a.device.type for a in args if isinstance(a, Tensor)), "cpu")
        lifted: tuple[Any, ...] = tuple(raised(a) if isinstance(a, Tensor) else a for a in args)
        if not torch.amp.is_autocast_available(device):  # the meta device, on which networks are priced
            return loss(*lifted, **kwargs)
        with torch.autocast(device, enabled=False):
            return loss(*lifted, **kwargs)

    return run


def of_class(target: Tensor, num_classes: int) -> Tensor:
    """Labels (B,) -> (B, K) bool, true at the label; unlike `one_hot` it looks at no value, so nobody waits for it.

    Example:
        >>> of_class(torch.tensor([1]), 3).tolist()
        [[False, True, False]]
    """
    return target[:, None] == torch.arange(num_classes, device=target.device)


def linear_warmup(progress: Progress, epochs: float) -> float:
    """A weight that rises linearly from 0 at the first step to 1 after `epochs` epochs; 1 at once where `epochs` is 0.

    Example:
        >>> linear_warmup(Progress(step=5, steps_per_epoch=10, epochs=3), epochs=2)
        0.25
    """
    return min(progress.epoch / epochs, 1.0) if epochs else 1.0
