"""A method that goes wrong where it is told to, and a device whose memory holds so many learners."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, cross_entropy
from fgkd.signals import Head, Lesson, Needs, Signals
from fgkd.teacher.live import Teacher
from fgkd.train import cohort as cohort_module
from fgkd.train.learner import Learner

FULL = "CUDA out of memory, or so it says"


class Backfire(torch.autograd.Function):
    """The identity, whose gradient raises."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, error: Exception) -> Tensor:
        ctx.error = error
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise ctx.error


class Faulty(Method):
    """Plain cross-entropy, until it goes wrong.

    `where` is one of build, reshape, forward, backward, nan, evaluation, diagnostics; `at` a step or an evaluated
    batch; `memory` makes the error one of memory.
    """

    mended: ClassVar[bool] = False
    student_needs: ClassVar[Needs] = Needs(logits=True)
    term_names: ClassVar[tuple[str, ...]] = ("ce",)
    where: str = ""
    at: int = 0
    memory: bool = False

    def strike(self, where: str) -> None:
        """Raise, if here is where."""
        if where == self.where and not Faulty.mended:
            raise self.error

    @property
    def error(self) -> Exception:
        return torch.OutOfMemoryError(FULL) if self.memory else ValueError(f"a bug in {self.where}")

    def build(self, setting: Setting) -> Objective:
        self.strike("build")
        return FaultyObjective(self)

    def reshape_student(self, model: nn.Module, setting: Setting) -> nn.Module:
        self.strike("reshape")
        return model


class FaultyObjective(Objective):
    """See `Faulty`; it has read-outs only where those have to fail, so that it is evaluated as others are."""

    def __init__(self, method: Faulty) -> None:
        super().__init__()
        self.method, self.seen = method, 0

    def forward(self, student: Signals, lesson: Lesson) -> LossTerms:
        loss = cross_entropy(student, lesson)
        if lesson.progress.step == self.method.at and not Faulty.mended:
            self.method.strike("forward")
            if self.method.where == "backward":
                loss = Backfire.apply(loss, self.method.error)
            if self.method.where == "nan":
                loss = loss * torch.nan
        return {"ce": loss}

    @property
    def has_readouts(self) -> bool:
        return self.method.where == "evaluation"

    def readouts(self, student: Signals) -> Mapping[str, Tensor]:
        self.seen += 1
        if self.seen > self.method.at:
            self.method.strike("evaluation")
        return {}

    def diagnostics(self, student: Head | None = None) -> Mapping[str, float]:
        self.method.strike("diagnostics")
        return {}


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> type[Faulty]:
    """The method ``faulty``, for one test."""
    monkeypatch.setattr(METHODS, "_things", dict(METHODS._things))
    METHODS.add("faulty", Faulty)
    monkeypatch.setattr(Faulty, "name", "faulty")
    monkeypatch.setattr(Faulty, "mended", False)
    return Faulty


class Device:
    """Holds so many learners; one more than that, and whatever is done there runs out of memory.

    A learner counts from being built until nobody holds it any more, or until it has left the device.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.where, self.struck = 99, "", 0
        self.after = 0  # so many times it goes well nevertheless
        self.learners: weakref.WeakSet[Learner] = weakref.WeakSet()
        self._patch(monkeypatch, Learner, "step", "step")
        self._patch(monkeypatch, Teacher, "signals", "teacher")
        self._patch(monkeypatch, cohort_module, "evaluate", "evaluation")
        build, leave = Learner.__init__, Learner.leave_device

        def built(learner: Learner, *args: Any, **kwargs: Any) -> None:
            self.learners.add(learner)
            self.check("build")
            build(learner, *args, **kwargs)

        def left(learner: Learner) -> None:
            self.learners.discard(learner)
            leave(learner)

        monkeypatch.setattr(Learner, "__init__", built)
        monkeypatch.setattr(Learner, "leave_device", left)

    def _patch(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, where: str) -> None:
        action: Callable[..., Any] = getattr(owner, name)

        def checked(*args: Any, **kwargs: Any) -> Any:
            self.check(where)
            return action(*args, **kwargs)

        monkeypatch.setattr(owner, name, checked)

    def check(self, where: str) -> None:
        """Run out of memory, if it is here that it does."""
        if where == self.where and len(self.learners) > self.room:
            self.after -= 1
            if self.after < 0:
                self.struck += 1
                raise torch.OutOfMemoryError(FULL)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device with room for all, until a test says otherwise."""
    return Device(monkeypatch)
