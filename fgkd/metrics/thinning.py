"""Logits kept for fitting one temperature: all of a small split, an even share of a large one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LOGITS_KEPT = 2**24  # 64 MiB of float32; 16,000 samples of 1,000 classes settle one number


class Thinned:
    """Every s-th sample of a split, s being the smallest power of two that keeps at most `budget` logits.

    Which samples those are depends on the split's length alone, not on batches or processes. Memory stays within the
    budget while batches arrive, for a sample that goes early would have gone late as well.

    Args:
        budget: numbers to keep, over N x K.
    """

    def __init__(self, budget: int = LOGITS_KEPT) -> None:
        self.budget, self._stride = budget, 1
        self._rows: list[Tensor] = []
        self._positions: list[Tensor] = []

    def add(self, rows: Tensor, positions: Tensor) -> None:
        """A batch (B, K) of samples at `positions` (B,) of the split, which come in rising order.

        Positions are on the CPU, for they are looked at here; rows may lie on a device, which is not waited for.
        """
        stride = self._needed(int(positions[-1]) + 1, rows.shape[1])
        if stride > self._stride:
            self._stride = stride
            kept = [self._thin(*part) for part in zip(self._rows, self._positions, strict=True)]
            self._rows, self._positions = [part[0] for part in kept], [part[1] for part in kept]
        rows, positions = self._thin(rows, positions)
        self._rows.append(rows)
        self._positions.append(positions)

    def rows(self, gather: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """What was kept over all processes, (M, K), and where it stood, (M,); `gather` joins their rows in order."""
        kept = torch.cat(self._rows)
        rows, positions = gather(kept), gather(torch.cat(self._positions).to(kept.device))
        self._stride = int(gather(torch.tensor([self._stride], device=rows.device)).max())
        return self._thin(rows, positions)

    def _needed(self, samples: int, classes: int) -> int:
        stride = 1
        while -(-samples // stride) * classes > self.budget and stride < samples:
            stride *= 2
        return stride

    def _thin(self, rows: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        if self._stride == 1:
            return rows, positions
        kept = positions % self._stride == 0
        return rows[kept], positions[kept]
