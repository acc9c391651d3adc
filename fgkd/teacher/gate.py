"""Nobody learns from a teacher that has not been proven to be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fgkd.errors import UserError
from fgkd.spec import TeacherSpec

CHANCE_FACTOR = 3  # the default gate: three times what guessing would get


def pass_gate(teacher: TeacherSpec, facts: Mapping[str, Any], *, num_classes: int) -> None:
    """Check what the teacher's own run found out before a student learns from it.

    Args:
        facts: of the teacher's run: ``holdout_top1`` in [0, 1], ``head_is_fresh`` (a classifier drawn at random and
        never
            trained), ``num_classes``.
        num_classes: of the data set.

    Raises:
        UserError: the head does not fit, knows nothing, or is not accurate enough; the text says which, and what to do.
    """
    name = teacher.name
    if facts["num_classes"] != num_classes:
        raise UserError(
            f"teacher {name}: expected a classifier of {num_classes} classes, found {facts['num_classes']}; fine-tune "
            "it on this data set (teachers: ... train: ...)"
        )
    if facts["head_is_fresh"]:
        raise UserError(
            f"teacher {name}: its classifier was drawn at random (its weights have none of {num_classes}); give "
            "it `train:`, or weights that classify this data set"
        )
    gate = CHANCE_FACTOR / num_classes if teacher.gate is None else teacher.gate
    found = facts["holdout_top1"]
    if not found > gate:
        stated = "three times chance" if teacher.gate is None else "the suite's gate"
        raise UserError(
            f"teacher {name}: expected a hold-out top-1 above {gate:.2%} ({stated}), found {found:.2%}; nobody learns "
            "from it: train it longer, start it from better weights, or lower `gate`"
        )
