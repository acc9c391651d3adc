"""Processes that train together: collectives, each the identity in a single one, and their common end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from fgkd.errors import ProcessFailed


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


@contextmanager
def together() -> Iterator[None]:
    """Inside, what one process cannot survive ends all of them: they would wait for it in a collective.

    Raises:
        ProcessFailed: for any exception, where there are several processes.
    """
    try:
        yield
    except Exception as error:
        if world_size() == 1:
            raise
        raise ProcessFailed(dist.get_rank(), first=_first_to_fail()) from error


def _first_to_fail() -> bool:
    try:
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add("fgkd/failed", 1) == 1)
    except Exception:  # the process that kept the store is gone, so it was the first
        return False


def all_mean(value: Tensor) -> Tensor:
    """Mean over processes, cut from autograd."""
    value = value.detach().clone()
    if world_size() > 1:
        dist.all_reduce(value)
        value /= world_size()
    return value
