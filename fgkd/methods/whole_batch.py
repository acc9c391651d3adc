"""The batch of all processes, for losses that compare its samples with each other.

Where such a loss saw the rows of one process only, its value and its negatives would depend on how many processes there
are. So every process computes the loss of the whole batch, and lets through the gradient of its own rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fgkd.collective import all_gather, world_size
from fgkd.signals import Lesson, Signals


class _Gathered(torch.autograd.Function):
    """(B, ...) of each process -> (world * B, ...), with a gradient to the process's own rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.share = len(rows)
        return all_gather(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # All processes compute the same loss of all rows, and DDP divides the sum of their gradients by their number.
        first = dist.get_rank() * ctx.share
        return gradients[0][first : first + ctx.share] * world_size()


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes, in rank order; each process has equally many, and gets the gradient of its own."""
    if world_size() == 1:
        return rows
    return _Gathered.apply(rows) if rows.requires_grad else all_gather(rows)


def whole_batch(student: Signals, lesson: Lesson) -> tuple[Signals, Lesson]:
    """Both nets' signals, labels and positions of the global batch; images stay those of this process."""
    batch = lesson.batch
    batch = replace(batch, target=gathered(batch.target), index=gathered(batch.index), offset=0)
    return student.mapped(gathered), replace(lesson, batch=batch, teacher=lesson.teacher.mapped(gathered))


def shows_whole_batches(objective: nn.Module) -> None:
    """Let `objective` be called with the whole batch wherever it is called with a process's share of it."""
    objective.register_forward_pre_hook(lambda _, given: whole_batch(*given))
