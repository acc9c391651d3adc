"""Who sits together, who waits for whom, and what is not run again."""

from __future__ import annotations

from fgkd.plan import dependencies, make_plan
from fgkd.spec import BackboneSpec, Feed, MethodPart, MethodSpec, RunSpec, TeacherSpec, TeacherTraining, teacher_run

TEACHER = TeacherSpec(backbone=BackboneSpec(name="resnet18"), train=TeacherTraining(epochs=3))


def feed(teacher: TeacherSpec | None = TEACHER, **changes: object) -> Feed:
    return Feed(dataset="cub50", teacher=teacher, epochs=5, **changes)


def run(label: str, teacher: TeacherSpec | None = TEACHER, seed: int = 0, **changes: object) -> RunSpec:
    method = MethodSpec(label=label, parts=(MethodPart(name=label),))
    return RunSpec(feed=feed(teacher, **changes), student="test_resnet", method=method, seed=seed)


def sh_teacher(head: RunSpec) -> TeacherSpec:
    return TEACHER.model_copy(update={"head_from": head})


def test_teacher_comes_first_and_scratch_joins_the_cohort_that_waits_for_it() -> None:
    plan = make_plan([run("scratch", None), run("kd"), run("crd")])
    assert [[r.method.label for r in c.runs] for c in plan.cohorts] == [["teacher"], ["kd", "crd", "scratch"]]
    assert plan.cohorts[1].waits_for == {plan.cohorts[0].runs[0].run_id}


def test_a_teacher_is_trained_once_for_all_feeds_that_use_it() -> None:
    plan = make_plan([run("kd"), run("kd", data_seed=1)])
    assert len(plan.cohorts) == 3
    assert sum(r.role == "teacher" for r in plan.runs) == 1


def test_the_head_student_of_sh_kd_is_trained_before_its_teacher_and_that_before_its_students() -> None:
    scratch = run("scratch", None)
    plan = make_plan([run("kd", sh_teacher(scratch)), run("kd"), scratch])
    order = [r.run_id for c in plan.cohorts for r in c.runs]
    special = teacher_run(feed(sh_teacher(scratch)))
    assert special is not None
    assert (
        order.index(scratch.run_id) < order.index(special.run_id) < order.index(run("kd", sh_teacher(scratch)).run_id)
    )
    sits_with = next(c for c in plan.cohorts if scratch in c.runs)
    assert run("kd") in sits_with.runs  # with the plain teacher's students: no data pass of its own


def test_a_head_student_never_joins_the_cohort_that_waits_for_it() -> None:
    scratch = run("scratch", None)
    plan = make_plan([run("kd", sh_teacher(scratch)), scratch])
    assert len(plan.cohorts) == 3
    assert [r.method.label for r in plan.cohorts[0].runs] == ["scratch"]


def test_recorded_runs_are_left_out_and_their_teachers_with_them() -> None:
    runs = [run("scratch", None), run("kd")]
    teacher = dependencies(runs[1])[0].run_id
    assert not make_plan(runs, recorded={r.run_id for r in runs}).cohorts
    plan = make_plan(runs, recorded={runs[0].run_id, teacher}, stored={teacher})
    assert [r.run_id for r in plan.runs] == [runs[1].run_id]
    assert [r.run_id for r in plan.recorded] == [runs[0].run_id]


def test_a_recorded_teacher_without_weights_is_trained_again() -> None:
    plan = make_plan([run("kd")], recorded={dependencies(run("kd"))[0].run_id}, stored=set())
    assert [r.method.label for r in plan.runs] == ["teacher", "kd"]


def test_weights_used_as_they_are_make_a_run_of_no_epochs() -> None:
    given = teacher_run(feed(TEACHER.model_copy(update={"train": None})))
    assert given is not None
    assert given.feed.epochs == 0
    assert given.feed.teacher is None


def test_a_different_view_is_a_different_cohort() -> None:
    plan = make_plan([run("kd"), run("scratch", None, view={"size": 96})])
    assert len(plan.cohorts) == 3
