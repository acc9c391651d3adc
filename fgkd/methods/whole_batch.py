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
from fgkd.signals import Lesson, Needs, Signals


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


def of_all(signals: Signals, needs: Needs, *, extras: bool = False) -> Signals:
    """What `needs` asks for, of all processes; what others of the cohort or of the sum asked for is not sent."""
    asked = signals.only(needs)
    return (asked if extras else replace(asked, extras={})).mapped(gathered)


def shows_whole_batches(objective: nn.Module, student_needs: Needs, teacher_needs: Needs, *, extras: bool) -> None:
    """Let `objective` be called with the whole batch wherever it is called with a process's share of it.

    Args:
        student_needs, teacher_needs: what it reads of both nets' signals; the rest it does not get.
        extras: whether it also reads `Signals.extras` of its student.
    """

    def whole(_: nn.Module, given: tuple[Signals, Lesson]) -> tuple[Signals, Lesson]:
        student, lesson = given  # images stay those of this process
        batch = replace(lesson.batch, target=gathered(lesson.target), index=gathered(lesson.batch.index), offset=0)
        lesson = replace(lesson, batch=batch, teacher=of_all(lesson.teacher, teacher_needs))
        return of_all(student, student_needs, extras=extras), lesson

    objective.register_forward_pre_hook(whole)
