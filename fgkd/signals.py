"""What networks are asked for and what they answer: the vocabulary between models, methods and the loop.

Shapes: B batch, K classes, D pooled width, C H W a map's channels and sides, N training samples.

A *network* here is any nn.Module called as ``network(image, needs) -> Signals``: a `fgkd.models.Backbone`, or what a
method's `reshape_student` made of one. Stages are counted from the end, -1 being the last; most networks show
four (-4 .. -1), some fewer: the last stages of a CNN, or the blocks at the quarters of a ViT, tokens folded to maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

STAGES = (-4, -3, -2, -1)


@dataclass(frozen=True)
class Head:
    """A linear classifier: logits = pooled @ weight.T + bias."""

    weight: Tensor  # (K, D)
    bias: Tensor | None  # (K,)

    def __call__(self, pooled: Tensor) -> Tensor:
        """(..., D) -> (..., K)."""
        return torch.nn.functional.linear(pooled, self.weight, self.bias)

    def to(self, device: torch.device) -> Head:
        """The same head on another device."""
        return Head(self.weight.to(device), None if self.bias is None else self.bias.to(device))

    def detached(self) -> Head:
        """The same values, cut from autograd."""
        return Head(self.weight.detach(), None if self.bias is None else self.bias.detach())


@dataclass(frozen=True)
class Needs:
    """What is asked of a network in one forward pass; the union of several with ``|``, what they share with ``&``.

    Attributes:
        logits: class scores before softmax.
        pooled: the embedding that the last linear layer reads.
        final: the map that the pooling reads, after every convolution or block and norm of the trunk.
        stages: which of `STAGES`.
        head: the classifier itself (live parameters of a student, detached ones of a teacher).
    """

    logits: bool = False
    pooled: bool = False
    final: bool = False
    stages: frozenset[int] = frozenset()
    head: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", frozenset(self.stages))
        if strange := self.stages - set(STAGES):
            raise ValueError(f"stages: expected a subset of {STAGES}, got {sorted(strange)}")

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            self.logits or other.logits,
            self.pooled or other.pooled,
            self.final or other.final,
            self.stages | other.stages,
            self.head or other.head,
        )

    def __and__(self, other: Needs) -> Needs:
        return Needs(
            self.logits and other.logits,
            self.pooled and other.pooled,
            self.final and other.final,
            self.stages & other.stages,
            self.head and other.head,
        )

    def __bool__(self) -> bool:
        return self.logits or self.pooled or self.final or bool(self.stages) or self.head


@dataclass(frozen=True)
class Signals:
    """What a network gave; a field that was not asked for is None (stages: absent)."""

    logits: Tensor | None = None  # (B, K)
    pooled: Tensor | None = None  # (B, D)
    final: Tensor | None = None  # (B, C, H, W)
    stages: Mapping[int, Tensor] = field(default_factory=dict)  # stage -> (B, C, H, W)
    head: Head | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)  # what a reshaped student adds, by name

    def mapped(self, change: Callable[..., Tensor], *others: Signals) -> Signals:
        """What `change` makes of every tensor (B, ...); the head, which has no batch axis, stays as it is.

        Args:
            change: called with a tensor and the same one of each of `others`. Tensors come in an order that is the
                same on every process, so that it may be a collective.
            others: signals with the same fields.
        """
        given = (self, *others)
        one = lambda name: change(*(getattr(x, name) for x in given)) if getattr(self, name) is not None else None
        each = lambda name: {k: change(*(getattr(x, name)[k] for x in given)) for k in sorted(getattr(self, name))}
        return Signals(one("logits"), one("pooled"), one("final"), each("stages"), self.head, each("extras"))

    def only(self, needs: Needs) -> Signals:
        """Without what `needs` does not ask for; extras stay."""
        return Signals(
            self.logits if needs.logits else None,
            self.pooled if needs.pooled else None,
            self.final if needs.final else None,
            {stage: x for stage, x in self.stages.items() if stage in needs.stages},
            self.head if needs.head else None,
            self.extras,
        )

    def detached(self) -> Signals:
        """The same values, cut from autograd."""
        head = None if self.head is None else self.head.detached()
        return replace(self.mapped(lambda x: x.detach()), head=head)

    def on(self, device: torch.device) -> Signals:
        """The same values on another device, copied without waiting where memory is pinned."""
        head = None if self.head is None else self.head.to(device)
        return replace(self.mapped(lambda x: x.to(device, non_blocking=True)), head=head)


@dataclass(frozen=True)
class SignalShapes:
    """Sizes of a network's signals without the batch axis, known before training.

    Attributes:
        num_classes: K.
        pooled: D.
        final: (C, H, W) of the final map, or None where a network has none.
        stages: stage -> (C, H, W).
        pooled_is_mean: whether pooled == final.mean((2, 3)) exactly, so that the linear head may read any cell of it.
        tokens: whether the network is a token network (ViT-like), whose maps are folded tokens.
        final_classifies: whether the logits follow from the final map alone (no class token, no second branch).
        final_is_signed: whether the final map goes clearly below 0, as behind a norm; False where that is not known.
    """

    num_classes: int
    pooled: int
    final: tuple[int, int, int] | None
    stages: Mapping[int, tuple[int, int, int]]
    pooled_is_mean: bool = False
    tokens: bool = False
    final_classifies: bool = False
    final_is_signed: bool = False


@dataclass(frozen=True)
class Batch:
    """One batch as it leaves the loader.

    `image` is (B, 3, H, W) uint8 at the feed's view size in the loop; a learner's copy holds the same pixels normalised
    and resized for its network. `offset` and `global_size` place the rows within the global batch under DDP, so that a
    method which draws per sample can draw for the global batch and take its own rows. `crop_pct` is the share of a
    picture's shorter side that an evaluation view shows; None in training. `views` are the rows' own views where a feed
    has fixed ones, and `taught` is the teacher's word on them, where it was stored; None where it has to be asked.
    """

    image: Tensor
    target: Tensor  # (B,) int64
    index: Tensor  # (B,) int64, position in the training split, 0 .. N-1
    view: int = 0
    offset: int = 0
    global_size: int | None = None
    crop_pct: float | None = None
    views: Tensor | None = None  # (B,) int64, 0 .. V-1
    taught: Signals | None = None


class Lessons(Protocol):
    """What is asked of a training loader."""

    steps_per_epoch: int

    def epoch(self, epoch: int, start: int = 0) -> Iterable[Batch]:
        """The batches of one epoch, from step `start` on."""


@dataclass(frozen=True)
class Progress:
    """Where in training a lesson stands. Warm-ups and two-stage methods are functions of this."""

    step: int
    steps_per_epoch: int
    epochs: int

    @property
    def epoch(self) -> float:
        """Epochs done, with fraction: 0 at the first step."""
        return self.step / self.steps_per_epoch

    @property
    def fraction(self) -> float:
        """Share of the training done, in [0, 1)."""
        return self.step / (self.steps_per_epoch * self.epochs)


@dataclass(frozen=True)
class Lesson:
    """A batch, the teacher's signals for it (all None without a teacher), and the progress. Read-only."""

    batch: Batch
    teacher: Signals
    progress: Progress

    @property
    def target(self) -> Tensor:
        """(B,) int64."""
        return self.batch.target
