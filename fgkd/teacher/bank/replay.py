"""Lessons whose batches bring the teacher's word along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fgkd.signals import Batch, Head, Lessons, Needs, Signals
from fgkd.teacher.bank.store import Bank


@dataclass(frozen=True)
class Service:
    """Who serves the teacher's word on the fixed views of a feed with a bank.

    Attributes:
        how: ``replayed``, or ``live: `` and why.
        seconds: that the bank took to build, once; None where nothing is replayed.
    """

    how: str
    seconds: float | None = None


class Replay:
    """A training loader, and what a bank holds of its batches.

    Args:
        lessons: the loader, of a feed with fixed views; its batches lie on the CPU.
        bank: of the same feed.
        needs: what of it is read.
        head: of the teacher, where somebody needs it.
        pin_memory: page-locked tensors, for copies to a GPU that do not wait.
    """

    def __init__(
        self, lessons: Lessons, bank: Bank, needs: Needs, *, head: Head | None = None, pin_memory: bool = False
    ) -> None:
        self.lessons, self.bank, self.needs, self.pin_memory = lessons, bank, needs, pin_memory
        self.head = head if needs.head else None
        self.steps_per_epoch = lessons.steps_per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from step `start` on."""
        for batch in self.lessons.epoch(epoch, start):
            assert batch.views is not None, "a bank is replayed to fixed views only"
            yield replace(batch, taught=self._told(self.bank.signals(batch.index, batch.views, self.needs)))

    def _told(self, signals: Signals) -> Signals:
        pinned = lambda x: x.pin_memory() if x is not None and self.pin_memory else x
        return replace(signals, logits=pinned(signals.logits), pooled=pinned(signals.pooled), head=self.head)
