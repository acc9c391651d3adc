"""A wrong teacher of each kind is refused with its own message."""

from __future__ import annotations

import pytest

from fgkd.errors import UserError
from fgkd.spec import BackboneSpec, TeacherSpec
from fgkd.teacher.gate import pass_gate

GOOD = {"num_classes": 50, "head_is_fresh": False, "holdout_top1": 0.8}


def teacher(gate: float | None = None) -> TeacherSpec:
    return TeacherSpec(backbone=BackboneSpec(name="resnet18"), gate=gate)


def test_a_good_teacher_passes() -> None:
    pass_gate(teacher(), GOOD, num_classes=50)
    pass_gate(teacher(0.79), GOOD, num_classes=50)


@pytest.mark.parametrize(
    ("facts", "gate", "told"),
    [
        ({"num_classes": 1000}, None, "expected a classifier of 50 classes, found 1000"),
        ({"head_is_fresh": True}, None, "drawn at random"),
        ({"holdout_top1": 0.059}, None, "above 6.00% (three times chance), found 5.90%"),
        ({"holdout_top1": 0.06}, None, "above 6.00%"),
        ({"holdout_top1": 0.8}, 0.85, "above 85.00% (the suite's gate), found 80.00%"),
    ],
)
def test_each_fault_has_its_own_message(facts: dict, gate: float | None, told: str) -> None:
    with pytest.raises(UserError) as refused:
        pass_gate(teacher(gate), GOOD | facts, num_classes=50)
    assert told in str(refused.value)
