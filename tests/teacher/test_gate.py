"""What a teacher has to exceed, and what is said of one that does not."""

from __future__ import annotations

import pytest

from fgkd.spec import BackboneSpec, TeacherSpec
from fgkd.teacher.gate import Bar, bar_for, bar_problem, head_problem

GOOD = {"num_classes": 50, "head_is_fresh": False}


def teacher(gate: float | None = None) -> TeacherSpec:
    return TeacherSpec(backbone=BackboneSpec(name="resnet18"), gate=gate)


SCRATCH = [0.6, 0.8]


def test_the_bar_is_what_is_stated_else_the_students_own_else_chance() -> None:
    assert bar_for(teacher(0.4), SCRATCH, 50) == Bar(0.4, "stated", "the stated gate")
    assert bar_for(teacher(0.0), SCRATCH, 50).kind == "stated"
    own = bar_for(teacher(), SCRATCH, 50)
    assert (own.kind, own.top1) == ("scratch", pytest.approx(0.7))
    assert "mean of 2 runs" in own.what
    assert "mean of 1 run)" in str(bar_for(teacher(), [0.5], 50))


@pytest.mark.parametrize(
    ("classes", "top1", "what"),
    [(50, 0.06, "three times chance"), (5, 0.6, "three times chance"), (4, 0.625, "midway"), (2, 0.75, "midway")],
)
def test_the_bar_over_chance_can_be_exceeded_with_any_number_of_classes(classes: int, top1: float, what: str) -> None:
    bar = bar_for(teacher(), [], classes)
    assert (bar.kind, bar.top1) == ("chance", pytest.approx(top1))
    assert what in bar.what


def test_a_good_teacher_passes() -> None:
    assert head_problem("resnet18", GOOD, 50) is None
    assert bar_problem("resnet18", 0.71, bar_for(teacher(), SCRATCH, 50)) is None


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"num_classes": 1000}, "expected a classifier of 50 classes, found 1000"),
        ({"head_is_fresh": True}, "drawn at random"),
    ],
)
def test_a_head_that_is_not_the_data_sets_is_refused(facts: dict, told: str) -> None:
    assert told in str(head_problem("resnet18", GOOD | facts, 50))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (0.699, "above 70.00% (the student's own from scratch, mean of 2 runs), found 69.90%"),
        (0.7, "found 70.00%"),
        (None, "found none"),
    ],
)
def test_both_figures_are_told(found: float | None, told: str) -> None:
    text = str(bar_problem("resnet18", found, bar_for(teacher(), [0.7, 0.7], 50)))
    assert told in text
    assert "train it longer" in text
    assert "`gate`" in text
