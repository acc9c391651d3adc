"""What the entries of a suite's `methods` list stand for: a registered method, a sum of several, or SH-KD.

SH-KD is no loss but a plan: its teacher takes over, frozen, the classifier of a student trained before
(`head_student`), learns an embedding for it, and then teaches by the `base` method. `share_head` also gives the
distilled student that classifier.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, ValidationError

from fgkd.errors import UserError, UserErrors, unknown_name
from fgkd.spec import MethodSpec, Spec
from fgkd.suite.form import explain

SH_KD = "sh_kd"


class ShKD(Spec):
    """SH-KD: the teacher takes over a trained student's head, frozen, and then teaches by another method, `base`.

    Departures: by default a trained linear layer brings the teacher's embedding (B, D_t) to that head's width, even
    where the two are equal; paper and code then have none, and ``projector: auto`` has none either.

    Attributes:
        base: the entry by which the student-aware teacher teaches.
        head_student: the student whose head the teacher takes; the run's own where None.
        head_method: the entry by which that student is trained.
        share_head: whether the distilled student gets that head too, frozen.
        projector: what brings the teacher's width to the head's.
        name: the label on the board; ``sh_kd(base)`` where None.
    """

    method: str = SH_KD
    base: Any = Field("kd", description="the method entry by which the student-aware teacher teaches")
    head_student: str | None = Field(
        None, description="the student whose head the teacher takes; default: the run's own"
    )
    head_method: Any = Field("scratch", description="the method entry by which that student is trained")
    share_head: bool = Field(False, description="whether the distilled student gets that head too, frozen")
    projector: str = Field("linear", description="what brings the teacher's width to the head's")
    name: str | None = Field(None, min_length=1, description="the label on the board; default: sh_kd(base)")


@dataclass(frozen=True)
class Taught:
    """A method entry, resolved: the method, whether it asks anything of a teacher, and SH-KD's plan where it is one."""

    spec: MethodSpec
    needs_teacher: bool
    student_aware: ShKD | None = None


class MethodTable:
    """Resolves method entries, each once. The first use imports the methods, and with them torch."""

    def __init__(self) -> None:
        self._known: dict[str, Taught | UserError] = {}

    def of(self, entry: Any) -> Taught:
        """What `entry` stands for; UserError where it stands for nothing."""
        key = json.dumps(entry, sort_keys=True, default=str)
        if key not in self._known:
            try:
                self._known[key] = _resolve(entry)
            except UserError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, UserError):
            raise found
        return found

    def label(self, entry: Any) -> str:
        """What the board, conditions and filters call `entry`."""
        return self.of(entry).spec.label

    def problems(self, entry: Any) -> list[str]:
        """Why `entry` stands for nothing; empty where it stands for something."""
        try:
            self.of(entry)
        except UserErrors as errors:
            return errors.problems
        except UserError as error:
            return [str(error)]
        return []


def _resolve(entry: Any) -> Taught:
    if entry == SH_KD or (isinstance(entry, dict) and entry.get("method") == SH_KD):
        return _student_aware({"method": SH_KD} if entry == SH_KD else entry)
    spec = _spec(entry)
    return Taught(spec, _needs_teacher(spec))


def _spec(entry: Any) -> MethodSpec:
    from fgkd.methods.compose import method_spec

    if not isinstance(entry, str | dict):
        raise UserError(f"expected a method's name, or a mapping with method: NAME, found {entry!r}")
    return method_spec(entry)


def _needs_teacher(spec: MethodSpec) -> bool:
    """Does the method ask a teacher for signals, or else object to a setting for no other reason than lacking one?"""
    import torch

    from fgkd.methods.base import Setting
    from fgkd.methods.compose import build_method
    from fgkd.signals import STAGES, Head, SignalShapes

    method = build_method(spec)
    shapes = SignalShapes(2, 4, (4, 7, 7), dict.fromkeys(STAGES, (4, 7, 7)), pooled_is_mean=True)
    alone = Setting(shapes, num_classes=2, train_targets=torch.arange(2))
    taught = replace(alone, teacher=shapes, teacher_head=Head(torch.zeros(2, 4), torch.zeros(2)))
    return bool(method.teacher_needs) or bool(set(method.problems(alone)) - set(method.problems(taught)))


def _student_aware(entry: dict[str, Any]) -> Taught:
    try:
        plan = ShKD.model_validate(entry)
    except ValidationError as error:
        raise UserErrors([_problem(details) for details in error.errors()]) from None
    for inner in (plan.base, plan.head_method):
        if SH_KD in json.dumps(inner, default=str):
            raise UserError(f"{SH_KD}: base and head_method must be other methods than {SH_KD} itself")
    base = _spec(plan.base)
    _spec(plan.head_method)  # its problems belong here
    parts, label = base.parts, base.label
    if plan.share_head and all(part.name != "copy_head" for part in parts):
        parts, label = (*parts, *_spec("copy_head").parts), f"{label}+copy_head"
    return Taught(MethodSpec(label=plan.name or f"{SH_KD}({label})", parts=parts, weights=base.weights), True, plan)


def _problem(details: Any) -> str:
    key = str(details["loc"][0])
    if details["type"] == "extra_forbidden":
        return f"{SH_KD}: {unknown_name('parameter', key, set(ShKD.model_fields) - {'method'})}"
    return f"{SH_KD}: {key}: {explain(details)}"
