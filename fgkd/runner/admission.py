"""Who of a cohort may learn from its teacher: those who are worse than it by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fgkd.plan import PlannedCohort, contest, is_baseline, part_of
from fgkd.record import RunRecord, find_record, recorded_ids
from fgkd.spec import RunSpec, TeacherSpec
from fgkd.teacher.gate import Bar, bar_for, bar_problem, head_problem


class Baselines:
    """What students reach on the hold-out from scratch, by the records of a suite.

    Args:
        folder: of the records.
        runs: the suite's; their scratch runs count. A student that has none there is looked for among all records.
    """

    def __init__(self, folder: Path, runs: Iterable[RunSpec]) -> None:
        self.folder = folder
        self.runs = [run for run in runs if is_baseline(run)]

    def of(self, run: RunSpec) -> list[float]:
        """Hold-out top-1, last weights, of the scratch runs that `run` is compared with and that ended well."""
        planned = [base.run_id for base in self.runs if contest(base) == contest(run)]
        recorded = recorded_ids(self.folder)
        found = [find_record(self.folder, run_id) for run_id in sorted(recorded.intersection(planned or recorded))]
        same = [r for r in found if r is not None and is_baseline(r.spec) and contest(r.spec) == contest(run)]
        figures = [record.metric("top1", "holdout_last") for record in same if record.status == "ok"]
        return [figure for figure in figures if figure is not None]

    def other_weights(self, facts: Mapping[str, Any]) -> RunRecord | None:
        """The record of a teacher's own run, where its weights are not those that `facts` tell of."""
        record = find_record(self.folder, str(facts["run_id"]))
        told = record.student.weights_hash if record is not None and record.student is not None else None
        return record if told not in (None, facts["weights_hash"]) else None


@dataclass(frozen=True)
class Ruling:
    """What the gate decided.

    Attributes:
        cohort: those who may train; None where nobody may.
        bars: by run id, what the teacher of an admitted run had to exceed.
        refusals: one text for each reason, with those whom it concerns.
        remarks: what was measured, for the console.
    """

    cohort: PlannedCohort | None
    bars: Mapping[str, Bar] = field(default_factory=dict)
    refusals: Sequence[str] = ()
    remarks: Sequence[str] = ()


def judge(planned: PlannedCohort, facts: Mapping[str, Any], num_classes: int, baselines: Baselines) -> Ruling:
    """Compare a cohort's teacher with what each of its students reaches alone.

    Args:
        facts: of the teacher's own run, see `fgkd.runner.outcome.weight_facts`.
        num_classes: of the data set.
    """
    teacher = planned.feed.teacher
    assert teacher is not None
    learners = [run for run in planned.runs if run.feed.teacher is not None]
    found = facts["holdout_top1"]
    if problem := head_problem(teacher.name, facts, num_classes):
        return Ruling(_without(planned, learners), refusals=[_concerning(problem, learners)])
    bars: dict[str, Bar] = {}
    refused: list[RunSpec] = []
    refusals: list[str] = []
    remarks = [_measured(teacher, planned, facts)]
    if (other := baselines.other_weights(facts)) is not None:
        remarks.append(_not_its_record(other))
    for runs in _by_bar(learners):
        bar = bar_for(teacher, baselines.of(runs[0]), num_classes)
        bars |= {run.run_id: bar for run in runs}
        remarks.append(f"  to exceed for {runs[0].student.name}: {bar}{_why_weak(bar)}")
        if problem := bar_problem(teacher.name, found, bar):
            refused += runs
            refusals.append(_concerning(problem, runs))
    return Ruling(_without(planned, refused), bars, refusals, remarks)


def _by_bar(runs: Iterable[RunSpec]) -> list[list[RunSpec]]:
    """Runs that share a bar, together."""
    groups: dict[object, list[RunSpec]] = {}
    for run in runs:
        groups.setdefault(contest(run), []).append(run)
    return list(groups.values())


def _without(planned: PlannedCohort, refused: Sequence[RunSpec]) -> PlannedCohort | None:
    """The cohort of the others, without a teacher where nobody is left who asks for one."""
    if not refused:
        return planned
    rest = [run for run in planned.runs if run not in refused]
    return part_of(planned, rest) if rest else None


def _concerning(problem: str, runs: Sequence[RunSpec]) -> str:
    labels = ", ".join(dict.fromkeys(run.method.label for run in runs))
    students = ", ".join(dict.fromkeys(run.student.name for run in runs))
    return f"{problem}. Not trained: {len(runs)} runs ({labels}) of {students}"


def _measured(teacher: TeacherSpec, planned: PlannedCohort, facts: Mapping[str, Any]) -> str:
    shown = lambda share: "-" if share is None else f"{share:.2%}"
    return (
        f"teacher {teacher.name} on {planned.feed.dataset.name}: hold-out top-1 {shown(facts['holdout_top1'])}, "
        f"test {shown(facts['test_top1'])}, weights {facts['weights_hash']}"
    )


def _not_its_record(record: RunRecord) -> str:
    top1 = record.metric("top1")
    assert record.student is not None
    return (
        f"  warning: its record {record.run_id} is of other weights, {record.student.weights_hash}"
        + (f" (test {top1:.2%})" if top1 is not None else "")
        + ": it was trained anew, by another machine or code, and what was recorded before learned from that one; "
        "`--rerun` of all would give one teacher to all"
    )


def _why_weak(bar: Bar) -> str:
    weak = bar.kind == "chance"
    return "; a weak bar, used because no run from scratch is planned or recorded, or none ended well" if weak else ""


def with_bar(record: RunRecord, bar: Bar | None) -> RunRecord:
    """The record with what its teacher had to exceed."""
    if record.teacher is None or bar is None:
        return record
    teacher = record.teacher.model_copy(update={"bar": bar.top1, "bar_kind": bar.kind})
    return record.model_copy(update={"teacher": teacher})
