"""One pass over a split for the teacher and every learner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from fgkd.methods.base import Objective
from fgkd.metrics import Thinned, judge
from fgkd.metrics.accuracy import predictions
from fgkd.models import InputSpec
from fgkd.models.eyes import Eyes
from fgkd.signals import Batch, Needs, Signals
from fgkd.train.clock import Clock
from fgkd.train.faults import blaming

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
        taught: whether its answers are compared with the teacher's.
        temperature: for calibrated confidences; None where it is not known yet.
    """

    network: nn.Module
    sight: InputSpec
    needs: Needs = LOGITS
    objective: Objective | None = None
    name: str = "teacher"
    taught: bool = False
    temperature: float | None = None


@dataclass(frozen=True)
class Keep:
    """What is kept of a network's answers, beside whether its first class is right.

    Attributes:
        samples: what `fgkd.metrics.judge` finds.
        logits: enough of them to fit a temperature.
        embeddings: all of them, in this machine's memory.
        classes: False where the split's classes are not the network's, so that embeddings are all that can be judged.
    """

    samples: bool = False
    logits: bool = False
    embeddings: bool = False
    classes: bool = True


HITS = Keep()


@dataclass
class Outputs:
    """What a network answered to a whole split; of N samples, in the split's order, on the device.

    Attributes:
        samples: (N,) by name: ``hit``, whether the first class is right; with `Keep.samples` what `judge` found.
        readouts: (N,) hits of further logits, by name.
        pooled: (N, D) float32.
        logits: (M, K) float32 of the samples at `positions` (M,).
    """

    samples: Mapping[str, Tensor]
    readouts: Mapping[str, Tensor] = field(default_factory=dict)
    pooled: Tensor | None = None
    logits: Tensor | None = None
    positions: Tensor | None = None


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
    """Gathers one examinee's answers, batch by batch: a few numbers per sample, and what `Keep` names."""

    def __init__(self, examinee: Examinee, keep: Keep) -> None:
        self.examinee, self.keep = examinee, keep
        self.needs = examinee.needs | Needs(pooled=keep.embeddings)
        self.parts: dict[str, list[Tensor]] = {}
        self.thinned = Thinned() if keep.logits else None

    def take(self, eyes: Eyes) -> tuple[Tensor | None, dict[str, Tensor]]:
        """The network's logits and readouts of a batch (where its classes count); its embeddings are kept."""
        objective = self.examinee.objective
        signals: Signals = self.examinee.network(eyes.seen_by(self.examinee.sight), self.needs)
        if self.keep.embeddings and signals.pooled is not None:
            self._add("pooled", signals.pooled.float().cpu())  # too many for the device, with many learners
        if not self.keep.classes:
            return None, {}
        assert signals.logits is not None
        readouts = {} if objective is None else objective.readouts(signals)
        return signals.logits.float(), {name: value.float() for name, value in readouts.items()}

    def mark(self, logits: Tensor, readouts: Mapping[str, Tensor], batch: Batch, teacher: Tensor | None) -> None:
        """Keep what the batch's answers are worth; `teacher` has the logits to compare with, on the device.

        `batch` has its targets on the device, and its index where the loader left it.
        """
        target = batch.target
        self._add("hit", predictions(logits) == target)
        for name, value in readouts.items():
            self._add(f"readout/{name}", predictions(value) == target)
        if self.keep.samples:
            temperature = self.examinee.temperature
            for name, value in judge(logits, target, teacher_logits=teacher, temperature=temperature).items():
                self._add(name, value)
        if self.thinned is not None:
            self.thinned.add(logits, batch.index)

    def _add(self, name: str, value: Tensor) -> None:
        self.parts.setdefault(name, []).append(value)

    def outputs(self, gather: Gather, device: torch.device) -> Outputs:
        """All parts joined over processes, and let go of: with many learners their embeddings are large."""
        pooled = self.parts.pop("pooled", None)
        whole_pooled = None if pooled is None else gather(torch.cat(pooled).to(device)).cpu()
        whole = {name: gather(torch.cat(self.parts.pop(name)).to(device)) for name in list(self.parts)}
        readouts = {name.removeprefix("readout/"): v for name, v in whole.items() if name.startswith("readout/")}
        logits, positions = (None, None) if self.thinned is None else self.thinned.rows(gather)
        samples = {name: value for name, value in whole.items() if not name.startswith("readout/")}
        return Outputs(samples, readouts, whole_pooled, logits, positions)


@torch.no_grad()
def evaluate(
    loader: Iterable[Batch],
    examinees: Sequence[Examinee],
    *,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[object]],
    gather: Gather,
    clock: Clock,
    teacher: Examinee | None = None,
    keep: Keep = HITS,
) -> tuple[list[Outputs], Tensor]:
    """Answers of every examinee to the whole split, and the targets (N,), on the device.

    Args:
        loader: yields each sample once over all processes.
        clock: counts loading under ``evaluate/load`` and each network under ``evaluate/<name>``.
        teacher: asked first, compared with, and the first of the outputs; None where nobody is.
        keep: what of the answers.

    Raises:
        Blamed: one of the networks, or its objective, raised an error.
    """
    sitting = [*([] if teacher is None else [teacher]), *examinees]
    collectors = [_Collector(examinee, keep) for examinee in sitting]
    targets: list[Tensor] = []
    with _evaluating(sitting):
        for rows in clock.each("evaluate/load", loader):
            batch = replace(rows, target=rows.target.to(device, non_blocking=True))
            eyes = Eyes(rows.image.to(device, non_blocking=True), rows.crop_pct)
            targets.append(batch.target)
            _sit(collectors, eyes, batch, teacher, autocast=autocast, clock=clock)
    return [c.outputs(gather, device) for c in collectors], gather(torch.cat(targets))


def _sit(
    collectors: Iterable[_Collector],
    eyes: Eyes,
    batch: Batch,
    teacher: Examinee | None,
    *,
    autocast: Callable[[], AbstractContextManager[object]],
    clock: Clock,
) -> None:
    """One batch, answered and marked by all, the teacher first."""
    reference = None
    for collector in collectors:
        examinee = collector.examinee
        with clock.span(f"evaluate/{examinee.name}"), blaming(examinee.name):
            with autocast():
                logits, readouts = collector.take(eyes)
            if logits is not None:
                collector.mark(logits, readouts, batch, reference if examinee.taught else None)
        if examinee is teacher:
            reference = logits
