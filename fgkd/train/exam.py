"""The final examination of a cohort: one pass over hold-out and one over test, and what the answers are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from fgkd.metrics import figures, fit_temperature, reliability, summarise_embeddings, verification_roc
from fgkd.train.evaluate import Examinee, Keep, Outputs
from fgkd.train.faults import blaming

HOLDOUT = Keep(samples=True, logits=True)
TEST = Keep(samples=True, embeddings=True)
UNSEEN = Keep(embeddings=True, classes=False)
Ask = Callable[[Sequence[Examinee], Examinee | None, Keep], tuple[list[Outputs], Tensor]]  # one pass over a split


@dataclass
class Sheet:
    """What was found of one network.

    Attributes:
        holdout: figures by name, ``temperature`` among them; shares in [0, 1].
        test: figures by name.
        profiles: of test: ``reliability`` and ``roc``, as `reliability` and `verification_roc` give them.
        predictions: (N,) int64, the classes given to test; None where they mean nothing.
    """

    holdout: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    profiles: dict[str, list[list[float]]] = field(default_factory=dict)
    predictions: Tensor | None = None


def examine(
    examinees: Sequence[Examinee],
    teacher: Examinee | None,
    *,
    holdout: Ask,
    test: Ask,
    unseen: bool = False,
) -> list[Sheet]:
    """A sheet for each examinee, the teacher's first where there is one.

    Hold-out comes first: the temperatures that test is judged with are fitted there.

    Args:
        unseen: whether test's classes are others.
    """
    everyone = [*([] if teacher is None else [teacher]), *examinees]
    sheets = [Sheet() for _ in everyone]
    outputs, targets = holdout(examinees, teacher, HOLDOUT)
    for examinee, sheet, output in zip(everyone, sheets, outputs, strict=True):
        with blaming(examinee.name):
            sheet.holdout = _classified(output, targets) | _temperature(output, targets)
    fitted = [replace(e, temperature=s.holdout.get("temperature")) for e, s in zip(everyone, sheets, strict=True)]
    asked = fitted[0] if teacher is not None else None
    outputs, targets = test(fitted[1:] if asked else fitted, asked, UNSEEN if unseen else TEST)
    for examinee, sheet in zip(everyone, sheets, strict=True):
        output = outputs.pop(0)  # and with it goes the memory of its embeddings
        with blaming(examinee.name):
            _mark_test(sheet, output, targets, unseen=unseen)
    return sheets


def _mark_test(sheet: Sheet, output: Outputs, targets: Tensor, *, unseen: bool) -> None:
    if not unseen:
        sheet.test = _classified(output, targets)
        sheet.predictions = output.samples["predicted"].cpu()
        if "ece" in sheet.test:
            sheet.profiles["reliability"] = reliability(output.samples["confidence"], output.samples["rank"] == 0)
    if output.pooled is not None and len(targets) > 1:
        pooled = output.pooled.to(targets.device)
        sheet.test |= summarise_embeddings(pooled, targets)
        sheet.profiles["roc"] = verification_roc(pooled, targets)


def _classified(output: Outputs, targets: Tensor) -> dict[str, float]:
    return figures(output.samples, targets) | accuracies(output)


def accuracies(output: Outputs) -> dict[str, float]:
    """Top-1 of the logits and of every readout, in [0, 1]."""
    share = lambda hits: float(hits.double().mean())
    return {"top1": share(output.samples["hit"])} | {f"top1/{k}": share(v) for k, v in output.readouts.items()}


def _temperature(output: Outputs, targets: Tensor) -> dict[str, float]:
    assert output.logits is not None, "hold-out is read with logits"
    assert output.positions is not None
    if not output.logits.isfinite().all():
        return {}
    return {"temperature": fit_temperature(output.logits, targets[output.positions])}
