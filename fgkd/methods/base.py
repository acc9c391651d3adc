"""What a distillation method is: frozen parameters and declared needs that build an objective.

A method sees tensors only. It never imports models, data or teachers; all it may know beforehand is its `Setting`,
all it sees while training is the student's `Signals` and the `Lesson`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from torch import Tensor, nn

from fgkd.collective import world_size
from fgkd.methods.whole_batch import shows_whole_batches
from fgkd.registry import Registry
from fgkd.signals import Head, Lesson, Needs, Progress, Signals, SignalShapes

LossTerms = Mapping[str, Tensor]  # weighted scalars; the learner sums them and logs them by name


class Survey(Protocol):
    """The teacher's signals over the whole training split, clean view, for methods that fit something beforehand."""

    def passes(self, needs: Needs) -> Iterator[tuple[Signals, Tensor]]:
        """Yield (teacher signals, targets) batch by batch, in the training split's order."""
        ...

    def fitted(self, key: str, fit: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """`fit()` once per (teacher, data, key), kept on disk as safetensors and read back afterwards."""
        ...


@dataclass(frozen=True)
class Setting:
    """All that a method may know before training.

    Attributes:
        student: shapes of the student's signals, after `reshape_student` when an objective is built.
        num_classes: K.
        train_targets: (N,) int64, labels of the training split; `Batch.index` points into it.
        teacher: shapes of the teacher's signals, None where there is no teacher.
        teacher_head: the teacher's linear classifier, detached.
        survey: see `Survey`; None where there is no teacher.
    """

    student: SignalShapes
    num_classes: int
    train_targets: Tensor
    teacher: SignalShapes | None = None
    teacher_head: Head | None = None
    survey: Survey | None = None


class Objective(nn.Module):
    """(student Signals, Lesson) -> LossTerms. Parameters join the learner's optimiser, buffers its checkpoint."""

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        """The weighted loss terms of one batch, by name; each a scalar."""
        raise NotImplementedError

    def asks(self, declared: Needs, progress: Progress) -> Needs:
        """What of the method's declared needs it reads of the teacher at this point; less where a stage rests."""
        return declared

    @property
    def has_readouts(self) -> bool:
        """Whether `readouts` gives any; evaluation asks the student for more than logits only then."""
        return type(self).readouts is not Objective.readouts

    def readouts(self, student: Signals) -> Mapping[str, Tensor]:
        """Further logits (B, K) worth an accuracy of their own at evaluation, by name (the teacher's head, say)."""
        return {}

    def diagnostics(self, student: Head | None = None) -> Mapping[str, float]:
        """Numbers worth recording at the end of training, by name; `student` is the student's head then."""
        return {}


class Stateless(Objective):
    """The objective of a method without parameters or memory."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        """The method's own terms."""
        return self.method.terms(student, lesson)


class Method(BaseModel):
    """Frozen parameters of one method; see CONTRIBUTING.md for how to add one.

    Subclasses declare `student_needs` and `teacher_needs` (class variables, or properties where they depend on a
    field), and override `terms` (stateless) or `build` (parameters, memory).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    student_needs: ClassVar[Needs] = Needs(logits=True)
    teacher_needs: ClassVar[Needs] = Needs()
    deploys_more: ClassVar[bool] = False  # does reshape_student change what is deployed?
    replaces_classifier: ClassVar[bool] = False  # is the classifier that is deployed another than the student's own?
    keeps_classifier: ClassVar[bool] = False  # does what it deploys read the student's own classifier?
    takes_mixed_labels: ClassVar[bool] = False  # may labels be (B, K) shares of classes, as mixup makes them?
    relates_samples: ClassVar[bool] = False  # does the loss compare the batch's samples with each other?
    term_names: ClassVar[tuple[str, ...]] = ()  # keys of the loss terms, always all given; () means ("ce", name)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic would take True for 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError(f"is no switch; expected another kind of value, found {value}")
        return value

    def problems(self, setting: Setting) -> list[str]:
        """Why this method cannot work in `setting`, for the plan to report before training; empty when it can."""
        return []

    def build(self, setting: Setting) -> Objective:
        """The objective for one learner, built inside that learner's random stream."""
        return Stateless(self)

    def objective(self, setting: Setting) -> Objective:
        """What `build` makes; with several processes, one that relates samples is shown those of all of them."""
        made = self.build(setting)
        if self.relates_samples and world_size() > 1:
            shows_whole_batches(made, self.student_needs, self.teacher_needs, extras=self.deploys_more)
        return made

    def terms(self, student: Signals, lesson: Lesson) -> LossTerms:
        """Loss terms of a stateless method."""
        raise NotImplementedError(f"{type(self).__name__} must define terms() or build()")

    @property
    def teaches_classifier(self) -> bool:
        """Whether what the teacher says reaches the student's own classifier: where both nets' logits are compared."""
        return self.teacher_needs.logits

    def reshape_student(self, model: nn.Module, setting: Setting) -> nn.Module:
        """The network to train and deploy; the identity unless the method adds layers that stay in the student."""
        return model


def cross_entropy(student: Signals, lesson: Lesson, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the student's logits (B, K) to the labels, mean over the batch."""
    assert student.logits is not None
    return F.cross_entropy(student.logits.float(), lesson.target, label_smoothing=label_smoothing)


M = TypeVar("M", bound=type[Method])


class MethodRegistry(Registry[type[Method]]):
    """The registry of methods; `register` also writes the name and the paper into the class."""

    def register(self, name: str, *, paper: str = "") -> Callable[[M], M]:
        """Class decorator: ``@METHODS.register("kd", paper="arXiv:1503.02531")``."""

        def enter(method: M) -> M:
            method.name, method.paper = name, paper
            self.add(name, method)
            return method

        return enter


METHODS = MethodRegistry("method")
