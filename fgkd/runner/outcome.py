"""What a trained cohort leaves behind: records, and weights in the store."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch

import fgkd
from fgkd.data import ImageData
from fgkd.facts import CohortFacts, Costs, DataFacts, Environment, StudentFacts, TeacherFacts
from fgkd.models import cost, weights_hash
from fgkd.models.latency import device_name
from fgkd.models.reshaped import head_of
from fgkd.record import RunRecord, Status, pack_predictions
from fgkd.spec import RunSpec
from fgkd.suite import Suite
from fgkd.teacher.live import Credentials
from fgkd.train.cohort import Cohort
from fgkd.train.engine import Engine
from fgkd.train.learner import Learner


@cache
def code_commit() -> str | None:
    """The commit that this code was checked out at, with ``-dirty`` where files other than results differ from it."""
    here = Path(fgkd.__file__).resolve().parent.parent
    git = lambda *words: (
        subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True).stdout
    )
    try:
        if Path(git("rev-parse", "--show-toplevel").strip()).resolve() != here:
            return None  # installed somewhere inside another repository
        changed = git("status", "--porcelain", "--", ".", ":!results").strip()
        return git("rev-parse", "HEAD").strip()[:12] + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def environment(engine: Engine, started: str) -> Environment:
    """Versions, device and times; `started` in ISO 8601."""
    cuda = engine.device.type == "cuda"
    device = torch.cuda.get_device_name(engine.device) if cuda else f"cpu ({torch.get_num_threads()} threads)"
    libraries = {name: version(name) for name in ("torch", "timm", "accelerate", "albumentations")}
    return Environment(
        device=device,
        processor=device_name(torch.device("cpu")),
        python=platform.python_version(),
        **libraries,
        fgkd=fgkd.__version__,
        precision=engine.precision,
        num_processes=engine.world,
        compiled=engine.compiles,
        code_commit=os.environ.get("FGKD_CODE_COMMIT") or code_commit(),
        started=started,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def make_record(learner: Learner, cohort: Cohort, *, suite: Suite, data: ImageData) -> RunRecord:
    """The record of one learner of a cohort that has run."""
    spec, result = learner.spec, cohort.results[learner.run_id]
    teacher = cohort.teacher.credentials if cohort.teacher and spec.feed.teacher else None
    done = learner.status == "ok"
    return RunRecord(
        run_id=spec.run_id,
        spec=spec,
        suite=suite.name,
        suite_version=suite.version,
        status=learner.status,
        reason=learner.reason or None,
        data=_data_facts(data),
        teacher=None if teacher is None else _teacher_facts(teacher, suite.notes, cohort),
        student=_student_facts(learner),
        metrics=result.metrics if done else {},
        profiles=result.profiles if done else {},
        best_epoch=learner.best.epoch if done and learner.best.epoch >= 0 else None,
        epochs_done=len(learner.curve),
        curve=learner.curve,
        costs=_costs(learner, cohort),
        cohort=_cohort_facts(learner, cohort),
        environment=environment(cohort.engine, cohort.started),
        diagnostics=dict(learner.objective.diagnostics(head_of(learner.evaluated))) if done else {},
        predictions=None if result.predictions is None else pack_predictions(result.predictions.numpy()),
    )


@dataclass(frozen=True)
class Fault:
    """A run of which nothing more can be said than why it failed."""

    run: RunSpec
    status: str
    reason: str


def bare_record(fault: Fault, suite: Suite, data: ImageData, engine: Engine) -> RunRecord:
    """The record of such a run."""
    return RunRecord(
        run_id=fault.run.run_id,
        spec=fault.run,
        suite=suite.name,
        suite_version=suite.version,
        status=cast("Status", fault.status),
        reason=fault.reason,
        data=_data_facts(data),
        environment=environment(engine, datetime.now(UTC).isoformat(timespec="seconds")),
    )


def _data_facts(data: ImageData) -> DataFacts:
    return DataFacts(
        name=data.name,
        protocol=data.protocol,
        revision=data.revision,
        classes=data.num_classes,
        counts=dict(data.counts),
        task=data.task,
    )


def _teacher_facts(teacher: Credentials, notes: tuple[str, ...], cohort: Cohort) -> TeacherFacts:
    sheet = cohort.reference
    return TeacherFacts(
        name=teacher.name,
        run_id=teacher.run_id,
        weights_hash=teacher.weights_hash,
        holdout_top1=teacher.holdout_top1,
        test_top1=teacher.test_top1,
        notes=notes,
        metrics={} if sheet is None else {"holdout": sheet.holdout, "test": sheet.test},
    )


def _student_facts(learner: Learner) -> StudentFacts:
    view, sight = learner.spec.feed.view, learner.belongings.sight
    price = cost(learner.evaluated, sight.size)
    return StudentFacts(
        img_size=sight.size,
        param_count=price.params,
        macs=price.macs,
        size_bytes=price.size_bytes,
        crop_pct=min(view.crop_pct, sight.crop_pct or view.crop_pct),
        interpolation=view.interpolation,
        weights_hash=weights_hash(learner.evaluated),
        deployed_extra=learner.belongings.reshaped,
        start_digest=learner.belongings.start_digest,
    )


def _cohort_facts(learner: Learner, cohort: Cohort) -> CohortFacts:
    service = cohort.loaders.service if learner.belongings.teacher_needs else None
    return CohortFacts(size=cohort.size, id=cohort.feed_id, bank=None if service is None else service.how)


def _costs(learner: Learner, cohort: Cohort) -> Costs:
    """What this run would cost alone: its own time, plus all of the loading and of the teacher that it asks for.

    Where the teacher is replayed from a bank, that is the building of the bank, whoever built it.
    """
    seconds = cohort.clock.seconds()
    if (service := cohort.loaders.service) is not None and service.seconds is not None:
        seconds = {**seconds, "teacher": service.seconds}
    own, load = seconds.get(learner.run_id, 0.0), seconds.get("load", 0.0)
    teacher = seconds.get("teacher", 0.0) if learner.belongings.teacher_needs else 0.0
    evaluation = seconds.get("evaluate/load", 0.0) + seconds.get(f"evaluate/{learner.run_id}", 0.0)
    whole = own + load + teacher
    return Costs(
        train_seconds=own,
        shared_seconds=load + teacher,
        load_seconds=load,
        teacher_seconds=teacher,
        eval_seconds=evaluation,
        images_seen=cohort.images,
        images_per_second=cohort.images / whole if whole and cohort.images else None,
    )


def weight_facts(learner: Learner, record: RunRecord, data: ImageData) -> dict[str, Any]:
    """What is written beside a run's weights: enough to judge a teacher by, and to export a student."""
    top1 = lambda kind: record.metric("top1", kind)
    trained = learner.spec.feed.epochs > 0
    return {
        "run_id": record.run_id,
        "spec": learner.spec.model_dump(mode="json"),
        "weights_hash": record.student.weights_hash if record.student else None,
        "holdout_top1": top1("holdout_last"),
        "test_top1": top1("test_last"),
        "head_is_fresh": not trained and learner.belongings.head_is_fresh,
        "num_classes": data.num_classes,
        "class_names": list(data.class_names),
        "dataset": data.name,
        "protocol": data.protocol,
        "revision": data.revision,
    }
