"""What a plan costs before it is run: multiply-accumulates, memory, and hours on this machine.

A cohort pays for its teacher once; run one by one, every run that asks a teacher would pay for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fgkd.models import meta_backbone
from fgkd.plan import Plan, PlannedCohort, part_of
from fgkd.spec import BackboneSpec, RunSpec

HALVED = 0.6  # of the activations' bytes, under autocast: norms and losses keep float32
BACKWARD = 3  # a training step costs about three forward passes
UNKEPT = 0.15  # what a forward pass that keeps nothing takes of the time that memory takes of a training step, measured
STATES = {"sgd": 1, "momentum": 1, "adam": 2, "adamw": 2}  # float32 copies of the weights that an optimiser keeps


@dataclass(frozen=True)
class NetworkPrice:
    """One network at one size.

    Attributes:
        params: parameters.
        macs: multiply-accumulates of one image.
        saved_bytes: what autograd keeps of one image between forward and backward, in float32.
        largest_bytes: the largest tensor in it.
    """

    params: int
    macs: int
    saved_bytes: int
    largest_bytes: int


@dataclass(frozen=True)
class CohortPrice:
    """One planned cohort.

    Attributes:
        images: training images of one learner, over all epochs.
        macs: together; `macs_alone`: if each run were run by itself.
        kept: bytes that go to memory and come back, together; `kept_alone`: if each run were run by itself.
        bytes: peak memory, see `peak_bytes`.
    """

    cohort: PlannedCohort
    images: int
    macs: float
    macs_alone: float
    kept: float
    kept_alone: float
    bytes: int


Sizes = Callable[[RunSpec], tuple[int, int]]  # run -> (number of classes, training images per epoch)


class Pricer:
    """Prices cohorts; networks are built on the meta device, so neither weights nor data are needed.

    Args:
        sizes: of a run's data set.
        replays: whether a cohort's teacher is replayed from a bank, and so shown every fixed view just once.
    """

    def __init__(self, sizes: Sizes, replays: Callable[[PlannedCohort], bool] = lambda _: False) -> None:
        self._sizes, self._replays = sizes, replays
        self._known: dict[tuple[BackboneSpec, int, int], NetworkPrice] = {}

    def network(self, spec: BackboneSpec, num_classes: int, view_size: int) -> NetworkPrice:
        """The price of a network, found once."""
        key = (spec, num_classes, view_size)
        if key not in self._known:
            self._known[key] = price_network(spec, num_classes, view_size)
        return self._known[key]

    def cohort(self, planned: PlannedCohort) -> CohortPrice:
        """The price of a cohort."""
        num_classes, per_epoch = self._sizes(planned.runs[0])
        feed = planned.feed
        images = per_epoch // feed.batch_size * feed.batch_size * feed.epochs
        students = [self.network(run.student, num_classes, feed.view.size) for run in planned.runs]
        teacher = self.network(feed.teacher.backbone, num_classes, feed.view.size) if feed.teacher else None
        asks = sum(run.feed.teacher is not None for run in planned.runs)
        shown = images
        if feed.bank is not None and self._replays(planned):
            asks, shown = 1, per_epoch * feed.bank
        macs = images * BACKWARD * sum(float(s.macs) for s in students)
        kept = images * sum(float(s.saved_bytes) for s in students)
        asked_macs = shown * float(teacher.macs) if teacher else 0.0
        asked_kept = shown * UNKEPT * teacher.saved_bytes if teacher else 0.0
        return CohortPrice(
            planned,
            images,
            macs=macs + asked_macs,
            macs_alone=macs + asked_macs * asks,
            kept=kept + asked_kept,
            kept_alone=kept + asked_kept * asks,
            bytes=peak_bytes(list(zip(planned.runs, students, strict=True)), teacher),
        )

    def parts(self, planned: PlannedCohort, budget: int | None) -> list[PlannedCohort]:
        """The cohort in as few parts, each within `budget` bytes, as its order gives; a lone run is not divided.

        Results do not change: a learner's do not depend on its neighbours.
        """
        parts: list[list[RunSpec]] = []
        for run in planned.runs:
            joined = [*parts[-1], run] if parts else []
            if joined and (budget is None or self.cohort(part_of(planned, joined)).bytes <= budget):
                parts[-1] = joined
            else:
                parts.append([run])
        return [part_of(planned, part) for part in parts]

    def plan(self, plan: Plan) -> list[CohortPrice]:
        """All cohorts."""
        return [self.cohort(planned) for planned in plan.cohorts]


def peak_bytes(students: Sequence[tuple[RunSpec, NetworkPrice]], teacher: NetworkPrice | None) -> int:
    """What a cohort needs at its fullest moment, beside the libraries and the data: an estimate.

    All learners' weights, optimiser states and averages stay; gradients and activations are one learner's at a time,
    for both are given back with its step. The copy of the best weights lies in the machine's memory: on a GPU that is
    not the device's, so that there the estimate is a little high. What a method adds of its own is not counted.
    """
    feed = students[0][0].feed
    activation = feed.batch_size * (HALVED if feed.precision != "no" else 1.0)
    copies = [2 + STATES.get(run.recipe.optimizer, 2) + (run.recipe.ema is not None) for run, _ in students]
    stays = sum(4 * price.params * n for (_, price), n in zip(students, copies, strict=True))
    comes = max(4 * s.params + activation * (s.saved_bytes + s.largest_bytes) for _, s in students)
    if teacher is not None:  # it keeps nothing for a backward pass, but a block's input, output and inner map at once
        stays += 4 * teacher.params
        comes = max(comes, activation * 3 * teacher.largest_bytes)
    pixels = feed.batch_size * 3 * feed.view.size**2
    return round(stays + comes + pixels * (1 + 4))  # the batch as it came, and as float32


def price_network(spec: BackboneSpec, num_classes: int, view_size: int) -> NetworkPrice:
    """Count on the meta device what one image costs, with a batch of two (batch norm refuses one)."""
    network = meta_backbone(spec, num_classes=num_classes, view_size=view_size)
    network.to("meta").train()
    image = torch.empty(2, 3, network.input.size, network.input.size, device="meta")
    saved: dict[int, torch.UntypedStorage] = {}  # by identity: views of one tensor are kept once
    weights = {p.untyped_storage()._cdata for p in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            saved[storage._cdata] = storage
        return tensor

    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        logits = network(image).logits
    assert logits is not None
    params = sum(p.numel() for p in network.parameters())
    sizes = [storage.nbytes() // 2 for storage in saved.values()]
    return NetworkPrice(params, counter.get_total_flops() // 4, sum(sizes), max(sizes))
