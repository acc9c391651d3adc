"""Records for tests, as a trainer would leave them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgkd.facts import Costs, DataFacts, Environment, StudentFacts, TeacherFacts
from fgkd.record import RunRecord, pack_predictions
from fgkd.spec import Feed, MethodPart, MethodSpec, Recipe, RunSpec, TeacherSpec, TeacherTraining, teacher_run

TEACHER = TeacherSpec(backbone="big_net", train=TeacherTraining(epochs=2))
UNTAUGHT = ("scratch", "label_smoothing")


def run_spec(
    method: str = "kd",
    *,
    seed: int = 0,
    student: str = "small_net",
    teacher: TeacherSpec | None = TEACHER,
    recipe: Recipe | None = None,
    params: dict[str, Any] | None = None,
    **feed: Any,
) -> RunSpec:
    """A spec of one run; `feed` overrides the feed's fields. A method of `UNTAUGHT` has no teacher."""
    values: dict[str, Any] = {"dataset": "cub200", "epochs": 10, "batch_size": 8} | feed
    return RunSpec(
        feed=Feed(teacher=None if method in UNTAUGHT else teacher, **values),
        student=student,
        method=MethodSpec(label=method, parts=(MethodPart(name=method, params=params or {}),)),
        recipe=recipe or Recipe(),
        seed=seed,
    )


def record(spec: RunSpec | None = None, top1: float | None = 0.5, **changes: Any) -> RunRecord:
    """The record of a run that reached `top1` (a fraction); None for one that has no result."""
    spec = spec or run_spec()
    scores = {"top1": top1, "top5": (1 + top1) / 2, "nll": 1.25, "ece": 0.0625} if top1 is not None else {}
    teacher = spec.feed.teacher
    fields: dict[str, Any] = {
        "run_id": spec.run_id,
        "spec": spec,
        "suite": "tiny",
        "suite_version": 1,
        "status": "ok" if top1 is not None else "failed",
        "reason": None if top1 is not None else "RuntimeError: no luck",
        "data": DataFacts(name="cub200", protocol="default", classes=200, counts={"train": 20, "test": 3}),
        "teacher": teacher and TeacherFacts(name=teacher.name, test_top1=0.875, notes=("saw test images",)),
        "student": StudentFacts(
            img_size=224, param_count=1_234_567, macs=98_765_432, crop_pct=0.875, interpolation="bicubic"
        ),
        "metrics": {"test_last": scores, "test_best": scores} if scores else {},
        "best_epoch": 3,
        "epochs_done": 10,
        "curve": [{"epoch": e, "lr": 0.1 / (e + 1), "train/ce": 1 / 3, "holdout/top1": 0.25} for e in range(3)],
        "costs": Costs(train_seconds=12.34, shared_seconds=5.06, images_per_second=99.96),
        "environment": Environment(device="cpu", code_commit="abc123", started="2026-01-01T00:00:00+00:00"),
        "predictions": pack_predictions(np.array([0, 199, 7])),
    }
    return RunRecord(**(fields | changes))


def teacher_record() -> RunRecord:
    """The record of the run that trained `TEACHER`."""
    spec = teacher_run(run_spec().feed)
    assert spec is not None
    return record(spec, 0.875)


def suite_records() -> list[RunRecord]:
    """Scratch, kd and two more on three seeds, one failure, and the teacher's own run."""
    tops = {
        "scratch": (0.50, 0.52, 0.51),
        "kd": (0.55, 0.58, 0.55),
        "crd": (0.60, 0.61, 0.66),
        "at": (0.54, 0.53, None),
    }
    runs = [record(run_spec(m, seed=seed), top1) for m, values in tops.items() for seed, top1 in enumerate(values)]
    return [*runs, teacher_record()]
