"""One pass over a split for the teacher and every learner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from fgkd.methods.base import Objective
from fgkd.models.eyes import Eyes, Sight
from fgkd.signals import Batch, Needs, Signals
from fgkd.train.clock import Clock

LOGITS = Needs(logits=True)
Gather = Callable[[Tensor], Tensor]  # (n, ...) of this process -> (N, ...) of all processes, in order


@dataclass(frozen=True)
class Examinee:
    """A network to evaluate.

    Attributes:
        sight: how its input looks.
        needs: what is asked of it.
        objective: whose readouts are evaluated beside the logits; None where there are none.
        name: under which its time is counted.
    """

    network: nn.Module
    sight: Sight
    needs: Needs = LOGITS
    objective: Objective | None = None
    name: str = "teacher"


@dataclass
class Outputs:
    """What a network answered to a whole split.

    Attributes:
        logits: (N, K) float32.
        pooled: (N, D) float32, empty where it was not asked for.
        readouts: further logits by name, each (N, K).
    """

    logits: Tensor
    pooled: Tensor | None = None
    readouts: Mapping[str, Tensor] = field(default_factory=dict)


@contextmanager
def _evaluating(examinees: Iterable[Examinee]) -> Iterator[None]:
    """All networks and objectives in eval mode, and back to what they were."""
    modules = [m for e in examinees for m in (e.network, e.objective) if m is not None]
    modes = [m.training for m in modules]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)


class _Collector:
    """Gathers one examinee's answers, batch by batch, on the device."""

    def __init__(self, examinee: Examinee, embeddings: bool) -> None:
        self.examinee, self.embeddings = examinee, embeddings
        self.needs = examinee.needs | Needs(pooled=embeddings)
        self.parts: dict[str, list[Tensor]] = {}

    def take(self, eyes: Eyes) -> None:
        objective = self.examinee.objective
        signals: Signals = self.examinee.network(eyes.seen_by(self.examinee.sight), self.needs)
        answers = {"logits": signals.logits, "pooled": signals.pooled if self.embeddings else None}
        if objective is not None:
            answers |= {f"readout/{name}": value for name, value in objective.readouts(signals).items()}
        for name, value in answers.items():
            if value is not None:
                self.parts.setdefault(name, []).append(value.float())

    def outputs(self, gather: Gather) -> Outputs:
        whole = {name: gather(torch.cat(parts)).cpu() for name, parts in self.parts.items()}
        readouts = {name.removeprefix("readout/"): v for name, v in whole.items() if name.startswith("readout/")}
        return Outputs(whole["logits"], whole.get("pooled"), readouts)


@torch.no_grad()
def evaluate(
    loader: Iterable[Batch],
    examinees: Sequence[Examinee],
    *,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[object]],
    gather: Gather,
    clock: Clock,
    embeddings: bool = False,
) -> tuple[list[Outputs], Tensor]:
    """Answers of every examinee to the whole split, in the split's order, and the targets (N,), on the CPU.

    Args:
        loader: yields each sample once over all processes.
        clock: counts loading under ``evaluate/load`` and each network under ``evaluate/<name>``.
        embeddings: whether to keep the pooled embeddings too.
    """
    collectors = [_Collector(examinee, embeddings) for examinee in examinees]
    targets: list[Tensor] = []
    with ExitStack() as stack:
        stack.enter_context(_evaluating(examinees))
        for batch in clock.each("evaluate/load", loader):
            eyes = Eyes(batch.image.to(device, non_blocking=True), batch.crop_pct)
            targets.append(batch.target)
            for collector in collectors:
                with clock.span(f"evaluate/{collector.examinee.name}"), autocast():
                    collector.take(eyes)
    whole_targets = gather(torch.cat(targets).to(device)).cpu()
    return [c.outputs(gather) for c in collectors], whole_targets
