"""Collectives that are the identity in a single process, for methods with memory shared between processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def all_gather(rows: Tensor) -> Tensor:
    """(B, ...) on each process -> (world * B, ...) in rank order, cut from autograd."""
    rows = rows.detach()
    if world_size() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def all_mean(value: Tensor) -> Tensor:
    """Mean over processes, cut from autograd."""
    value = value.detach().clone()
    if world_size() > 1:
        dist.all_reduce(value)
        value /= world_size()
    return value
