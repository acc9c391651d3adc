"""A live teacher: one forward pass per batch, in inference form, for the whole cohort."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from fgkd.models import InputSpec
from fgkd.models.eyes import Eyes
from fgkd.signals import Head, Needs, Signals, SignalShapes


@dataclass(frozen=True)
class Credentials:
    """Who a teacher is and what it was measured to know; every record that used it carries this.

    Attributes:
        run_id: of the run that trained it inside a suite; None for weights used as they are.
        holdout_top1, test_top1: in [0, 1].
    """

    name: str
    run_id: str | None
    weights_hash: str
    holdout_top1: float
    test_top1: float | None = None


class Teacher:
    """A frozen network that answers `Needs`.

    Args:
        network: any network; it is put into eval mode, frozen, and into channels_last where it prefers that.
        sight: how its input looks.
        shapes: of its signals.
        head: its linear classifier, None where it has none.
        credentials: see `Credentials`.
        device: where it computes.
        autocast: the precision's context.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        sight: InputSpec,
        shapes: SignalShapes,
        head: Head | None,
        credentials: Credentials,
        device: torch.device,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        if getattr(network, "prefers_channels_last", False):
            self.network.to(memory_format=torch.channels_last)
        self.sight, self.shapes, self.credentials = sight, shapes, credentials
        self.head = None if head is None else head.detached().to(device)
        self.device, self._autocast = device, autocast
        self.forwards = 0

    # no_grad rather than inference_mode: a method may use these tensors as constants inside autograd
    @torch.no_grad()
    def signals(self, eyes: Eyes, needs: Needs) -> Signals:
        """The teacher's word on a batch; logits and embeddings in float32."""
        self.forwards += 1
        with self._autocast():
            given = self.answer(eyes.seen_by(self.sight), needs)
        as_float = lambda x: None if x is None else x.float()
        return replace(given.detached(), logits=as_float(given.logits), pooled=as_float(given.pooled))

    def answer(self, image: Tensor, needs: Needs) -> Signals:
        """The network's word on (B, 3, S, S) as it sees them."""
        given: Signals = self.network(image, needs)
        return given
