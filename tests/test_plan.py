"""Who sits together, who waits for whom, and what is not run again."""

from __future__ import annotations

from fgkd.plan import Plan, PlannedCohort, dependencies, longest_first, make_plan
from fgkd.spec import BackboneSpec, Feed, MethodPart, MethodSpec, RunSpec, TeacherSpec, TeacherTraining, teacher_run

TEACHER = TeacherSpec(backbone=BackboneSpec(name="resnet18"), train=TeacherTraining(epochs=3))


def feed(teacher: TeacherSpec | None = TEACHER, **changes: object) -> Feed:
    return Feed(dataset="cub50", teacher=teacher, epochs=5, **changes)


def run(label: str, teacher: TeacherSpec | None = TEACHER, seed: int = 0, **changes: object) -> RunSpec:
    method = MethodSpec(label=label, parts=(MethodPart(name=label),))
    return RunSpec(feed=feed(teacher, **changes), student="test_resnet", method=method, seed=seed)


def sh_teacher(head: RunSpec) -> TeacherSpec:
    return TEACHER.model_copy(update={"head_from": head})


STATED = TEACHER.model_copy(update={"gate": 0.5})


def labels(plan: Plan) -> list[list[str]]:
    return [[r.method.label for r in c.runs] for c in plan.cohorts]


def test_teacher_comes_first_and_runs_without_one_join_the_cohort_that_waits_for_it() -> None:
    plan = make_plan([run("tf_kd", None), run("kd"), run("crd")])
    assert labels(plan) == [["teacher"], ["kd", "crd", "tf_kd"]]
    assert plan.cohorts[1].waits_for == {plan.cohorts[0].runs[0].run_id}


def test_scratch_comes_before_those_whose_teacher_it_is_the_measure_of() -> None:
    plan = make_plan([run("scratch", None), run("kd"), run("crd"), run("scratch", None, seed=1)])
    assert sorted(labels(plan)[:2]) == [["scratch", "scratch"], ["teacher"]]
    assert labels(plan)[2] == ["kd", "crd"]
    assert plan.cohorts[2].after == {run("scratch", None, seed=seed).run_id for seed in (0, 1)}
    assert not plan.cohorts[2].waits_for & plan.cohorts[2].after


def test_scratch_shares_the_lessons_of_a_cohort_whose_gate_is_stated() -> None:
    plan = make_plan([run("scratch", None), run("kd", STATED)])
    assert labels(plan) == [["teacher"], ["kd", "scratch"]]
    both = make_plan([run("scratch", None), run("kd", STATED), run("crd")])
    assert labels(both)[1:] == [["kd", "scratch"], ["crd"]]  # with the one, and before the other


def test_only_scratch_of_the_same_contest_is_waited_for() -> None:
    other = run("scratch", None, view={"size": 96})
    student = run("scratch", None).model_copy(update={"student": BackboneSpec(name="test_vit")})
    plan = make_plan([other, student, run("scratch", None, data_seed=1), run("kd")])
    assert plan.cohorts[-1].after == {run("scratch", None, data_seed=1).run_id}
    recorded = {run("scratch", None).run_id}
    assert make_plan([run("scratch", None), run("kd")], recorded=recorded).cohorts[-1].after == set()


def test_a_plan_with_student_aware_teachers_and_gates_of_both_kinds_has_an_order() -> None:
    scratch, taught = run("scratch", None), run("kd", STATED)
    runs = [scratch, run("kd"), taught, run("crd", sh_teacher(scratch)), run("crd", sh_teacher(taught)), run("crd")]
    special = STATED.model_copy(update={"head_from": scratch})
    plan = make_plan([*runs, run("kd", special)])
    done: set[str] = set()
    for cohort in plan.cohorts:
        assert cohort.waits_for | cohort.after <= done
        done |= {r.run_id for r in cohort.runs}


def test_a_recorded_teacher_that_is_asked_for_itself_is_trained_again_where_its_weights_are_gone() -> None:
    teacher = dependencies(run("kd"))[0]
    assert labels(make_plan([teacher], recorded={teacher.run_id})) == [["teacher"]]
    assert not make_plan([teacher], recorded={teacher.run_id}, stored={teacher.run_id}).cohorts


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
    assert all(scratch.run_id in c.after for c in plan.cohorts if c.feed.teacher)  # their teachers must exceed it


def test_a_head_student_never_joins_the_cohort_that_waits_for_it() -> None:
    scratch = run("scratch", None)
    plan = make_plan([run("kd", sh_teacher(scratch)), scratch])
    assert len(plan.cohorts) == 3
    assert [r.method.label for r in plan.cohorts[0].runs] == ["scratch"]


def test_a_teacher_asked_for_alone_never_joins_the_student_whose_head_it_takes() -> None:
    teacher = sh_teacher(run("scratch", None)).model_copy(update={"train": TeacherTraining(epochs=5)})
    plan = make_plan([teacher_run(feed(teacher))])
    assert labels(plan) == [["scratch"], ["teacher"]]


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


def _named(name: str, *, waits_for: tuple[str, ...] = ()) -> PlannedCohort:
    only = run(name)
    return PlannedCohort(only.feed, (only,), frozenset(waits_for))


def test_what_others_wait_for_goes_first_and_the_longest_work_before_shorter() -> None:
    small_teacher, big_teacher = _named("small_teacher"), _named("big_teacher")
    ids = [cohort.runs[0].run_id for cohort in (small_teacher, big_teacher)]
    long_alone, short_alone = _named("long_alone"), _named("short_alone")
    taught = _named("taught", waits_for=(ids[0],))
    taught_longer = _named("taught_longer", waits_for=(ids[1],))
    middle = _named("middle", waits_for=(ids[1],))
    last = _named("last", waits_for=(middle.runs[0].run_id,))
    plan = Plan((short_alone, small_teacher, long_alone, big_teacher, taught, taught_longer, middle, last))
    lengths = {"short_alone": 1, "long_alone": 9, "small_teacher": 1, "big_teacher": 1, "taught": 2, "taught_longer": 5}
    ordered = longest_first(plan, lambda cohort: lengths.get(cohort.runs[0].method.label, 0.0))
    labels = [cohort.runs[0].method.label for cohort in ordered.cohorts]
    assert labels[:3] == ["big_teacher", "small_teacher", "middle"]
    assert labels[3:] == ["long_alone", "taught_longer", "taught", "short_alone", "last"]
