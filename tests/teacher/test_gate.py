"""What a teacher has to exceed, and what is said of one that does not."""

from __future__ import annotations

import pytest

from fgkd.spec import BackboneSpec, TeacherSpec
from fgkd.teacher.gate import Bar, bar_for, bar_problem, head_problem

GOOD = {"num_classes": 50, "head_is_fresh": False}


def teacher(gate: float | None = None) -> TeacherSpec:
    return TeacherSpec(backbone=BackboneSpec(name="resnet18"), gate=gate)


def test_the_bar_is_what_is_stated_else_the_students_own_else_three_times_chance() -> None:
    assert bar_for(teacher(0.4), [0.6, 0.8], 50) == Bar(0.4, "stated")
    assert bar_for(teacher(0.0), [0.6, 0.8], 50) == Bar(0.0, "stated")
    assert bar_for(teacher(), [0.6, 0.8], 50) == Bar(pytest.approx(0.7), "scratch", 2)
    assert bar_for(teacher(), [], 50) == Bar(pytest.approx(0.06), "chance")


def test_a_good_teacher_passes() -> None:
    assert head_problem("resnet18", GOOD, 50) is None
    assert bar_problem("resnet18", 0.71, Bar(0.7, "scratch", 2)) is None


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
    ("found", "bar", "told"),
    [
        (0.059, Bar(0.06, "chance"), "above 6.00% (three times chance), found 5.90%"),
        (0.06, Bar(0.06, "chance"), "above 6.00%"),
        (0.8, Bar(0.85, "stated"), "above 85.00% (the stated gate), found 80.00%"),
        (0.8, Bar(0.85, "scratch", 3), "above 85.00% (the student's own from scratch, mean of 3 runs), found 80.00%"),
        (None, Bar(0.85, "scratch", 1), "mean of 1 run), found none"),
    ],
)
def test_both_figures_are_told(found: float | None, bar: Bar, told: str) -> None:
    text = str(bar_problem("resnet18", found, bar))
    assert told in text
    assert "train it longer" in text
    assert "`gate`" in text
