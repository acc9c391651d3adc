"""Reasons for which a method cannot work in a setting, as texts for `Method.problems`."""

from __future__ import annotations

from fgkd.methods.base import Setting
from fgkd.signals import SignalShapes


def no_teacher(setting: Setting, method: str) -> list[str]:
    """`method` needs a teacher and there is none."""
    if setting.teacher is not None:
        return []
    return [f"{method}: needs a teacher, but this run has none; name one under `teachers`"]


def other_classes(setting: Setting, method: str) -> list[str]:
    """The teacher's classes are not the data set's, so that its logits cannot be compared with the student's."""
    teacher = setting.teacher
    if teacher is None or teacher.num_classes == setting.num_classes:
        return []
    return [
        f"{method}: compares class scores, so expected a teacher with {setting.num_classes} classes, "
        f"found {teacher.num_classes}; fine-tune it on this data set"
    ]


def not_mean_pooled(shapes: SignalShapes | None, whose: str, method: str) -> list[str]:
    """The linear head of `whose` network does not read the mean of the final map."""
    if shapes is None or (shapes.pooled_is_mean and shapes.final is not None):
        return []
    return [
        f"{method}: applies the {whose}'s linear head to (means of) cells of its final map, which needs an embedding "
        f"that is the plain mean of that map; this {whose} has a norm, a token or a layer in between, "
        f"so choose another {whose} or another method"
    ]
