"""Records for pages: several data sets, failures, kept answers, and names that mean harm."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from fgkd.facts import DataFacts
from fgkd.record import RunRecord, pack_predictions
from fgkd.report.truth import Truth
from fgkd.spec import RunSpec, TeacherSpec
from tests.board_factory import TEACHER, record, run_spec, teacher_record

CLASSES = 6
IMAGES = 60
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=2">',
    "<svg/onload=window.hacked=3>",
    "javascript:window.hacked=4//\u2028'${window.hacked=5}`",
    "invoice\u202egnp.exe",
    "\u0645\u062b\u0627\u0644 \u05d3\u05d5\u05d2\u05de\u05d4",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;",
    "a" * 300,
    "\ud800<!--",
)


def metrics_of(rng: random.Random, top1: float) -> dict[str, Any]:
    """Metrics as a trainer leaves them."""
    names = ("top5", "nll", "ece", "brier", "agreement", "kl_to_teacher", "map_at_r", "recall_at_1", "eer")
    test = {"top1": top1, **{name: rng.random() for name in names}}
    return {"test_last": test, "test_best": test, "holdout_last": test, "holdout_best": test}


def curve_of(rng: random.Random, epochs: int, top1: float) -> list[dict[str, Any]]:
    """A curve that ends near `top1`."""
    return [
        {"epoch": e, "lr": 0.1, "loss": 3 / (e + 1), "holdout_top1": top1 * (1 - 0.8 ** (e + 1)) + rng.uniform(0, 0.02)}
        for e in range(epochs)
    ]


def many_records(count: int, *, epochs: int = 100) -> list[RunRecord]:
    """So many runs: 35 methods on four students, three seeds each, on as many data sets as it takes."""
    rng = random.Random(0)
    methods = ["scratch", "kd", *(f"method_{i:02}" for i in range(33))]
    made: list[RunRecord] = []
    while len(made) < count:
        number = len(made)
        dataset, place = f"set{number // 420}", number % 420
        spec = run_spec(
            methods[place // 3 % 35], seed=place % 3, student=f"net_{'abcd'[place // 105]}", dataset=dataset
        )
        top1 = rng.uniform(0.4, 0.9)
        data = DataFacts(name=dataset, protocol="default", classes=CLASSES, revision="r1")
        made.append(
            record(
                spec,
                top1,
                metrics=metrics_of(rng, top1),
                curve=curve_of(rng, epochs, top1),
                data=data,
                **of_test(rng, top1),
            )
        )
    return made


def truth(names: tuple[str, ...] = tuple(f"class_{i}" for i in range(CLASSES)), revision: str = "r1") -> Truth:
    """The right answers of the drawn test split."""
    return Truth(
        dataset="cub200",
        protocol="default",
        revision=revision,
        class_names=names,
        targets=pack_predictions(np.arange(IMAGES) % len(names)),
    )


def of_test(rng: random.Random, top1: float) -> dict[str, Any]:
    """Predictions that are right as often as `top1` says, and a reliability diagram."""
    targets = np.arange(IMAGES) % CLASSES
    wrong = np.array([rng.random() > top1 for _ in range(IMAGES)])
    answers = np.where(wrong, (targets + 1 + (targets % 2)) % CLASSES, targets)
    rows = [[(i + 0.5) / 15, min(1, (i + 0.5) / 15 * top1 + 0.1), 1 / 15] for i in range(15)]
    return {"predictions": pack_predictions(answers), "profiles": {"reliability": rows}}


def varied_records() -> list[RunRecord]:
    """Three data sets, two students, five methods on three seeds, a failure, a diagnosis, and the teacher."""
    rng = random.Random(1)
    made = []
    for dataset, level in (("cub200", 0.6), ("stanford_cars", 0.7), ("foodx251", 0.5)):
        for student, plus in (("small_net", 0.0), ("smaller_net", -0.06)):
            for i, method in enumerate(("scratch", "kd", "crd", "th_kd", "dkd")):
                for seed in range(3):
                    failed = (dataset, student, method, seed) == ("cub200", "small_net", "dkd", 2)
                    top1 = None if failed else level + plus + 0.02 * i + rng.uniform(-0.012, 0.012)
                    spec = run_spec(method, seed=seed, student=student, dataset=dataset, epochs=20)
                    made.append(_varied(rng, spec, top1))
    return [*made, teacher_record()]


def _varied(rng: random.Random, spec: RunSpec, top1: float | None) -> RunRecord:
    dataset, student, method = spec.feed.dataset.name, spec.student.name, spec.method.label
    data = DataFacts(name=dataset, protocol="default", classes=CLASSES, revision="r1", counts={"test": IMAGES})
    changes: dict[str, Any] = {"data": data, "predictions": None}
    if top1 is None:
        return record(spec, None, reason="CUDA out of memory: tried to allocate 2 GiB\nat step 12", **changes)
    found = record(spec, top1)
    assert found.student is not None
    smaller = {"param_count": 700_000, "macs": 40_000_000}
    changes |= {
        "metrics": metrics_of(rng, top1),
        "curve": curve_of(rng, 20, top1),
        "student": found.student.model_copy(update=smaller if student == "smaller_net" else {}),
        "diagnostics": {"head_cosine": 0.8125, "bias_gap": 0.5} if method == "th_kd" else {},
        "costs": found.costs.model_copy(update={"train_seconds": rng.uniform(10, 40)}),
        **of_test(rng, top1),
    }
    return record(spec, top1, **changes)


def hostile_records() -> list[RunRecord]:
    """Every place that holds words of strangers, filled with the worst of them."""
    rng = random.Random(2)
    made = []
    for i, name in enumerate(HOSTILE):
        safe = name.encode("utf-8", "replace").decode()  # specs cannot hold lone surrogates: they have no digest
        teacher = TeacherSpec(backbone="big_net", train=TEACHER.train, label=safe)
        for method in (safe, "kd"):
            spec = run_spec(method, student=safe, teacher=teacher, dataset=f"folder:{safe}")
            data = DataFacts(name=safe, protocol="default", classes=CLASSES, revision="r1")
            top1 = 0.5 + 0.01 * i
            made.append(
                record(
                    spec,
                    top1,
                    data=data,
                    suite=safe,
                    diagnostics={safe: safe},
                    metrics=metrics_of(rng, top1),
                    **of_test(rng, top1),
                )
            )
        failed = run_spec(safe, seed=1, student=safe, teacher=teacher, dataset=f"folder:{safe}")
        made.append(record(failed, None, reason=safe, suite=safe))
    return made
