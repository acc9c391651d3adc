"""Slow twins of the methods: plain loops over Python numbers, written from the formulas, to compare the fast code with.

A twin takes an `Exam` and returns the method's loss terms. Write it in a module ``twins_*.py`` beside this one:

    @twin("kd", {}, {"temperature": 2.0}, zero=("kd",))
    def kd(exam: Exam) -> dict[str, float]: ...

with the parameter sets to try, and the terms that must vanish where the student shows what the teacher shows.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fgkd.methods.base import Method, Objective, Setting
from fgkd.signals import Lesson, Signals

Rows = list[list[float]]


@dataclass(frozen=True)
class Exam:
    """What a twin is asked about: everything in float64, the objective built and untouched by the fast code."""

    method: Any  # a Method; its parameters are read by name
    objective: Objective
    setting: Setting
    student: Signals
    lesson: Lesson

    @property
    def teacher(self) -> Signals:
        """The teacher's signals."""
        return self.lesson.teacher

    @property
    def target(self) -> list[int]:
        """Labels."""
        return self.lesson.target.tolist()

    def state(self, name: str) -> Any:
        """A parameter or buffer of the objective, as nested lists."""
        return self.objective.state_dict()[name].tolist()


Twin = Callable[[Exam], dict[str, float]]


@dataclass(frozen=True)
class Reference:
    """A twin with what to try it on."""

    run: Twin
    params: tuple[dict[str, Any], ...]
    zero: tuple[str, ...]


TWINS: dict[str, Reference] = {}


def twin(name: str, *params: dict[str, Any], zero: tuple[str, ...] = ()) -> Callable[[Twin], Twin]:
    """Decorator: the twin of the method `name`; without `params` it is tried with the defaults alone."""

    def enter(run: Twin) -> Twin:
        assert name not in TWINS, f"{name} has a twin already"
        TWINS[name] = Reference(run, params or ({},), zero)
        return run

    return enter


def collect() -> dict[str, Reference]:
    """All twins, from every ``twins_*.py`` beside this module."""
    for path in sorted(Path(__file__).parent.glob("twins_*.py")):
        importlib.import_module(path.stem)
    return TWINS


def log_softmax(row: list[float], temperature: float = 1.0) -> list[float]:
    """log softmax(row / temperature)."""
    scaled = [x / temperature for x in row]
    top = max(scaled)
    log_sum = top + math.log(sum(math.exp(x - top) for x in scaled))
    return [x - log_sum for x in scaled]


def softmax(row: list[float], temperature: float = 1.0) -> list[float]:
    """softmax(row / temperature)."""
    return [math.exp(x) for x in log_softmax(row, temperature)]


def kl(p: list[float], log_q: list[float]) -> float:
    """KL(p || exp(log_q))."""
    return sum(a * (math.log(a) - b) for a, b in zip(p, log_q, strict=True) if a > 0)


def mean(values: Any) -> float:
    """Arithmetic mean."""
    values = list(values)
    return sum(values) / len(values)


def dot(a: list[float], b: list[float]) -> float:
    """Inner product."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def unit(row: list[float]) -> list[float]:
    """row / |row|."""
    length = math.sqrt(dot(row, row))
    return [x / length for x in row]


def linear(row: list[float], weight: Rows, bias: list[float] | None = None) -> list[float]:
    """weight @ row + bias."""
    return [dot(row, w) + (bias[i] if bias else 0.0) for i, w in enumerate(weight)]


def rows(x: Tensor) -> Any:
    """A tensor as nested lists."""
    return x.tolist()


def ce(exam: Exam, logits: Rows | None = None) -> float:
    """Mean cross-entropy of the student's (or the given) logits."""
    logits = rows(exam.student.logits) if logits is None else logits
    return mean(-log_softmax(row)[y] for row, y in zip(logits, exam.target, strict=True))


def weighted(method: Method, **terms: float) -> dict[str, float]:
    """`terms` with ``ce`` times the method's `ce_weight`."""
    return {name: value * (method.ce_weight if name == "ce" else 1.0) for name, value in terms.items()}  # type: ignore[attr-defined]
